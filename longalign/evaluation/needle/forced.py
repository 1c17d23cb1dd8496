"""Needles scored without generating: prompts with their answers behind them, packed, one forward a pack.

In: cells and a `Builder`. Out: packs for each rank, and a `Score` a cell from what the model says of the answers.
A cell is exact if every answer token is the likeliest one behind the true ones before it, which is when greedy decoding
from the same beginning of an answer writes the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from longalign.data.collate import Pack, collate
from longalign.data.packing import best_fit_decreasing, group_by_pack
from longalign.data.tokenized import IGNORE_INDEX
from longalign.evaluation.needle.build import Builder
from longalign.evaluation.needle.tasks import Cell


@dataclass(frozen=True)
class ForcedCell:
    """A cell's prompt with its answer behind it, the ids of the answer's end, and `others`, those of a wrong answer.

    The answer's beginning is given; it is right and wrong answers' common one. Where the wrong answer is shorter,
    `others` goes on with the right tokens.
    """

    cell: Cell
    input_ids: list[int]
    answer_ids: list[int]
    others: list[int]


@dataclass(frozen=True)
class Score:
    """exact: all tokens likeliest. log_prob: mean over the answer's tokens, in nats.

    contrast: log-probability of the right answer's first token that a wrong answer does not have, less the wrong one's.
    """

    cell: Cell
    exact: bool
    log_prob: float
    contrast: float


def forced_cells(builder: Builder, cells: Sequence[Cell]) -> list[ForcedCell]:
    """Prompts with answers, each within its cell's length.

    Raises:
        UserError: see `Builder.draft` and `Builder.forced`.
    """
    made = []
    for cell in cells:
        ids = builder.forced(builder.build(cell))
        others = [*ids.wrong_ids, *ids.answer_ids[len(ids.wrong_ids) :]][: len(ids.answer_ids)]
        made.append(ForcedCell(cell, ids.prompt_ids + ids.prefix_ids + ids.answer_ids, ids.answer_ids, others))
    return made


def deal_packs(cells: Sequence[ForcedCell], max_length: int, world_size: int) -> list[list[list[int]]]:
    """Numbers of cells, as a list of packs for each rank; every rank gets as many packs, the last ones maybe empty."""
    lengths = np.array([len(cell.input_ids) for cell in cells])
    pack_of, num_packs = best_fit_decreasing(lengths, max(max_length, int(lengths.max())), np.random.default_rng(0))
    order, offsets = group_by_pack(pack_of, num_packs)
    packs = [order[start:stop].tolist() for start, stop in pairwise(offsets)]
    packs.sort(key=lambda pack: -float((lengths[pack] ** 2).sum()))  # neighbours take about as long
    packs += [[] for _ in range(-len(packs) % world_size)]
    return [packs[rank::world_size] for rank in range(world_size)]


def make_pack(cells: Sequence[ForcedCell]) -> tuple[Pack, np.ndarray]:
    """The pack, whose targets are the answers' tokens, and the other token at each target (int64 [N])."""
    rows = []
    for cell in cells:
        before = len(cell.input_ids) - len(cell.answer_ids)
        rows.append((cell.input_ids, [IGNORE_INDEX] * before + cell.answer_ids))
    others = [token for cell in cells for token in cell.others]
    return collate(rows, loss="token"), np.array(others, dtype=np.int64)


def score_cells(
    cells: Sequence[ForcedCell], log_probs: np.ndarray, likeliest: np.ndarray, others: np.ndarray
) -> list[Score]:
    """Scores of a pack's cells from what the model says of its targets (arrays [N])."""
    scores, start = [], 0
    for cell in cells:
        stop = start + len(cell.answer_ids)
        apart = next((n for n in range(start, stop) if cell.others[n - start] != cell.answer_ids[n - start]), None)
        scores.append(
            Score(
                cell.cell,
                exact=bool(likeliest[start:stop].all()),
                log_prob=float(log_probs[start:stop].mean()),
                contrast=0.0 if apart is None else float(log_probs[apart] - others[apart]),
            )
        )
        start = stop
    return scores
