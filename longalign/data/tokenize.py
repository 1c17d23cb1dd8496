"""Tokenising conversations or raw texts into a cache on disk, which all ranks and all later runs read.

In: a path (or hub name), a tokenizer and the limits. Out: a `TokenizedSource` in `cache_dir`. The name of its folder is
a hash of all that its content depends on: the data's bytes, the tokenizer, the chat format, the limits, the code.
"""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

import longalign.chat
from longalign.chat import ChatFormat, Overflow
from longalign.counted import counted
from longalign.data import cache
from longalign.data.documents import TEXT_SUFFIXES, read_documents
from longalign.data.encoding import RAW_SCHEMA, Job, encode_rows, take_counts
from longalign.data.processes import num_cpus
from longalign.data.sources import SUFFIXES, find_files, load_hub, read_conversations
from longalign.data.tokenized import TokenizedSource
from longalign.errors import UserError
from longalign.launch import this_launch

log = logging.getLogger(__name__)

_RAW_BATCH_BYTES = 8 << 20  # of text in a batch of the raw file; it bounds the memory of the reader and of each worker


def tokenize_source(
    path: str,
    tokenizer: Any,
    chat_format: ChatFormat = "template",
    *,
    max_length: int,
    overflow: Overflow = "shorten_document",
    cache_dir: str | os.PathLike[str],
    num_proc: int | None = None,
    name: str = "source",
    text_column: str | None = None,
) -> TokenizedSource:
    """Tokenise the data at `path`, or find it in the cache, and map the tokenised rows into memory.

    Several processes may call this at once: one writes, the others wait and read. Rows are in the order of the files,
    whatever `num_proc` is.

    Args:
        path: as for `read_documents` if there is a `text_column` (raw texts), as for `read_conversations` if not.
        max_length: tokens of a row at most.
        overflow: what to do with longer conversations, see `chat/overflow.py`; raw texts are split.
        num_proc: processes that tokenise; by default one for each 2 MiB of text, up to the CPUs of this process.
        name: of the source, for its folder, the log, and the config key `data.<name>` in error messages.

    Raises:
        UserError: there is a mistake in the data, no row is left, or the disk is full.
    """
    key = f"data.{name}"
    parts = {
        "data": _data_identity(path, key, text_column, Path(cache_dir) / "digests"),
        "tokenizer": cache.tokenizer_digest(tokenizer),
        "max_length": max_length,
        **({"chat_format": chat_format, "overflow": overflow} if text_column is None else {"text_column": text_column}),
        "code": cache.code_digest(_code_files()),
    }
    folder = Path(cache_dir) / f"{name}-{cache.content_key(parts)[:20]}"
    eos_id = -1 if tokenizer.eos_token_id is None else tokenizer.eos_token_id  # -1: no label is EOS
    job = Job(tokenizer, chat_format, max_length, overflow, eos_id, key)

    def build(temporary: Path) -> None:
        _build(temporary, path, job, num_proc, text_column)
        (temporary / "key.json").write_text(json.dumps({"path": path, **parts}, indent=1))

    built = cache.build_once(folder, build)
    source = TokenizedSource(folder, name)
    if this_launch().is_first:
        log.info("%s%s", report_table(name, source.report), "" if built else f"\n  (from the cache {folder})")
    return source


def report_table(name: str, report: dict[str, Any]) -> str:
    """Format a source's counts for the log: rows, tokens, targets, and a line for each reason to drop, cut or repair.

    report: `TokenizedSource.report`.
    """
    kept = counted(report["kept"], "sequence") if report["noun"] == "texts" else f"{report['kept']:,}"
    rows = f"{kept} of {report['rows']:,} {report['noun']}"
    lines = [f"{name}: {rows}, {counted(report['tokens'], 'token')}, {counted(report['targets'], 'target')}"]
    for what, mark in (("dropped", " (dropped)"), ("events", "")):
        lines += [f"  {count:,} × {why.replace('_', ' ')}{mark}" for why, count in sorted(report[what].items())]
    return "\n".join(lines)


def _data_identity(path: str, key: str, text_column: str | None, memory: Path) -> list[str]:
    """What changes when the data changes: digests of its files; for a data set on the hub, what `datasets` knows it by.

    memory: a folder that keeps the digests of files that have not changed.
    """
    files = find_files(path, key, SUFFIXES if text_column is None else SUFFIXES + TEXT_SUFFIXES)
    if files:
        try:
            return [cache.file_digest(file, memory) for file in files]
        except OSError as error:
            raise UserError(f"cannot read {error.filename}: {error.strerror} ({key})") from error
    rows = load_hub(path, key)
    # the downloads' addresses contain the commit; a data set without downloads has the library's own fingerprint
    return sorted(rows.info.download_checksums or {}) or [rows._fingerprint]


def _code_files() -> tuple[Path, ...]:
    """The source files that the content of the cache depends on."""
    data = Path(__file__).parent
    chat = Path(longalign.chat.__file__).parent
    return (
        *sorted(chat.rglob("*.py")),
        data / "json_list.py",
        data / "sources.py",
        data / "documents.py",
        data / "tokenize.py",
        data / "encoding.py",
        data / "tokenized.py",
    )


def _build(folder: Path, path: str, job: Job, num_proc: int | None, text_column: str | None) -> None:
    raw = folder / "raw.arrow"
    rows: Iterator[tuple[str, Any]]
    if text_column is None:
        noun, rows = "conversations", read_conversations(path, job.key)
    else:
        noun, rows = "texts", read_documents(path, job.key, column=text_column)
    num_rows, num_bytes = _write_raw(rows, raw)
    if num_rows == 0:
        raise UserError(f"{path} has no {noun} ({job.key})")
    batch_size = max(1, min(1000, num_rows * (1 << 20) // max(num_bytes, 1)))  # rows: about 1 MiB of text
    if num_proc is None:
        num_proc = min(num_bytes // (2 << 20), num_cpus())  # starting a process pays for 2 MiB of text
    num_proc = max(1, min(num_proc, num_rows))
    encode_rows(raw, folder, job, batch_size, num_proc, desc=f"tokenising {job.key}")
    report: dict[str, Any] = {"noun": noun, "rows": num_rows, "kept": 0, "tokens": 0, "targets": 0}
    report |= {"dropped": {}, "events": {}}
    report |= take_counts(folder)
    if report["kept"] == 0:
        why = ", ".join(f"{count} × {reason}" for reason, count in sorted(report["dropped"].items()))
        raise UserError(f"{path}: all {num_rows} {noun} were dropped: {why} ({job.key})")
    files = sorted(file.name for file in folder.glob("tokens*.arrow"))
    raw.unlink()
    (folder / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    (folder / "meta.json").write_text(json.dumps({"eos_id": job.eos_id, "files": files}))


def _write_raw(rows: Iterator[tuple[str, Any]], file: Path) -> tuple[int, int]:
    """Check all rows and write them as JSON to one Arrow file for the workers. Returns (rows, bytes of text)."""
    num_rows = num_bytes = batch_bytes = 0
    wheres: list[str] = []
    texts: list[bytes] = []
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, RAW_SCHEMA) as writer:

        def flush() -> None:
            if texts:
                writer.write_batch(pa.record_batch([wheres, pa.array(texts, pa.large_binary())], schema=RAW_SCHEMA))
            wheres.clear()
            texts.clear()

        for where, row in rows:
            # lone surrogates, which JSON can express, are passed on: the worker counts and replaces them
            text = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
            wheres.append(where)
            texts.append(text)
            num_rows, num_bytes, batch_bytes = num_rows + 1, num_bytes + len(text), batch_bytes + len(text)
            if batch_bytes > _RAW_BATCH_BYTES or len(texts) == 1000:
                flush()
                batch_bytes = 0
        flush()
    return num_rows, num_bytes
