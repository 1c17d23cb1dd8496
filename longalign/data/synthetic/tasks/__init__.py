"""Seeded long tasks with known answers: facts hidden in text, questions about them, answers and their evidence.

In: count, length, tasks, seed, language, split. Out: rows `{"id", "kind", "messages", "questions", …}` to train on.
`questions` has for each question what a right answer must contain and where in the document that is. The same arguments
give the same rows, row i does not depend on the count, and the names that facts are about never occur in both splits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from longalign.data.processes import map_in_order
from longalign.data.synthetic.tasks.cast import Cast, NoneLeft
from longalign.data.synthetic.tasks.chains import multi_hop
from longalign.data.synthetic.tasks.digest import summarise_by_key
from longalign.data.synthetic.tasks.exercise import Exercise, Fact, Question
from longalign.data.synthetic.tasks.lookup import lookup, multi_value
from longalign.data.synthetic.tasks.passages import Passages
from longalign.data.synthetic.tasks.prose import STYLES, Prose
from longalign.data.synthetic.tasks.tables import table
from longalign.data.synthetic.tasks.tallies import compare, count, order
from longalign.data.synthetic.tasks.teller import Teller
from longalign.data.synthetic.tasks.weaving import Filler, Measure, weave
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
_WORDINGS = {"en": ENGLISH, "zh": CHINESE}

_WEIGHTS = {"lookup": 5, "multi_value": 3, "multi_hop": 6}
"""How often a task is drawn, 1 for the others: in long contexts, finding facts and following chains matter most."""

_FACT = 60  # length of a fact, roughly: a row has at most so many facts as fit
_MOST_FACTS = 64  # in a row with few questions
_SHARE = 0.7  # the part of a row's length that facts, questions and answers may take
_FULL = 0.97  # the same, for a row that is so short that it has no room for more text
_FACTS = 4  # for each question, in a row with many questions
_EACH = 4  # questions of an exercise at most, in a row with many questions
_TRIES = 8  # attempts with the least number of facts

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
    passages: Passages | None = None,
    unanswerable: float = 0.05,
    questions: tuple[int, int] | None = None,
    measure: Measure = len,
    num_proc: int = 1,
) -> Iterator[dict[str, Any]]:
    """Yield `count` rows with `id, kind, language, split, messages, styles, length, document, questions`.

    Args:
        tasks: names from `TASKS`, from which each row's task is drawn.
        length: of all messages of a row together, as `measure` counts; or a range from which it is drawn evenly on a
            log scale.
        language: `en`, `zh`, or `both` in turn.
        styles: of the prose, names from `STYLES`.
        passages: raw texts to hide the facts in, instead of prose; they need to be of all wanted languages. In a row
            `styles` is then empty, and `texts` says where the passages are from. Facts of the two splits differ in
            their names, but for rows that are held out, other texts are needed too.
        unanswerable: share of the rows in which the document does not answer the first question of the task. Tasks
            whose questions always have an answer ignore it.
        questions: the number of a row's questions, a range from which it is drawn evenly; they are then of all `tasks`.
            By default a row has mostly one, and at most four. A short row has fewer.
        measure: counts the length of a text; by default characters. Each piece of text is measured once.
        num_proc: processes that write the rows, which are the same for any number. With several, `measure` must be
            picklable.

    In a row, `kind` is the task, `length` the measured length, and `document` the span [start, end] of the document in
    the first message. Each of `questions` has: `task`, `question`, `answer`; `answers`, the strings that a right answer
    contains (empty if the document does not say); `turn`, the number of the exchange that it is in; `evidence`, spans
    [start, end] in the first message; and `depths` (0-1), where in the document each span is.

    Raises:
        UserError: an argument has none of the values above, or the length has no room for the task.
    """
    _check(tasks, length, language, split, styles, unanswerable, questions)
    rows = _Rows(tasks, length, seed, language, split, passages or Prose(styles), unanswerable, questions, measure)
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
    """Writes a row by its number. Each row has its own random generator, so any process can write it."""

    tasks: Sequence[str]
    length: Length
    seed: int
    language: str
    split: str
    filler: Filler
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
    """Writes one row; what is random about it alone is drawn in the constructor."""

    def __init__(self, draw: Draw, code: str, rows: _Rows) -> None:
        self.draw, self.code, self.split, self.filler = draw, code, rows.split, rows.filler
        self.measure, self.tasks = rows.measure, rows.tasks
        self.words = _WORDINGS[code]
        self.unknown = draw.random() < rows.unanswerable
        self.many = rows.questions is not None
        few, weights = (1, 2, 3, 4), (14, 3, 2, 1)
        self.asked = draw.randint(*rows.questions) if rows.questions else draw.choices(few, weights)[0]
        self.at_once = draw.random() < 0.5
        self.frame = draw.choice(self.words.frames)

    def write(self, task: str, length: int) -> dict[str, Any]:
        cast, exercises, turns, left = self._fitting(task, length)
        filled = self.filler.fill(cast, left, self.measure)
        groups = [group for _, exercise in exercises for group in exercise.groups]
        document, starts = weave(self.draw, filled.paragraphs, groups, self.words.joint, self.filler.lines)
        messages, offset = self._messages(turns, document)
        of_task = {question: name for name, exercise in exercises for question in exercise.questions}
        asked = [
            {"task": of_task[question], "turn": turn} | _located(question, starts, offset, len(document))
            for turn, questions in enumerate(turns)
            for question in questions
        ]
        return {
            "messages": messages,
            **filled.named,
            "length": length - filled.left,
            "document": [offset, offset + len(document)],
            "questions": asked,
        }

    def _fitting(self, task: str, length: int) -> tuple[Cast, Named, Turns, int]:
        """Find exercises that fit into the length, with as many facts as there is room for.

        Returns:
            (what was drawn for them, the exercises, the questions of each turn, the length that is left for text).
        """
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
                return cast, exercises, turns, length - size
            least = min(least, size) if least != length else size
        raise UserError(f"length: got {length}, a row of the task {task} needs about {round(least / _FULL)} here")

    def _exercises(self, task: str, cast: Cast, limit: int, asked: int) -> Named:
        """An exercise of the task, and up to two of other tasks if it has fewer questions than are asked for."""
        teller = Teller(cast, self.words, crowded=self.many)
        if self.many:
            return self._many_exercises(task, teller, limit, asked)
        exercises = {task: TASKS[task](teller, limit, self.unknown)}
        while len(exercises) < 3 and sum(len(exercise.questions) for exercise in exercises.values()) < asked:
            other = self.draw.choice([name for name in TASKS if name not in exercises])
            exercises[other] = TASKS[other](teller, max(1, limit // 3), False)
        return list(exercises.items())

    def _many_exercises(self, task: str, teller: Teller, limit: int, asked: int) -> Named:
        """Exercises of the wanted tasks, until there are enough questions or the names are used up.

        Each has an equal share of the facts. The second is of another task than the first, so that no document has
        questions of one task only (unless one task alone is wanted).
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
        """Distribute many questions, in random order, over turns: mostly one question in a turn."""
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
        joint = "\n" if self.filler.lines else self.words.joint
        pieces = [fact.with_space(joint) for fact in facts]
        pieces += [message["content"] for message in messages]
        return sum(map(self.measure, pieces)) + 2 * self.measure("\n\n")  # around the document

    def _messages(self, turns: Turns, document: str) -> tuple[list[dict[str, str]], int]:
        """(the messages, the offset of the document in the first one in characters)."""
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
    """The questions of some exercises, without those of equal text."""
    return list({question.text: question for _, exercise in exercises for question in exercise.questions}.values())


def _located(question: Question, starts: dict[Fact, int], offset: int, size: int) -> dict[str, Any]:
    """A question as a row has it, with the places of its evidence. size: characters of the document."""
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
