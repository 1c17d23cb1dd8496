"""What an answer is worth: how many of the strings that it should hold it holds. No judge, no guess."""

import re
import unicodedata
from dataclasses import dataclass

from longalign.api.thoughts import split_thoughts
from longalign.evaluation.needle.tasks import Item

_GROUPED = re.compile(r"(?<=\d)[,\u202f\u00a0' ](?=\d{3}(?!\d))")


@dataclass(frozen=True)
class Score:
    """`recall`: share of the item's answers found. `exact`: all of them, and no decoy's value."""

    recall: float
    exact: bool
    found: tuple[str, ...]
    wrong: tuple[str, ...]


def score(item: Item, text: str) -> Score:
    """Look for the item's answers, and for the decoys' values, in what a model wrote.

    Case, width and white space do not count, nor do marks that group digits (1,234,567); a number must stand alone,
    not inside a longer one. What a model thought before `</think>` is not its answer.
    """
    said = _plain(without_thoughts(text))
    found = tuple(answer for answer in item.answers if _holds(said, answer))
    wrong = tuple(value for value in item.decoy_values if _holds(said, value))
    recall = len(found) / len(item.answers)
    return Score(recall, recall == 1 and not wrong, found, wrong)


def without_thoughts(text: str) -> str:
    """The text behind the last `</think>`; nothing where a thought was begun and not ended."""
    return split_thoughts(text)[1].strip()


def _holds(said: str, answer: str) -> bool:
    wanted = re.escape(_plain(answer))
    edge = "[a-z0-9_]" if wanted.isascii() else "(?!)"  # Chinese characters may stand beside a number
    return re.search(f"(?<!{edge}){wanted}(?!{edge})", said) is not None


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_GROUPED.sub("", folded).split())
