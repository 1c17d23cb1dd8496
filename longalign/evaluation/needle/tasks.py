"""The tasks: for a cell, the sentences to hide, the question, and the right answers (an `Item`).

single               one sentence, always the same: the paper's, or the user's own
kv                   one key with a random number, which is asked for
multi_value          one key with several numbers, spread from the cell's depth to the end; all are asked for
multi_key            as kv, and sentences with the numbers of other keys are scattered over the text
variable_tracking    a chain of assignments, spread in order from the cell's depth to the end; all variables that have
                     the value of the first are asked for

An item is drawn with a random generator that is seeded by its cell, so it does not depend on a run's other cells.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from longalign.errors import UserError
from longalign.evaluation.needle import wording
from longalign.evaluation.needle.wording import Wording

Task = Literal["single", "kv", "multi_value", "multi_key", "variable_tracking"]
Language = Literal["en", "zh"]

VALUES, DECOYS, CHAIN = 4, 3, 5
"""How many numbers a key of multi_value has, other keys multi_key has, and variables the chain of variable_tracking."""

_TRIES = 1000
"""Draws of a number, key or name before the haystack is taken to hold all of them."""


@dataclass(frozen=True, order=True)
class Cell:
    """One prompt of a test. `length`: tokens of prompt and room for its answer. `depth`: percent of the text."""

    length: int
    depth: float
    seed: int
    task: Task = "single"
    language: Language = "en"


@dataclass(frozen=True)
class Item:
    """The hidden sentences of a cell, its question, and the answers.

    needles: the sentences that the question is about, hidden in this order: the first at the cell's depth, the others
    (if any) spread behind it. answers: strings that a right answer holds, all of them. decoys: similar sentences, which
    are hidden anywhere. decoy_values: strings of the decoys that a right answer does not hold. For teacher forcing,
    ``prefix + answer`` is the full right answer, and ``prefix + wrong`` one of the same form whose values are not in
    the text.
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
    """Draw the cell's item.

    Args:
        cell: its task, language, length, depth and seed decide the item.
        taken: whether a string is in the haystack; keys, numbers and names that are in it are not used.
        own: the user's own item, which takes the place of the task `single`'s.

    Raises:
        UserError: the needle or an answer is in the haystack already, or all keys, numbers or names are.
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
    """The wanted depth of each of the item's `needles`, then of each of its `decoys`, in percent of the text."""
    step = (100 - cell.depth) / len(item.needles)
    draw = random.Random(f"depths/{cell.task}/{cell.language}/{cell.length}/{cell.depth}/{cell.seed}")
    scattered = sorted(draw.uniform(0, 100) for _ in item.decoys)
    return [cell.depth + n * step for n in range(len(item.needles))] + scattered


def own_item(needle: str, question: str, answers: list[str]) -> Item:
    """An item with the user's own needle, for the task `single`. Without `answers` the whole needle is the answer.

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
    """Draws numbers, keys and names: never one twice, and none that is in the haystack."""

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
        raise UserError(f"haystack: every {what} that was drawn is in it already; give another --haystack")


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
    return replace(item, decoys=decoys, decoy_values=values)


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
