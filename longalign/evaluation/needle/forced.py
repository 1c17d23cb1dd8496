"""Score needle cells without generating, by teacher forcing: a prompt with its answer is one sequence of a pack.

In: cells and a `Builder`. Out: packs for each rank, and a `Score` for each cell, from the model's log-probabilities of
the answers' tokens. A cell is exact if each answer token is the likeliest one behind the right tokens before it. That
is the case if and only if greedy decoding from the same beginning of the answer would write the answer.
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
    """A cell's sequence for teacher forcing.

    input_ids: prompt, the beginning that right and wrong answers share, and the rest of the right answer. answer_ids:
    that rest, which is scored. others: the rest of the wrong answer, made as long as `answer_ids`: cut, or continued
    with the tokens of the right one.
    """

    cell: Cell
    input_ids: list[int]
    answer_ids: list[int]
    others: list[int]


@dataclass(frozen=True)
class Score:
    """exact: whether every answer token is the likeliest one. log_prob: mean over the answer's tokens, in nats.

    contrast: at the first token in which right and wrong answer differ, the log-probability of the right token less
    that of the wrong one, in nats.
    """

    cell: Cell
    exact: bool
    log_prob: float
    contrast: float


def forced_cells(builder: Builder, cells: Sequence[Cell]) -> list[ForcedCell]:
    """The sequences of cells; each is at most as long as its cell says if its answer fits into the builder's room.

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
    """Put cells into packs of at most `max_length` tokens (a longer cell raises that), and the packs on ranks.

    Returns for each rank a list of packs, which are lists of indices of `cells`. All ranks get the same number of
    packs, so the last of some ranks may be empty.
    """
    lengths = np.array([len(cell.input_ids) for cell in cells])
    pack_of, num_packs = best_fit_decreasing(lengths, max(max_length, int(lengths.max())), np.random.default_rng(0))
    order, offsets = group_by_pack(pack_of, num_packs)
    packs = [order[start:stop].tolist() for start, stop in pairwise(offsets)]
    packs.sort(key=lambda pack: -float((lengths[pack] ** 2).sum()))  # ranks take neighbours, which take about as long
    packs += [[] for _ in range(-len(packs) % world_size)]
    return [packs[rank::world_size] for rank in range(world_size)]


def make_pack(cells: Sequence[ForcedCell]) -> tuple[Pack, np.ndarray]:
    """The pack of some cells, whose targets are the answers' tokens, and the wrong token at each target (int64 [N])."""
    rows = []
    for cell in cells:
        before = len(cell.input_ids) - len(cell.answer_ids)
        rows.append((cell.input_ids, [IGNORE_INDEX] * before + cell.answer_ids))
    others = [token for cell in cells for token in cell.others]
    return collate(rows, loss="token"), np.array(others, dtype=np.int64)


def score_cells(
    cells: Sequence[ForcedCell], log_probs: np.ndarray, likeliest: np.ndarray, others: np.ndarray
) -> list[Score]:
    """The scores of a pack's cells, from three arrays [N] with an element for each target of the pack.

    log_probs: of the right tokens, in nats. likeliest: whether the right token is the likeliest. others: the
    log-probabilities of the wrong tokens.
    """
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
