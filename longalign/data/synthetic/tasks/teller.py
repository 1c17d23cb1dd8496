"""Filling templates to sentences with facts, questions and answers in one language."""

from collections.abc import Sequence

from longalign.data.synthetic.tasks.cast import Cast, NoneLeft
from longalign.data.synthetic.tasks.exercise import Evidence, Fact, Question
from longalign.data.synthetic.tasks.wording import Wording

_VERBATIM = ("{value", "{answer", "{path", "{row", "{bare")  # starts of templates that get no capital letter

BRIEF = 0.05
"""Share of the questions that ask for the answer alone. Replies that lead to it are learnt best."""

APART = 0.2
"""Share of the documents in which facts are paragraphs of their own."""

ALIKE = 0.4
"""Share of the exercises whose facts are all worded alike, so that they differ in keys and values only."""

_FEW = (0, 1, 2, 3, 3, 5, 9)
_MANY = (2, 3, 5, 9)


class Teller:
    """Writes the facts and questions of one document.

    crowded: most exercises get as many facts that no question is about as there is room for.
    """

    def __init__(self, cast: Cast, words: Wording, crowded: bool = False) -> None:
        self.cast, self.draw, self.words = cast, cast.draw, words
        self._crowded = crowded
        self._apart = cast.draw.random() < APART

    def say(self, templates: Sequence[str], **slots: object) -> str:
        """Fill a random one of the templates; the first letter of the result is a capital (but see `_VERBATIM`)."""
        return _fill(self.draw.choice(templates), slots)

    def alike(self, templates: Sequence[str]) -> Sequence[str]:
        """The templates for the facts of an exercise: all of these, or a single one (see `ALIKE`)."""
        return (self.draw.choice(templates),) if self.draw.random() < ALIKE else templates

    def fact(self, templates: Sequence[str], **slots: object) -> Fact:
        """Make a fact of a random one of the templates."""
        return self.hide(self.say(templates, **slots))

    def hide(self, sentence: str) -> Fact:
        """Make a fact of a sentence, sometimes with an introduction ("Note: …")."""
        return Fact(self.draw.choice(self.words.intros).format(fact=sentence), self._apart)

    def question(
        self,
        asks: Sequence[str],
        replies: Sequence[str],
        answers: Sequence[str],
        evidence: Sequence[Evidence],
        **slots: object,
    ) -> Question:
        """Make a question with its reply; for some questions the reply is only the answers.

        Args:
            asks, replies: templates. answers: strings that the reply must contain.
        """
        text = self.say(asks, **slots)
        # only replies that contain all answers can be drawn
        replies = [reply for reply in replies if all(answer in _fill(reply, slots) for answer in answers)]
        assert replies, (answers, slots)
        if self.draw.random() < BRIEF:
            text += self.words.joint + self.draw.choice(self.words.brief)
            return Question(text, self.words.comma.join(answers), tuple(answers), tuple(evidence))
        return Question(text, self.say(replies, **slots), tuple(answers), tuple(evidence))

    def unknown(self, asks: Sequence[str], key: str, **slots: object) -> Question:
        """Make a question that the document does not answer, because it does not mention `key`."""
        return Question(self.say(asks, key=key, **slots), self.say(self.words.unknown, key=key), (), ())

    def deeds(self, kind: str, count: int) -> list[tuple[str, str]]:
        """Draw things that keys of a kind can have done, each in past and plain form, and new in this document.

        Raises:
            NoneLeft: there are not so many left.
        """
        left = [deed for deed in self.words.dated.did[kind] if deed not in self.cast.deeds]
        if len(left) < count:
            raise NoneLeft("deed")
        deeds = self.draw.sample(left, count)
        self.cast.deeds.update(deeds)
        return deeds

    def shuffled(self, facts: Sequence[Fact]) -> tuple[Fact, ...]:
        """The facts in random order."""
        return tuple(self.draw.sample(facts, len(facts)))

    def listed(self, items: Sequence[str], last: str | None = None) -> str:
        """Items in one text: "a, b and c". last: what stands before the last one instead, as in "a, b or c"."""
        last = self.words.final if last is None else last
        if len(items) == 1:
            return items[0]
        return self.words.comma.join(items[:-1]) + last + items[-1]

    def numeral(self, number: int) -> str:
        return self.words.numerals[number] if number < len(self.words.numerals) else str(number)

    def crowd(self, kind: str, least: int, most: int) -> int:
        """Draw how many keys of a kind an exercise has: mostly few more than `least`, sometimes as many as possible."""
        most = max(least, min(most, self.cast.stock(kind)))
        more = (*_MANY, *[most] * len(_MANY)) if self._crowded else (*_FEW, most)
        return max(least, min(most, least + self.draw.choice(more)))


def bare(key: str) -> str:
    """A key without its article: the string that an answer must contain."""
    return key.removeprefix("the ")


def _fill(template: str, slots: dict[str, object]) -> str:
    text = template.format_map(slots)
    return text if template.startswith(_VERBATIM) else text[0].upper() + text[1:]
