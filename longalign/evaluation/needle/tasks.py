"""What is hidden in a text and asked about it: a cell in, its sentences, question and answers out (an `Item`).

single               one sentence, always the same: the paper's, or the user's own
kv                   one key with a random number
multi_value          one key with several numbers, spread from the cell's depth to the end; all are asked for
multi_key            kv, with other keys' numbers scattered over the text
variable_tracking    a chain of assignments, spread in order; all variables with the first one's value are asked for

Everything is drawn from the cell's own seed, so an item does not depend on the other cells of a run.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from longalign.errors import UserError
from longalign.evaluation.needle import wording
from longalign.evaluation.needle.wording import Wording

Task = Literal["single", "kv", "multi_value", "multi_key", "variable_tracking"]
Language = Literal["en", "zh"]

VALUES, DECOYS, CHAIN = 4, 3, 5
"""Numbers of a key in multi_value; other keys in multi_key; variables of the chain in variable_tracking."""

_TRIES = 1000


@dataclass(frozen=True, order=True)
class Cell:
    """One prompt of a test: `length` in tokens of the prompt and the room for its answer, `depth` in percent."""

    length: int
    depth: float
    seed: int
    task: Task = "single"
    language: Language = "en"


@dataclass(frozen=True)
class Item:
    """What a cell hides and asks.

    `needles` are hidden in this order, the first at the cell's depth and the others (if any) spread behind it;
    `decoys` anywhere. A right answer holds all `answers`; `decoy_values` are what a wrong one may hold.
    `prefix + answer` is the answer in full and `prefix + wrong` one of the same form that is not in the text, for
    teacher forcing.
    """

    needles: tuple[str, ...]
    question: str
    answers: tuple[str, ...]
    prefix: str
    answer: str
    wrong: str
    decoys: tuple[str, ...] = ()
    decoy_values: tuple[str, ...] = ()


def make_item(cell: Cell, taken: Callable[[str], bool], own: Item | None = None) -> Item:
    """The cell's item. `taken` says whether a string is in the haystack: such keys and numbers are not drawn.

    `own` is hidden instead of the single needle.

    Raises:
        UserError: a fixed answer is in the haystack already, or every number or name is.
    """
    if cell.task not in _MAKERS:
        raise UserError(f"task: got {cell.task!r}, expected one of {', '.join(get_args(Task))}")
    if cell.language not in wording.WORDINGS:
        raise UserError(f"language: got {cell.language!r}, expected one of {', '.join(wording.WORDINGS)}")
    draw = random.Random(f"{cell.task}/{cell.language}/{cell.length}/{cell.depth}/{cell.seed}")
    words = wording.WORDINGS[cell.language]
    item = own if own is not None and cell.task == "single" else _MAKERS[cell.task](_Stock(draw, taken, words), words)
    for text in (*item.answers, *item.needles):
        if taken(text):
            raise UserError(
                f"haystack: {text!r} is in it already, so an answer would not show that the needle was found; "
                "give another --haystack, or another --needle"
            )
    return item


def targets(cell: Cell, item: Item) -> list[float]:
    """The depth in percent at which each of `needles`, then each of `decoys`, is wanted."""
    step = (100 - cell.depth) / len(item.needles)
    draw = random.Random(f"depths/{cell.task}/{cell.language}/{cell.length}/{cell.depth}/{cell.seed}")
    scattered = sorted(draw.uniform(0, 100) for _ in item.decoys)
    return [cell.depth + n * step for n in range(len(item.needles))] + scattered


def own_item(needle: str, question: str, answers: list[str]) -> Item:
    """The user's own needle, for the task `single`; by default the whole needle is the answer.

    Raises:
        UserError: an answer is empty, or not in the needle.
    """
    needle = needle.strip()
    for answer in answers:
        if not answer.strip():
            raise UserError("answers: one is empty, and any answer would hold it")
        if answer.casefold() not in needle.casefold():
            raise UserError(f"answers: {answer!r} is not in the needle {needle!r}, so no model could find it there")
    return Item((needle,), question, tuple(answers) or (needle,), "", needle, "")


class _Stock:
    """Numbers, keys and names, each given out once and only if the haystack does not hold it."""

    def __init__(self, draw: random.Random, taken: Callable[[str], bool], words: Wording) -> None:
        self._draw, self._taken, self._words = draw, taken, words
        self._given: set[str] = set()

    def number(self) -> str:
        return self._new(lambda: str(self._draw.randint(1_000_000, 9_999_999)), "7-digit number")

    def key(self) -> str:
        looks, things = self._words.looks, self._words.things
        return self._new(lambda: self._words.key.format(self._draw.choice(looks), self._draw.choice(things)), "key")

    def name(self) -> str:
        return self._new(lambda: "".join(self._draw.choices("BCDFGHJKLMNPQRSTVWXZ", k=5)), "variable name")

    def _new(self, invent: Callable[[], str], what: str) -> str:
        for _ in range(_TRIES):
            text = invent()
            if text not in self._given and not self._taken(text):
                self._given.add(text)
                return text
        raise UserError(f"haystack: it holds every {what} that was tried; give another --haystack")


def _single(stock: _Stock, words: Wording) -> Item:
    return Item((words.single,), words.single_question, words.single_answers, *words.single_forced)


def _kv(stock: _Stock, words: Wording) -> Item:
    key, value = stock.key(), stock.number()
    prefix = words.kv.partition("{value}")[0].format(key=key)
    return Item(
        (words.kv.format(key=key, value=value),),
        words.kv_question.format(key=key),
        (value,),
        prefix,
        value,
        stock.number(),
    )


def _multi_key(stock: _Stock, words: Wording) -> Item:
    item = _kv(stock, words)
    values = tuple(stock.number() for _ in range(DECOYS))
    decoys = tuple(words.kv.format(key=stock.key(), value=value) for value in values)
    return Item(item.needles, item.question, item.answers, item.prefix, item.answer, item.wrong, decoys, values)


def _multi_value(stock: _Stock, words: Wording) -> Item:
    key, values = stock.key(), tuple(stock.number() for _ in range(VALUES))
    return Item(
        tuple(words.one_of.format(key=key, value=value) for value in values),
        words.multi_value_question.format(key=key, count=VALUES),
        values,
        words.multi_value_prefix.format(key=key),
        words.comma.join(values),
        words.comma.join(stock.number() for _ in range(VALUES)),
    )


def _variable_tracking(stock: _Stock, words: Wording) -> Item:
    value, other = stock.number(), stock.number()
    names = tuple(stock.name() for _ in range(CHAIN))
    others = tuple(stock.name() for _ in range(DECOYS))
    return Item(
        _chain(words, value, names),
        words.tracking_question.format(value=value, count=CHAIN),
        names,
        words.tracking_prefix.format(value=value),
        words.comma.join(names),
        words.comma.join(stock.name() for _ in range(CHAIN)),
        _chain(words, other, others),
        others,
    )


def _chain(words: Wording, value: str, names: tuple[str, ...]) -> tuple[str, ...]:
    links = pairwise(names)
    return (words.assign.format(name=names[0], value=value), *(words.copy.format(name=b, other=a) for a, b in links))


_MAKERS: dict[str, Callable[[_Stock, Wording], Item]] = {
    "single": _single,
    "kv": _kv,
    "multi_value": _multi_value,
    "multi_key": _multi_key,
    "variable_tracking": _variable_tracking,
}
