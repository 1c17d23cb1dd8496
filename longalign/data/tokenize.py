"""Conversations to tokens on disk: many processes write once, every rank and every later run reads.

In: a path (or hub name), a tokenizer and the limits. Out: a `TokenizedSource` in `cache_dir`, in a folder named by all
that decides its content: the data's bytes, the tokenizer, the chat format, the limits and the code.
"""

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import longalign.chat
from longalign.chat import encode_row
from longalign.data import cache, tokenized
from longalign.data.sources import find_files, load_hub, read_conversations
from longalign.data.tokenized import TokenizedSource
from longalign.errors import UserError

logger = logging.getLogger(__name__)

_RAW_BATCH_BYTES = 8 << 20  # text in one batch of the raw file: bounds the memory of the reader and of each worker
_RAW_SCHEMA = pa.schema({"where": pa.string(), "messages": pa.large_binary()})  # type: ignore[arg-type]
_STOP = "stop"  # a file in the temporary folder: a worker has met a user's mistake, and the others need not go on


def tokenize_source(
    path: str,
    tokenizer: Any,
    chat_format: str = "template",
    *,
    max_length: int,
    overflow: str = "shorten_document",
    cache_dir: str | os.PathLike[str],
    num_proc: int | None = None,
    name: str = "source",
) -> TokenizedSource:
    """Tokenise what lies behind `path` unless it is cached, and map the result.

    Any number of processes may ask at once: one writes, the others wait and read. The order of the rows is the files',
    whatever `num_proc` (default: as many as the data's size is worth, up to the CPUs of this process).

    Raises:
        UserError: a mistake in the data, no row left, a full disk; one line that names `data.<name>`.
    """
    key = f"data.{name}"
    parts = {
        "data": _data_identity(path, key, Path(cache_dir) / "digests"),
        "tokenizer": cache.tokenizer_digest(tokenizer),
        "chat_format": chat_format,
        "max_length": max_length,
        "overflow": overflow,
        "code": cache.code_digest(_code_files()),
    }
    folder = Path(cache_dir) / f"{name}-{cache.content_key(parts)[:20]}"
    eos_id = -1 if tokenizer.eos_token_id is None else tokenizer.eos_token_id  # then no label is EOS
    job = _Job(tokenizer, chat_format, max_length, overflow, eos_id)

    def build(temporary: Path) -> None:
        _build(temporary, path, key, job, num_proc)
        (temporary / "key.json").write_text(json.dumps({"path": path, **parts}, indent=1))

    built = cache.build_once(folder, build)
    source = TokenizedSource(folder, name)
    if int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0))) == 0:
        logger.info("%s%s", report_table(name, source.report), "" if built else f"\n  (from the cache {folder})")
    return source


def report_table(name: str, report: dict[str, Any]) -> str:
    """The counts of a source in a few lines: rows, tokens, and each reason for a drop, cut or repair."""
    rows, kept = report["rows"], report["kept"]
    lines = [f"{name}: {kept:,} of {rows:,} conversations, {report['tokens']:,} tokens, {report['targets']:,} targets"]
    for what in ("dropped", "events"):
        lines += [f"  {what.removesuffix('s')} {count:>9,}  {why}" for why, count in sorted(report[what].items())]
    return "\n".join(lines)


def _data_identity(path: str, key: str, memory: Path) -> list[str]:
    files = find_files(path, key)
    if files:
        return [cache.file_digest(file, memory) for file in files]
    rows = load_hub(path, key)
    # the addresses hold the commit; a data set without them is known by the library's own fingerprint
    return sorted(rows.info.download_checksums or {}) or [rows._fingerprint]


def _code_files() -> tuple[Path, ...]:
    data = Path(__file__).parent
    chat = Path(longalign.chat.__file__).parent
    return (*sorted(chat.rglob("*.py")), data / "sources.py", data / "tokenize.py", data / "tokenized.py")


@dataclass(frozen=True)
class _Job:
    """What a worker needs to encode a row."""

    tokenizer: Any
    chat_format: str
    max_length: int
    overflow: str
    eos_id: int


def _build(folder: Path, path: str, key: str, job: _Job, num_proc: int | None) -> None:
    raw, counts = folder / "raw", folder / "counts"
    raw.mkdir()
    counts.mkdir()
    num_rows, num_bytes = _write_raw(read_conversations(path, key), raw / "rows.arrow")
    if num_rows == 0:
        raise UserError(f"{path} has no conversations ({key})")
    # rows of about 1 MiB of text a batch; a process is worth starting for 2 MiB
    batch_size = max(1, min(1000, num_rows * (1 << 20) // max(num_bytes, 1)))
    num_proc = max(1, min(num_proc or num_bytes // (2 << 20), _num_cpus() if num_proc is None else num_proc, num_rows))
    _encode_rows(raw / "rows.arrow", folder, job, batch_size, num_proc, desc=f"tokenising {key}")
    report: dict[str, Any] = {"rows": num_rows, "kept": 0, "tokens": 0, "targets": 0, "dropped": {}, "events": {}}
    report |= _sum_counts(counts)
    if report["kept"] == 0:
        why = ", ".join(f"{count} × {reason}" for reason, count in sorted(report["dropped"].items()))
        raise UserError(f"{path}: all {num_rows} conversations were dropped: {why} ({key})")
    files = sorted(file.name for file in folder.glob("tokens*.arrow"))
    for leftover in (*counts.iterdir(), *raw.iterdir()):
        leftover.unlink()
    raw.rmdir()
    counts.rmdir()
    (folder / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    (folder / "meta.json").write_text(json.dumps({"eos_id": job.eos_id, "files": files}))


def _num_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write_raw(rows: Iterator[tuple[str, Any]], file: Path) -> tuple[int, int]:
    """Check and copy all rows into one Arrow file that workers can share; (rows, bytes of text)."""
    num_rows = num_bytes = batch_bytes = 0
    wheres: list[str] = []
    texts: list[bytes] = []
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, _RAW_SCHEMA) as writer:

        def flush() -> None:
            if texts:
                writer.write_batch(pa.record_batch([wheres, pa.array(texts, pa.large_binary())], schema=_RAW_SCHEMA))
            wheres.clear()
            texts.clear()

        for where, messages in rows:
            # a lone surrogate is legal in JSON, and is for chat/ to judge
            text = json.dumps(messages, ensure_ascii=False).encode("utf-8", "surrogatepass")
            wheres.append(where)
            texts.append(text)
            num_rows, num_bytes, batch_bytes = num_rows + 1, num_bytes + len(text), batch_bytes + len(text)
            if batch_bytes > _RAW_BATCH_BYTES or len(texts) == 1000:
                flush()
                batch_bytes = 0
        flush()
    return num_rows, num_bytes


def _encode_rows(raw: Path, folder: Path, job: _Job, batch_size: int, num_proc: int, desc: str) -> None:
    """Run `_encode_batch` over the raw rows in `num_proc` processes into folder/tokens*.arrow, in the rows' order."""
    import datasets

    rows = datasets.Dataset.from_file(str(raw)).with_format("arrow")
    with _progress_bars(), _children_die_with_us():
        try:
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
                new_fingerprint="tokens",  # given, so that the library does not hash the tokenizer
                desc=desc,
            )
        except UserError as error:
            stop = folder / _STOP  # the first mistake met, not that of the worker that is listed first
            raise UserError(stop.read_text(encoding="utf-8")) if stop.exists() else error from None
        except RuntimeError as error:
            if "abruptly died" in str(error):
                raise UserError(f"{desc}: a process was killed (out of memory?); try a smaller data.num_proc") from None
            raise


def _encode_batch(batch: pa.Table, job: _Job, folder: str) -> pa.Table:
    """In a worker: raw rows to token rows. Counts go to a file of the process, as map has no other way back."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism; silences the fork warning
    counts: dict[str, Any] = {"kept": 0, "tokens": 0, "targets": 0, "dropped": Counter(), "events": Counter()}
    rows = [
        _encode_checked(where.as_py(), text.as_py(), job, Path(folder), counts)
        for where, text in zip(batch["where"], batch["messages"], strict=True)
    ]
    with open(Path(folder) / "counts" / f"{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(counts) + "\n")
    kept = [row for row in rows if row is not None]
    columns = [
        _list_array([ids for ids, _ in kept], np.dtype(np.int32)),
        _list_array([targets for _, targets in kept], np.dtype(np.uint8)),
        pa.array([int(np.count_nonzero(targets[1:])) for _, targets in kept], pa.int32()),
    ]
    return pa.Table.from_arrays(columns, schema=tokenized.SCHEMA)


def _encode_checked(
    where: str, text: bytes, job: _Job, folder: Path, counts: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray] | None:
    if (folder / _STOP).exists():
        raise UserError("stopped by another process")
    row = {"messages": json.loads(text.decode("utf-8", "surrogatepass"))}
    try:
        encoded = encode_row(row, job.tokenizer, job.chat_format, max_length=job.max_length, overflow=job.overflow)
    except UserError as error:
        cache.write_atomically(folder / _STOP, f"{where}: {error}")
        raise UserError(f"{where}: {error}") from None
    counts["events"].update(encoded.events)
    if encoded.reason is not None:
        counts["dropped"][encoded.reason] += 1
        return None
    ids, labels = np.asarray(encoded.input_ids, np.int64), np.asarray(encoded.labels, np.int64)
    targets = tokenized.encode_targets(ids, labels, job.eos_id)
    counts["kept"] += 1
    counts["tokens"] += len(ids)
    counts["targets"] += int(np.count_nonzero(targets[1:]))
    return ids.astype(np.int32), targets


def _list_array(rows: list[np.ndarray], dtype: np.dtype) -> pa.Array:
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows or [np.zeros(0)]).astype(dtype)))


def _sum_counts(folder: Path) -> dict[str, Any]:
    numbers: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {"dropped": Counter(), "events": Counter()}
    for file in folder.glob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            counts = json.loads(line)
            for what, counter in reasons.items():
                counter.update(counts.pop(what))
            numbers.update(counts)
    return {**numbers, **{what: dict(sorted(counter.items())) for what, counter in reasons.items()}}


@contextlib.contextmanager
def _progress_bars() -> Iterator[None]:
    """Bars in a terminal only: in a file each refresh would be a line."""
    import datasets

    was_disabled = datasets.are_progress_bars_disabled()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        (datasets.disable_progress_bars if was_disabled else datasets.enable_progress_bars)()


_parent: int | None = None  # the process whose children watch it, while it tokenises


@contextlib.contextmanager
def _children_die_with_us() -> Iterator[None]:
    """Workers forked in here end themselves when this process is gone (kill -9 leaves it no time to tell them)."""
    global _parent
    if hasattr(os, "register_at_fork"):
        _register_watch()
    _parent = os.getpid()
    try:
        yield
    finally:
        _parent = None


_watch_registered = False


def _register_watch() -> None:
    global _watch_registered
    if not _watch_registered:
        os.register_at_fork(after_in_child=_watch_parent)
        _watch_registered = True


def _watch_parent() -> None:
    if _parent is None or os.getppid() != _parent:
        return

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, args=(_parent,), daemon=True).start()
