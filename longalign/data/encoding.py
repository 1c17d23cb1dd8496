"""Tokenising rows in several processes: the part of `tokenize.py` that runs under `map` of the library `datasets`.

In: an Arrow file of checked conversations or raw texts. Out: Arrow files of tokens in the same order, and counts, over
all processes, of what was dropped, cut and repaired. When one process meets a mistake in the data, all of them end and
one line is reported. When the parent process dies, even by SIGKILL, they end too.
"""

import contextlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from longalign.chat import ChatFormat, EncodedRow, Message, Overflow, encode_row
from longalign.chat.raw_text import encode_text
from longalign.data import tokenized
from longalign.data.orphans import children_end_with_us
from longalign.errors import UserError
from longalign.files import write_text

RAW_SCHEMA = pa.schema({"where": pa.string(), "row": pa.large_binary()})  # type: ignore[arg-type]
_COUNTS = "counts"  # a folder with a file of counts for each process
_STOP = "stop"  # a file that a worker writes when it meets a mistake: the others end when they see it


@dataclass(frozen=True)
class Job:
    """What a worker needs to encode a row. eos_id: -1 if the tokenizer has no EOS."""

    tokenizer: Any
    chat_format: ChatFormat
    max_length: int
    overflow: Overflow
    eos_id: int
    key: str  # the config key of the data, for error messages


def encode_rows(raw: Path, folder: Path, job: Job, batch_size: int, num_proc: int, desc: str) -> None:
    """Tokenise the rows of the Arrow file `raw` into folder/tokens*.arrow, in their order.

    Args:
        batch_size: rows that a process encodes at once.
        desc: what the progress bar and error messages call this.

    Raises:
        UserError: a row cannot be encoded, or a process was killed.
    """
    import datasets

    (folder / _COUNTS).mkdir()
    rows = datasets.Dataset.from_file(str(raw)).with_format("arrow")
    with _progress_bars(), children_end_with_us(), _mistakes_in_one_line(folder, desc):
        rows.map(
            _encode_batch,
            batched=True,
            batch_size=batch_size,
            writer_batch_size=batch_size,
            remove_columns=rows.column_names,
            features=datasets.Features.from_arrow_schema(tokenized.SCHEMA),
            fn_kwargs={"job": job, "folder": str(folder)},
            num_proc=num_proc if num_proc > 1 else None,
            cache_file_name=str(folder / "tokens.arrow"),
            load_from_cache_file=False,
            new_fingerprint="tokens",  # without one the library would hash the tokenizer, which is slow
            desc=desc,
        )


@contextlib.contextmanager
def _mistakes_in_one_line(folder: Path, desc: str) -> Iterator[None]:
    """Turn what `datasets` raises for a worker into a UserError or a KeyboardInterrupt, where it is one."""
    try:
        yield
    except UserError as error:
        stop = folder / _STOP  # holds the mistake itself; `error` may be from a worker that was stopped by it
        raise UserError(stop.read_text(encoding="utf-8")) if stop.exists() else error from None
    except RuntimeError as error:
        if "abruptly died" in str(error):
            raise UserError(f"{desc}: a process was killed (out of memory?); try a smaller data.num_proc") from None
        raise
    except Exception as error:
        if isinstance(ended_by := error.__context__, KeyboardInterrupt):  # `datasets` raises an error of its own
            raise ended_by from None  # Ctrl-C, or what the command makes of SIGTERM
        raise


def _encode_batch(batch: pa.Table, job: Job, folder: str) -> pa.Table:
    """Tokenise a batch of raw rows in a worker. Counts are written to a file, because map can return rows only."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are parallel already; it also prevents a warning
    counts: dict[str, Any] = {"kept": 0, "tokens": 0, "targets": 0, "dropped": Counter(), "events": Counter()}
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    opens: list[int] = []
    for where, text in zip(batch["where"], batch["row"], strict=True):
        own = _encode_checked(where.as_py(), text.as_py(), job, Path(folder), counts)
        rows += own
        opens += [1, *[0] * (len(own) - 1)][: len(own)]
    with open(Path(folder) / _COUNTS / f"{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(counts) + "\n")
    columns = [
        _list_array([ids for ids, _ in rows], np.dtype(np.int32)),
        _list_array([targets for _, targets in rows], np.dtype(np.uint8)),
        pa.array([int(np.count_nonzero(targets[1:])) for _, targets in rows], pa.int32()),
        pa.array(opens, pa.uint8()),
    ]
    return pa.Table.from_arrays(columns, schema=tokenized.SCHEMA)


def _encode_checked(
    where: str, text: bytes, job: Job, folder: Path, counts: dict[str, Any]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Encode one row to sequences, each (token ids, target codes).

    A conversation gives at most one sequence, a text any number.

    Args:
        where: which row it is, for error messages.
        text: the row as JSON.
        counts: what happened to the row is added to these.

    Raises:
        UserError: the row cannot be encoded, or another worker has met a mistake.
    """
    if (folder / _STOP).exists():
        raise UserError("stopped by another process")
    try:
        row = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:  # a lone surrogate, which JSON can express ("\\ud83d") and a tokenizer cannot read
        whole = text.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        row = json.loads(whole)
        counts["events"]["half_character_replaced"] += 1
    try:
        sequences = _encode(row, job)
    except UserError as error:
        message = f"{where}: {error} ({job.key})"
        write_text(folder / _STOP, message)
        raise UserError(message) from None
    kept = []
    for encoded in sequences:
        counts["events"].update(encoded.events)
        if encoded.reason is not None:
            counts["dropped"][encoded.reason] += 1
            continue
        ids, labels = np.asarray(encoded.input_ids, np.int64), np.asarray(encoded.labels, np.int64)
        targets = tokenized.encode_targets(ids, labels, job.eos_id)
        counts["kept"] += 1
        counts["tokens"] += len(ids)
        counts["targets"] += int(np.count_nonzero(targets[1:]))
        kept.append((ids.astype(np.int32), targets))
    return kept


def _encode(row: list[Message] | str, job: Job) -> list[EncodedRow]:
    if isinstance(row, str):
        return encode_text(row, job.tokenizer, max_length=job.max_length)
    messages = {"messages": row}
    return [encode_row(messages, job.tokenizer, job.chat_format, max_length=job.max_length, overflow=job.overflow)]


def _list_array(rows: list[np.ndarray], dtype: np.dtype) -> pa.Array:
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows or [np.zeros(0)]).astype(dtype)))


def take_counts(folder: Path) -> dict[str, Any]:
    """Sum the counts of all processes, and remove their files."""
    numbers: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {"dropped": Counter(), "events": Counter()}
    for file in (folder / _COUNTS).glob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            counts = json.loads(line)
            for what, counter in reasons.items():
                counter.update(counts.pop(what))
            numbers.update(counts)
    shutil.rmtree(folder / _COUNTS)
    return {**numbers, **{what: dict(sorted(counter.items())) for what, counter in reasons.items()}}


@contextlib.contextmanager
def _progress_bars() -> Iterator[None]:
    """Show the progress bars of `datasets` only in a terminal: in a file each refresh would add a line."""
    import datasets

    was_disabled = datasets.are_progress_bars_disabled()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        (datasets.disable_progress_bars if was_disabled else datasets.enable_progress_bars)()
