"""The cost of a test before a model is loaded: its prompts and tokens, and for a server the money."""

from collections.abc import Sequence
from dataclasses import dataclass

from longalign.counted import counted
from longalign.evaluation.needle.statistics import KEPT, wilson
from longalign.evaluation.needle.tasks import Cell


@dataclass(frozen=True)
class Counts:
    """`cells` of the test, of which `done` have results. Tokens are upper bounds, for the cells that have none.

    longest: the largest length of all cells, prompt and answer together.
    """

    cells: int
    done: int
    prompt_tokens: int
    answer_tokens: int
    longest: int


def count(cells: Sequence[Cell], done: int, waiting: Sequence[Cell], max_new_tokens: int) -> Counts:
    """The counts of a test, whose `waiting` cells have no results yet."""
    prompts = sum(cell.length - max_new_tokens for cell in waiting)
    longest = max((cell.length for cell in cells), default=0)
    return Counts(len(cells), done, prompts, max_new_tokens * len(waiting), longest)


def count_lines(counts: Counts, cells: Sequence[Cell]) -> list[str]:
    """The counts in words, and how narrow an interval so many prompts of a length can give."""
    lengths, depths = {cell.length for cell in cells}, {cell.depth for cell in cells}
    seeds = {cell.seed for cell in cells}
    axes = [counted(len(found), name) for found, name in ((lengths, "length"), (depths, "depth"), (seeds, "seed"))]
    each = len(depths) * len(seeds)
    low = wilson(1.0, each)[0]
    shows = "" if low >= KEPT else f": too few for an effective length, which needs a lower bound of {KEPT}"
    return [
        f"{counted(counts.cells, 'prompt')}: {' × '.join(axes)}" + (f"; {counts.done} done" if counts.done else ""),
        f"{counts.prompt_tokens:,} tokens to read, at most {counts.answer_tokens:,} to write",
        f"{counted(each, 'prompt')} a length: if all are right, the 95 % interval begins at {low:.2f}{shows}",
    ]


def price_line(counts: Counts, price_in: float | None, price_out: float | None) -> str:
    """The most that a server will charge, at the user's prices for a million tokens."""
    if price_in is None or price_out is None:
        return "cost unknown: give --price_in and --price_out, in money for a million tokens"
    cost = (counts.prompt_tokens * price_in + counts.answer_tokens * price_out) / 1e6
    return f"at most {cost:,.2f} at your prices of {price_in:g} and {price_out:g} for a million tokens"
