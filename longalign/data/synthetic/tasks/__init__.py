"""Long tasks with known answers by a seed: facts hidden in prose, questions about them, answers and where they stand.

In: count, length, tasks, seed, language, split. Out: rows `{"id", "messages", "task", "questions", …}` to train on.
`questions` say what a right answer holds and at which depth it stands. The same arguments give the same rows, row i
does not depend on the count, and the names that facts are about never occur in both splits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from longalign.data.processes import map_in_order
from longalign.data.synthetic.documents import Language
from longalign.data.synthetic.tasks.cast import Cast, NoneLeft
from longalign.data.synthetic.tasks.chains import multi_hop
from longalign.data.synthetic.tasks.digest import summarise_by_key
from longalign.data.synthetic.tasks.exercise import Exercise, Fact, Question
from longalign.data.synthetic.tasks.lookup import lookup, multi_value
from longalign.data.synthetic.tasks.prose import Crowd, Measure, weave, write_prose
from longalign.data.synthetic.tasks.styles_en import STYLES as STYLES_EN
from longalign.data.synthetic.tasks.styles_zh import STYLES as STYLES_ZH
from longalign.data.synthetic.tasks.tables import table
from longalign.data.synthetic.tasks.tallies import compare, count, order
from longalign.data.synthetic.tasks.teller import Teller
from longalign.data.synthetic.tasks.wording import Wording
from longalign.data.synthetic.tasks.wording_en import WORDING as ENGLISH
from longalign.data.synthetic.tasks.wording_zh import WORDING as CHINESE
from longalign.data.synthetic.world import SPLITS, Draw
from longalign.errors import UserError

TASKS: dict[str, Callable[[Teller, int, bool], Exercise]] = {
    "lookup": lookup,
    "multi_value": multi_value,
    "multi_hop": multi_hop,
    "count": count,
    "order": order,
    "compare": compare,
    "summarise_by_key": summarise_by_key,
    "table": table,
}
STYLES = tuple(STYLES_EN.genres)
_LANGUAGES: dict[str, tuple[Wording, Language]] = {"en": (ENGLISH, STYLES_EN), "zh": (CHINESE, STYLES_ZH)}

_WEIGHTS = {"lookup": 5, "multi_value": 3, "multi_hop": 6}
"""How often a task is drawn; the others 1: copying and following is what long contexts ask for most."""

_FACT = 60  # length a fact may take: how many there may be at most
_MOST_FACTS = 64
_SHARE = 0.7  # of the length, for facts, questions and answers
_FACTS = 4  # of a question, where there are many
_EACH = 4  # questions of an exercise at most, where there are many
_FULL = 0.97  # of it, where the row is so short that not even the least number of facts leaves more for prose
_TRIES = 8  # with the least number of facts

Length = int | tuple[int, int]
Turns = list[list[Question]]
Named = list[tuple[str, Exercise]]  # with the task's name


def generate_tasks(
    count: int,
    *,
    tasks: Sequence[str] = tuple(TASKS),
    length: Length = 8000,
    seed: int = 0,
    language: str = "both",
    split: str = "train",
    styles: Sequence[str] = STYLES,
    unanswerable: float = 0.05,
    questions: tuple[int, int] | None = None,
    measure: Measure = len,
    num_proc: int = 1,
) -> Iterator[dict[str, Any]]:
    """Yield `count` rows `{"id", "kind", "language", "split", "messages", "styles", "length", "document", …}`.

    `tasks`: of `TASKS`. `length`: of all messages of a row together, or a range of which it is drawn evenly on a log
    scale, as `measure` counts (characters by default; each piece of text is counted once). `language`: `en`, `zh` or
    `both` in turn. `styles`: of the prose, of `STYLES`. `unanswerable`: share of the rows whose first question (one
    of many) the document does not answer, where the task knows such questions. `questions`: how many of a row, a range
    of which it is drawn evenly, of all `tasks`; by default mostly one, and at most four. A short row has fewer.
    `num_proc` processes write the same rows (`measure` must then be such as can be pickled).

    `kind` is the task, `length` what the row was measured to, `document` [start, end] in the first message. Each of
    `questions` has `task`, `question`, `answer`, the strings `answers` that a right answer holds (none: not stated),
    `turn` (which answer of the conversation), `evidence` (spans [start, end] in the first message) and `depths` (0-1:
    where each span stands in the document).

    Raises:
        UserError: an argument has none of the named values, or the length has no room for the task.
    """
    _check(tasks, length, language, split, styles, unanswerable, questions)
    rows = _Rows(tasks, length, seed, language, split, styles, unanswerable, questions, measure)
    return map_in_order(rows.write, count, num_proc)


def _check(
    tasks: Sequence[str],
    length: Length,
    language: str,
    split: str,
    styles: Sequence[str],
    unanswerable: float,
    questions: tuple[int, int] | None,
) -> None:
    for name, values, known in (
        ("tasks", tasks, TASKS),
        ("styles", styles, STYLES),
        ("language", [language], ("en", "zh", "both")),
        ("split", [split], SPLITS),
    ):
        for value in values or ["none"]:
            if value not in known:
                raise UserError(f"{name}: got {value!r}, expected one of {', '.join(known)}")
    if not 0 <= unanswerable <= 1:
        raise UserError(f"unanswerable: got {unanswerable}, expected a share from 0 to 1")
    low, high = (length, length) if isinstance(length, int) else length
    if not 0 < low <= high:
        raise UserError(f"length: got {low}:{high}, expected a positive number or LOW:HIGH with LOW at most HIGH")
    if questions is not None and not 0 < questions[0] <= questions[1]:
        got = "{}:{}".format(*questions)
        raise UserError(f"questions: got {got}, expected a positive number or LOW:HIGH with LOW at most HIGH")


@dataclass(frozen=True)
class _Rows:
    """Row by number: each has randomness of its own, so that any process may write it."""

    tasks: Sequence[str]
    length: Length
    seed: int
    language: str
    split: str
    styles: Sequence[str]
    unanswerable: float
    questions: tuple[int, int] | None
    measure: Measure

    def write(self, number: int) -> dict[str, Any]:
        code = self.language if self.language != "both" else ("en", "zh")[number % 2]
        draw = Draw(f"{self.seed}/tasks/{self.split}/{number}")
        task = draw.choices(self.tasks, weights=_weights(self.tasks))[0]
        low, high = (self.length, self.length) if isinstance(self.length, int) else self.length
        size = round(low * (high / low) ** draw.random())
        name = {"id": f"tasks-{self.split}-{self.seed}-{number}", "kind": task, "language": code, "split": self.split}
        return name | _Writer(draw, code, self).write(task, size)


class _Writer:
    """Writes one row."""

    def __init__(self, draw: Draw, code: str, rows: _Rows) -> None:
        self.draw, self.code, self.split, self.styles = draw, code, rows.split, rows.styles
        self.measure, self.tasks = rows.measure, rows.tasks
        self.words, self.language = _LANGUAGES[code]
        self.unknown = draw.random() < rows.unanswerable
        self.many = rows.questions is not None
        few, weights = (1, 2, 3, 4), (14, 3, 2, 1)
        self.asked = draw.randint(*rows.questions) if rows.questions else draw.choices(few, weights)[0]
        self.at_once = draw.random() < 0.5
        self.frame = draw.choice(self.words.frames)

    def write(self, task: str, length: int) -> dict[str, Any]:
        names, exercises, turns, left = self._fitting(task, length)
        world = Crowd(self.draw, self.code, self.split, names)
        paragraphs, styles, left = write_prose(world, self.language, self.styles, left, self.measure)
        groups = [group for _, exercise in exercises for group in exercise.groups]
        document, starts = weave(self.draw, paragraphs, groups, self.words.joint)
        messages, offset = self._messages(turns, document)
        of_task = {question: name for name, exercise in exercises for question in exercise.questions}
        asked = [
            {"task": of_task[question], "turn": turn} | _located(question, starts, offset, len(document))
            for turn, questions in enumerate(turns)
            for question in questions
        ]
        return {
            "messages": messages,
            "styles": styles,
            "length": length - left,
            "document": [offset, offset + len(document)],
            "questions": asked,
        }

    def _fitting(self, task: str, length: int) -> tuple[frozenset[str], Named, Turns, int]:
        """Exercises, as large as the length has room for; names in them, turns, and what is left for prose."""
        limit = min(max(_MOST_FACTS, _FACTS * self.asked), max(4, length // _FACT))
        asked, least = self.asked, length
        limits = [limit >> halved for halved in range(limit.bit_length())] + [1] * _TRIES
        for limit in limits:
            if self.many:
                asked = min(asked, max(1, limit // _FACTS))
            if limit < 8:  # a short row has one question in a plain frame
                asked, self.frame = 1, self.words.frames[0]
            cast = Cast(self.draw, self.code, self.split, self.words.words)
            exercises = self._exercises(task, cast, limit, asked)
            turns = self._turns(exercises, asked)
            size = self._size(exercises, turns)
            if size <= _SHARE * length or (limit == 1 and size <= _FULL * length):
                return frozenset(cast.names), exercises, turns, length - size
            least = min(least, size) if least != length else size
        raise UserError(f"length: got {length}, a row of the task {task} needs about {round(least / _FULL)} here")

    def _exercises(self, task: str, cast: Cast, limit: int, asked: int) -> Named:
        """One, and more of other tasks where more questions are asked than it has."""
        teller = Teller(cast, self.words, crowded=self.many)
        if self.many:
            return self._many_exercises(task, teller, limit, asked)
        exercises = {task: TASKS[task](teller, limit, self.unknown)}
        while len(exercises) < 3 and sum(len(exercise.questions) for exercise in exercises.values()) < asked:
            other = self.draw.choice([name for name in TASKS if name not in exercises])
            exercises[other] = TASKS[other](teller, max(1, limit // 3), False)
        return list(exercises.items())

    def _many_exercises(self, task: str, teller: Teller, limit: int, asked: int) -> Named:
        """Of the wanted tasks until there are questions enough, or no new names; each has a share of the facts.

        The second is of another task than the first: no document is about one task alone.
        """
        share = min(limit, max(_FACTS, _EACH * limit // asked))
        exercises = [(task, _cut(TASKS[task](teller, share, self.unknown)))]
        while len(_questions(exercises)) < asked:
            others = [name for name in self.tasks if len(exercises) > 1 or name != task] or self.tasks
            other = self.draw.choices(others, weights=_weights(others))[0]
            try:
                exercises.append((other, _cut(TASKS[other](teller, share, False))))
            except NoneLeft:
                break
        return exercises

    def _turns(self, exercises: Named, asked: int) -> Turns:
        questions = _questions(exercises)[:asked]
        if self.many:
            return self._in_turns(questions)
        return [questions] if self.at_once else [[question] for question in questions]

    def _in_turns(self, questions: list[Question]) -> Turns:
        """Mixed; mostly one question at a time."""
        self.draw.shuffle(questions)
        turns = []
        while questions:
            size = self.draw.choice((1, 1, 1, 2, 4))
            turns.append(questions[:size])
            questions = questions[size:]
        return turns

    def _size(self, exercises: Named, turns: Turns) -> int:
        facts = [fact for _, exercise in exercises for fact in exercise.facts]
        messages, _ = self._messages(turns, "")
        pieces = [fact.with_space(self.words.joint) for fact in facts]
        pieces += [message["content"] for message in messages]
        return sum(map(self.measure, pieces)) + 2 * self.measure("\n\n")  # around the document

    def _messages(self, turns: Turns, document: str) -> tuple[list[dict[str, str]], int]:
        """The conversation, and where the document begins in its first message."""
        messages: list[dict[str, str]] = []
        offset = 0
        for turn, questions in enumerate(turns):
            text, answer = self._together(questions)
            if turn == 0:
                offset = len(self.frame.partition("{document}")[0].replace("{question}", text))
                text = self.frame.format(document=document, question=text)
            messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        return messages, offset

    def _together(self, questions: list[Question]) -> tuple[str, str]:
        if len(questions) == 1:
            return questions[0].text, questions[0].answer
        numbered = "\n".join(f"{n}. {question.text}" for n, question in enumerate(questions, start=1))
        answers = "\n".join(f"{n}. {question.answer}" for n, question in enumerate(questions, start=1))
        return self.words.several.format(questions=numbered), answers


def _weights(tasks: Sequence[str]) -> list[int]:
    return [_WEIGHTS.get(task, 1) for task in tasks]


def _cut(exercise: Exercise) -> Exercise:
    return replace(exercise, questions=exercise.questions[:_EACH])


def _questions(exercises: Named) -> list[Question]:
    """Each text once."""
    return list({question.text: question for _, exercise in exercises for question in exercise.questions}.values())


def _located(question: Question, starts: dict[Fact, int], offset: int, size: int) -> dict[str, Any]:
    spans = []
    for evidence in question.evidence:
        quote = evidence.quote or evidence.fact.text
        start = starts[evidence.fact] + evidence.fact.text.index(quote)
        spans.append((start, start + len(quote)))
    spans.sort()
    return {
        "question": question.text,
        "answer": question.answer,
        "answers": list(question.answers),
        "evidence": [[offset + start, offset + end] for start, end in spans],
        "depths": [round(start / max(1, size - (end - start)), 4) for start, end in spans],
    }
