"""Which rows of which sources make the training mix, and which are held out.

In: the lengths of each source's rows, and the counts or shares asked of it or of its buckets of length. Out: row
numbers. The order in which a source's rows are drawn depends on the seed and the source's name alone: its held-out rows
stay the same whatever else is in the mix, and a mix of 5,000 of its rows is a part of one of 10,000.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from longalign.counted import counted
from longalign.data.buckets import Bucket, length_ranges
from longalign.data.shares import KINDS, Part, check, row_counts
from longalign.data.tokenized import TokenizedSource
from longalign.errors import UserError


@dataclass(frozen=True)
class Source:
    """Where conversations or raw texts come from, and how many to take; all, if neither count nor share is given.

    Args:
        path: a file (JSONL also .gz/.zst, JSON, Parquet; of raw texts also .txt and .md), a folder, a glob, or
            owner/name[:split] on the hub.
        count: how many rows to take, drawn by the seed; of raw texts, sequences.
        share_of_sequences: the source's share of all sequences of the mix, 0 to 1.
        share_of_tokens: the source's share of all tokens of the mix, 0 to 1.
        repeat: take rows again where count or share asks for more than there are.
        validation: conversations to hold out, or whole texts: a count, a fraction below 1, or all; by default as many
            as ``data.validation`` says.
        text_column: the source is raw text, under this name in rows that have columns: every token is a target, and a
            document longer than ``data.max_length`` becomes several sequences.
        buckets: count or share by length instead, such as {8k-16k: {share_of_tokens: 0.2}, 16k-: {count: 3000}}: tokens
            from-below (k is 1024) after overflow; rows outside all buckets are left out.
    """

    path: str
    count: int | None = None
    share_of_sequences: float | None = None
    share_of_tokens: float | None = None
    repeat: bool = False
    validation: int | float | Literal["all"] | None = None
    text_column: str | None = None
    buckets: dict[str, Bucket] | None = None


def not_a_source(key: str, got: object) -> str:
    """The error message for a value of the config that is not a source."""
    keys, more = (", ".join(field.name for field in fields(kind)) for kind in (Source, Bucket))
    return f"{key}: got {got}, expected a path, or a mapping of {keys} ({{8k-16k: …}} with {more}) of the right types"


def named_sources(
    long: str | Source | None,
    short: str | Source | None,
    text: str | Source | None,
    sources: dict[str, str | Source] | None,
    validation: int | float,
) -> dict[str, Source]:
    """The sources of the config's data section by name; a source given as a path becomes a `Source`.

    `validation` is for those without one of their own (0 is one); `text` reads the column "text" unless it names one.

    Raises:
        UserError: no source, a name used twice, or a mapping that could not be read.
    """
    given = {"long": long, "short": short, "text": text}
    for name, more in (sources or {}).items():
        if name in given:
            raise UserError(f"data.sources.{name}: this name is taken by data.{name}")
        given[name] = more
    for name, source in given.items():
        if isinstance(source, str) and source.startswith("{"):  # which the parser could not read as a mapping
            raise UserError(not_a_source(f"data.{name}", source))
    named = {name: Source(path=s) if isinstance(s, str) else s for name, s in given.items() if s is not None}
    if not named:
        raise UserError(
            "data.long: give at least one source: --data.long PATH, --data.short PATH, --data.text PATH or data.sources"
        )
    for name, source in named.items():
        held_out = validation if source.validation is None else source.validation
        column = source.text_column or ("text" if name == "text" else None)
        named[name] = replace(source, validation=held_out, text_column=column)
    return named


@dataclass(frozen=True)
class Selection:
    """Row numbers int64 of each source, ascending.

    train: with `repeat`, a row may be there several times. validation: held out.
    outside: neither, as they lie in no bucket of their source; empty for a source without buckets.
    """

    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    outside: dict[str, np.ndarray]


def select_rows(
    lengths: Mapping[str, np.ndarray],
    sources: Mapping[str, Source],
    *,
    documents: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> Selection:
    """Draw each source's held-out rows, then its training rows so that counts and shares hold (`shares.row_counts`).

    lengths: int64 of the rows of each source. documents: of a source, the number of the text that each row is from
    (`TokenizedSource.documents`), else each row is one of its own. A text is held out whole, as its other rows would
    tell what is in the held-out ones. The rows of a bucket are drawn in the same order as those of the whole source, so
    a bucket of which more is asked keeps the rows that it had.

    Raises:
        UserError: more is asked for than there is (and `repeat` is off), or the shares make no sense together.
    """
    check_sources(sources)
    parts: dict[str, list[Part]] = {}
    validation: dict[str, np.ndarray] = {}
    outside: dict[str, np.ndarray] = {}
    for name, source in sources.items():
        own = (documents or {}).get(name, np.arange(len(lengths[name])))
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        validation[name], rest = _held_out(name, source, own, rng)
        parts[name] = _parts(name, source, rest, lengths[name])
        inside = np.concatenate([part.rows for part in parts[name]])
        outside[name] = np.setdiff1d(rest, inside)
    counts = row_counts([part for own in parts.values() for part in own])
    train = {name: np.sort(np.concatenate([p.take(counts[p.key]) for p in own])) for name, own in parts.items()}
    return Selection(train, validation, outside)


def check_sources(sources: Mapping[str, Source]) -> None:
    """Refuse counts, shares and buckets that make no sense, before anything is tokenised.

    Raises:
        UserError: in one line that names the key.
    """
    asked: list[tuple[str, Source | Bucket]] = []
    for name, source in sources.items():
        if source.buckets is None:
            asked.append((f"data.{name}", source))
            continue
        length_ranges(source.buckets, f"data.{name}.buckets")
        if given := [kind for kind in KINDS if getattr(source, kind) is not None]:
            raise UserError(f"data.{name}.{given[0]}: goes into data.{name}.buckets, as there are some")
        asked += [(f"data.{name}.buckets.{bucket}", ask) for bucket, ask in source.buckets.items()]
    check(asked)


def _parts(name: str, source: Source, pool: np.ndarray, lengths: np.ndarray) -> list[Part]:
    """The source as one part, or a part for each of its buckets. pool: its rows that are not held out, as drawn."""
    if source.buckets is None:
        return [Part(f"data.{name}", source, source.repeat, pool, lengths[pool])]
    parts = []
    for bucket, span in length_ranges(source.buckets, f"data.{name}.buckets").items():
        ask, rows = source.buckets[bucket], pool[span.holds(lengths[pool])]
        repeat = source.repeat if ask.repeat is None else ask.repeat
        parts.append(Part(f"data.{name}.buckets.{bucket}", ask, repeat, rows, lengths[rows]))
    return parts


def _held_out(
    name: str, source: Source, documents: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The held-out rows, ascending, and the others in the order of drawing."""
    drawn = rng.permutation(int(documents.max(initial=-1)) + 1)
    split = len(drawn) < len(documents)
    rows = rng.permutation(len(documents)) if split else drawn
    held_out = np.isin(documents[rows], drawn[: _num_held_out(name, source, len(drawn), "texts" if split else "rows")])
    return np.sort(rows[held_out]), rows[~held_out]


def _num_held_out(name: str, source: Source, there: int, what: str) -> int:
    asked = source.validation or 0
    if asked == "all":
        return there
    if not asked >= 0 or (isinstance(asked, float) and asked >= 1 and not asked.is_integer()):
        raise UserError(f"data.{name}.validation: got {asked}, expected a count, a fraction below 1, or all")
    held_out = round(asked * there) if 0 < asked < 1 else int(asked)
    if held_out >= there and held_out > 0:
        one = what[:-1]
        got = f"{counted(held_out, one)} asked for, of {there:,}"
        if asked < 1:
            got = f"{asked} of {counted(there, one)} is {held_out:,}, rounded"
        raise UserError(f"data.{name}.validation: {got}; no {one} is left to train on")
    return held_out


def held_out_text(rows: int, texts: int) -> str:
    """What is said of held-out rows that are fewer texts."""
    return f"{counted(rows, 'sequence')} held out, of {counted(texts, 'whole text')}"


class Mixture:
    """Rows of several sources as one numbered list of sequences, source after source.

    `mixture[i] -> (input_ids int32 [len], targets uint8 [len])`, views of the mapped files; `decode_targets` makes
    labels of them.

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

    def figures(self, mine: np.ndarray) -> dict[str, Any]:
        """Numbers of sequences, tokens and targets where `mine` bool [n] is set, and their shares of the mix (0-1)."""
        found: dict[str, Any] = {
            "sequences": int(np.count_nonzero(mine)),
            "tokens": int(self.lengths[mine].sum()),
            "targets": int(self.num_targets[mine].sum()),
        }
        totals = len(self), int(self.lengths.sum()), int(self.num_targets.sum())
        shares = {f"share_of_{key}": found[key] / max(total, 1) for key, total in zip(found, totals, strict=True)}
        return {**found, **shares}

    def num_documents(self, number: int) -> int:
        """How many conversations or texts the rows of source `number` are from."""
        return len(np.unique(self.sources[number].documents[self.row_ids[self.source_ids == number]]))

    def split_texts(self) -> list[tuple[str, int, int]]:
        """(name, rows, texts) of each source with texts that are several rows here."""
        rows = np.bincount(self.source_ids, minlength=len(self.names)).tolist()
        texts = map(self.num_documents, range(len(self.names)))
        return [found for found in zip(self.names, rows, texts, strict=True) if found[2] < found[1]]

    def summary(self) -> list[dict[str, Any]]:
        """One dict a source: its name and `figures`."""
        return [{"name": name, **self.figures(self.source_ids == number)} for number, name in enumerate(self.names)]
