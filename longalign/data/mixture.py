"""Which rows of which sources make the training mix, and which are held out.

In: each source's lengths and its share or count. Out: row numbers. Pure numpy, seeded by (seed, name of the source), so
that a source's held-out rows are the same whatever is trained on, and the rows of a mix of 5k lie in that of 10k.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from longalign.data.tokenized import TokenizedSource, decode_targets
from longalign.errors import UserError


@dataclass(frozen=True)
class Source:
    """Where conversations or raw texts come from, and how many to take; all, if neither count nor share is given.

    Args:
        path: a file (JSONL also .gz/.zst, JSON, Parquet; of raw texts also .txt and .md), a folder, a glob, or
            owner/name[:split] on the hub.
        count: how many rows to take, drawn by the seed.
        share_of_sequences: the source's share of all sequences of the mix, 0 to 1.
        share_of_tokens: the source's share of all tokens of the mix, 0 to 1.
        repeat: take rows again where count or share asks for more than there are.
        validation: rows to hold out: a count, or a fraction below 1.
        text_column: the source is raw text, under this name in rows that have columns: every token is a target, and a
            document longer than ``data.max_length`` becomes several sequences.
    """

    path: str
    count: int | None = None
    share_of_sequences: float | None = None
    share_of_tokens: float | None = None
    repeat: bool = False
    validation: int | float = 0
    text_column: str | None = None


@dataclass(frozen=True)
class Selection:
    """Row numbers by source, ascending: what is trained on (rows recur under `repeat`) and what is held out."""

    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]


def select_rows(lengths: Mapping[str, np.ndarray], sources: Mapping[str, Source], *, seed: int = 0) -> Selection:
    """Draw each source's held-out rows, then its training rows so that counts and shares hold.

    Shares are of the whole mix. Beside sources of a fixed number of rows they are solved for: with 6000 fixed
    sequences, a share of 0.25 is 2000 more. If every source has a share, the mix is the largest that exhausts none.

    Raises:
        UserError: more is asked for than there is (and `repeat` is off), or the shares make no sense together.
    """
    _check(sources)
    pools: dict[str, np.ndarray] = {}
    validation: dict[str, np.ndarray] = {}
    for name, source in sources.items():
        rows = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(lengths[name]))
        held_out = _num_held_out(name, source, len(rows))
        validation[name], pools[name] = np.sort(rows[:held_out]), rows[held_out:]
    counts = _fixed_counts(sources, pools)
    for kind, weigh in (("share_of_sequences", np.ones_like), ("share_of_tokens", np.asarray)):
        shares = {name: getattr(source, kind) for name, source in sources.items() if getattr(source, kind) is not None}
        if shares:
            weights = {name: np.cumsum(weigh(lengths[name])[pool], dtype=np.int64) for name, pool in pools.items()}
            counts |= _solve_shares(shares, weights, counts, sources, kind)
    train = {name: np.sort(_take(pools[name], counts[name])) for name in sources}
    return Selection(train, validation)


def _check(sources: Mapping[str, Source]) -> None:
    kinds = ("count", "share_of_sequences", "share_of_tokens")
    used = set()
    for name, source in sources.items():
        given = [kind for kind in kinds if getattr(source, kind) is not None]
        if len(given) > 1:
            raise UserError(f"data.{name}: {' and '.join(given)} exclude each other; give one")
        if source.count is not None and source.count < 0:
            raise UserError(f"data.{name}.count: got {source.count}, expected 0 or more")
        for kind in given:
            share = getattr(source, kind)
            if kind != "count" and not 0 <= share <= 1:
                raise UserError(f"data.{name}.{kind}: got {share}, expected 0 to 1")
        used |= set(given)
    if {"share_of_sequences", "share_of_tokens"} <= used:
        raise UserError("data: share_of_sequences and share_of_tokens cannot be mixed; use one kind for all sources")


def _num_held_out(name: str, source: Source, num_rows: int) -> int:
    asked = source.validation
    if asked < 0 or (isinstance(asked, float) and asked >= 1 and not asked.is_integer()):
        raise UserError(f"data.{name}.validation: got {asked}, expected a count or a fraction below 1")
    held_out = round(asked * num_rows) if 0 < asked < 1 else int(asked)
    if held_out >= num_rows and held_out > 0:
        raise UserError(f"data.{name}.validation: {held_out} rows asked for, of {num_rows}; no row is left to train on")
    return held_out


def _fixed_counts(sources: Mapping[str, Source], pools: Mapping[str, np.ndarray]) -> dict[str, int]:
    counts = {}
    for name, source in sources.items():
        if source.share_of_sequences is not None or source.share_of_tokens is not None:
            continue
        counts[name] = len(pools[name]) if source.count is None else source.count
        if counts[name] > len(pools[name]) and not (source.repeat and len(pools[name])):
            raise UserError(
                f"data.{name}.count: {counts[name]} rows asked for, there are {len(pools[name])}"
                f"; ask for less or set data.{name}.repeat: true"
            )
    return counts


def _solve_shares(
    shares: Mapping[str, float],
    weights: Mapping[str, np.ndarray],
    counts: Mapping[str, int],
    sources: Mapping[str, Source],
    kind: str,
) -> dict[str, int]:
    """Row counts of the sources with shares; `weights[name]` is the running sum of the pool's rows or tokens."""
    fixed = sum(_weight_of(weights[name], count) for name, count in counts.items())
    total_share = sum(shares.values())
    available = {name: _weight_of(weights[name], len(weights[name])) for name in shares}
    if fixed == 0:
        if abs(total_share - 1) > 1e-6:
            raise UserError(f"data: {kind} sums to {total_share:g} over all sources, expected 1")
        limits = [available[name] / share for name, share in shares.items() if share > 0 and not sources[name].repeat]
        grown = [available[name] / share for name, share in shares.items() if share > 0]
        total = min(limits) if limits else max(grown)  # all may repeat: until each row has been seen
    elif total_share >= 1:
        raise UserError(f"data: {kind} sums to {total_share:g}, which leaves nothing for the sources without a share")
    else:
        total = fixed / (1 - total_share)
    for name, share in shares.items():
        asked, there = share * total, available[name]
        if asked > there * (1 + 1e-9) + 0.5 and not (sources[name].repeat and there):
            largest = there * (1 - total_share + share) / (fixed + there)
            what = "sequences" if kind == "share_of_sequences" else "tokens"
            raise UserError(
                f"data.{name}.{kind}: {share:g} of the mix is {asked:.0f} {what}, there are {there}; the largest"
                f" possible is {int(largest * 1e4) / 1e4:g}, or set data.{name}.repeat: true"
            )
    return {name: _rows_for_weight(weights[name], share * total) for name, share in shares.items()}


def _weight_of(running: np.ndarray, count: int) -> int:
    """Rows or tokens of the first `count` rows of a pool that is gone through again and again."""
    if len(running) == 0:
        return 0
    rounds, rest = divmod(count, len(running))
    return int(rounds * running[-1] + (running[rest - 1] if rest else 0))


def _rows_for_weight(running: np.ndarray, weight: float) -> int:
    """The number of rows whose weight comes nearest, the pool gone through again where it is short."""
    if len(running) == 0 or weight <= 0:
        return 0
    rounds, rest = divmod(weight, float(running[-1]))
    edges = np.concatenate([[0], running])
    after = min(int(np.searchsorted(edges, rest)), len(running))
    nearest = after - 1 if after and rest - edges[after - 1] < edges[after] - rest else after
    return int(rounds) * len(running) + nearest


def _take(pool: np.ndarray, count: int) -> np.ndarray:
    return np.resize(pool, count) if count else pool[:0]  # resize goes round


class Mixture:
    """Rows of several sources as one numbered list of sequences, source after source.

    `mixture[i] -> (input_ids int32 [len], targets uint8 [len])`, views of the mapped files (`tokenized.py` has the
    codes); `mixture.labels(i)` has the labels.

    Attributes:
        names: sources, in order. source_ids: int64 [n], index into names. row_ids: int64 [n], row in its source.
        lengths, num_targets: int64 [n]. eos_id: what the code EOS stands for.
    """

    def __init__(self, sources: Mapping[str, TokenizedSource], rows: Mapping[str, np.ndarray]):
        assert len({source.eos_id for source in sources.values()}) <= 1, "sources of different tokenizers"
        self.names = tuple(sources)
        self.sources: Sequence[TokenizedSource] = tuple(sources.values())
        self.eos_id = self.sources[0].eos_id if self.sources else -1
        empty = np.zeros(0, np.int64)
        chosen = [np.asarray(rows.get(name, empty), np.int64) for name in self.names]
        self.row_ids = np.concatenate([empty, *chosen])
        self.source_ids = np.repeat(np.arange(len(chosen), dtype=np.int64), [len(c) for c in chosen])
        pairs = list(zip(self.sources, chosen, strict=True))
        self.lengths = np.concatenate([empty, *(source.lengths[c] for source, c in pairs)])
        self.num_targets = np.concatenate([empty, *(source.num_targets[c] for source, c in pairs)])

    def __len__(self) -> int:
        return len(self.row_ids)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.sources[self.source_ids[index]][self.row_ids[index]]

    def labels(self, index: int) -> np.ndarray:
        """int64 [len]: unshifted labels as in Hugging Face, -100 for none."""
        return decode_targets(*self[index], self.eos_id)

    def summary(self) -> list[dict[str, Any]]:
        """One dict a source: name, sequences, tokens, targets, and shares of sequences and tokens."""
        table = []
        for number, name in enumerate(self.names):
            mine = self.source_ids == number
            tokens = int(self.lengths[mine].sum())
            table.append(
                {
                    "name": name,
                    "sequences": int(mine.sum()),
                    "tokens": tokens,
                    "targets": int(self.num_targets[mine].sum()),
                    "share_of_sequences": float(mine.mean()) if len(self) else 0.0,
                    "share_of_tokens": tokens / max(int(self.lengths.sum()), 1),
                }
            )
        return table
