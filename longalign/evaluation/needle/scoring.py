"""Score an answer by the share of the expected strings that it holds. No judge model is needed."""

import re
import unicodedata
from dataclasses import dataclass

from longalign.api.thoughts import split_thoughts
from longalign.evaluation.needle.tasks import Item

_GROUPED = re.compile(r"(?<!\d)\d{1,3}(?:(?:[,'’ ]\d{3})+|(?:\.\d{3}){2,})(?!\d)")  # 1.234 may be a decimal


@dataclass(frozen=True)
class Score:
    """`recall`: the share of the item's answers that are in the text. `exact`: all of them are, and no decoy's value.

    found: the answers in the text; wrong: the decoys' values in it.
    """

    recall: float
    exact: bool
    found: tuple[str, ...]
    wrong: tuple[str, ...]


def score(item: Item, text: str) -> Score:
    """Look for the item's answers, and for the decoys' values, in the text that a model wrote.

    Upper and lower case, full-width characters, white space and marks between groups of three digits (1,234,567) make
    no difference. An answer must not be part of a longer word or number. Text before `</think>` is no part of the
    answer.
    """
    said = plain(without_thoughts(text))
    found = tuple(answer for answer in item.answers if _holds(said, answer))
    wrong = tuple(value for value in item.decoy_values if _holds(said, value))
    recall = len(found) / len(item.answers)
    return Score(recall, recall == 1 and not wrong, found, wrong)


def without_thoughts(text: str) -> str:
    """The text behind the last `</think>`; empty if a `<think>` was not ended."""
    return split_thoughts(text)[1].strip()


def _holds(said: str, answer: str) -> bool:
    wanted = re.escape(plain(answer))
    edge = "[a-z0-9_]" if wanted.isascii() else "(?!)"  # Chinese characters may stand beside a number
    return re.search(f"(?<!{edge}){wanted}(?!{edge})", said) is not None


def plain(text: str) -> str:
    """A text in the form in which answers are compared: "１,234,567  Eggs" -> "1234567 eggs"."""
    folded = unicodedata.normalize("NFKC", text).casefold()  # no-break spaces become spaces
    return " ".join(_GROUPED.sub(lambda match: re.sub(r"\D", "", match[0]), folded).split())
