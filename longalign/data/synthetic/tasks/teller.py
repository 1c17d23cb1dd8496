"""Templates filled by a seed: sentences of facts, questions and answers in one language."""

from collections.abc import Sequence

from longalign.data.synthetic.tasks.cast import Cast, NoneLeft
from longalign.data.synthetic.tasks.exercise import Evidence, Fact, Question
from longalign.data.synthetic.tasks.wording import Wording

_VERBATIM = ("{value", "{answer", "{path", "{row", "{quote", "{bare")  # at the start of a template: kept as it is

BRIEF = 0.2
"""Share of the questions that ask for the bare answer."""

APART = 0.2
"""Share of the documents whose facts are paragraphs of their own."""

ALIKE = 0.4
"""Share of the exercises whose facts are in the same words, so that nothing but the key tells them apart."""

_FEW = (0, 1, 2, 3, 3, 5, 9)
_MANY = (2, 3, 5, 9)


class Teller:
    """`crowded`: exercises have as many facts that are not asked for as there is room for, more often than not."""

    def __init__(self, cast: Cast, words: Wording, crowded: bool = False) -> None:
        self.cast, self.draw, self.words = cast, cast.draw, words
        self._crowded = crowded
        self._apart = cast.draw.random() < APART

    def say(self, templates: Sequence[str], **slots: object) -> str:
        """One of the templates, filled; its first letter is a capital."""
        return _fill(self.draw.choice(templates), slots)

    def alike(self, templates: Sequence[str]) -> Sequence[str]:
        """What the facts of an exercise are worded in: the templates, or one of them."""
        return (self.draw.choice(templates),) if self.draw.random() < ALIKE else templates

    def fact(self, templates: Sequence[str], **slots: object) -> Fact:
        """A sentence to hide, of a template."""
        return self.hide(self.say(templates, **slots))

    def hide(self, sentence: str) -> Fact:
        """A sentence to hide, sometimes with an introduction ("Note: …")."""
        return Fact(self.draw.choice(self.words.intros).format(fact=sentence), self._apart)

    def question(
        self,
        asks: Sequence[str],
        replies: Sequence[str],
        answers: Sequence[str],
        evidence: Sequence[Evidence],
        **slots: object,
    ) -> Question:
        """A question and its reply; some are brief: the answers only."""
        text = self.say(asks, **slots)
        # a reply that lacks one of the strings is not drawn
        replies = [reply for reply in replies if all(answer in _fill(reply, slots) for answer in answers)]
        assert replies, (answers, slots)
        if self.draw.random() < BRIEF:
            text += self.words.joint + self.draw.choice(self.words.brief)
            return Question(text, self.words.comma.join(answers), tuple(answers), tuple(evidence))
        return Question(text, self.say(replies, **slots), tuple(answers), tuple(evidence))

    def unknown(self, asks: Sequence[str], key: str, **slots: object) -> Question:
        """A question that the document does not answer, since it says nothing of `key`."""
        return Question(self.say(asks, key=key, **slots), self.say(self.words.unknown, key=key), (), ())

    def deeds(self, kind: str, count: int) -> list[tuple[str, str]]:
        """What keys of a kind did, in past and plain form; no deed is met in two exercises of a document.

        Raises:
            NoneLeft: so many are not left.
        """
        left = [deed for deed in self.words.dated.did[kind] if deed not in self.cast.deeds]
        if len(left) < count:
            raise NoneLeft("deed")
        deeds = self.draw.sample(left, count)
        self.cast.deeds.update(deeds)
        return deeds

    def listed(self, items: Sequence[str], last: str | None = None) -> str:
        """ "a, b and c"; `last` stands before the last one, as in "a, b or c"."""
        last = self.words.final if last is None else last
        if len(items) == 1:
            return items[0]
        return self.words.comma.join(items[:-1]) + last + items[-1]

    def numeral(self, number: int) -> str:
        return self.words.numerals[number] if number < len(self.words.numerals) else str(number)

    def crowd(self, kind: str, least: int, most: int) -> int:
        """How many keys of a kind an exercise has: mostly few, sometimes as many as there may be."""
        most = max(least, min(most, self.cast.stock(kind)))
        more = (*_MANY, *[most] * len(_MANY)) if self._crowded else (*_FEW, most)
        return max(least, min(most, least + self.draw.choice(more)))


def bare(key: str) -> str:
    """A key without its article: the string that an answer must hold."""
    return key.removeprefix("the ")


def _fill(template: str, slots: dict[str, object]) -> str:
    text = template.format_map(slots)
    return text if template.startswith(_VERBATIM) else text[0].upper() + text[1:]
