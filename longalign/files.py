"""Small files read with one-line errors, and folders that appear under their name only when they are whole."""

import gzip
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from filelock import FileLock, Timeout

from longalign.errors import UserError


@contextmanager
def new_folder(target: str | Path, option: str = "target") -> Iterator[Path]:
    """A hidden folder to fill, which takes the name ``target`` at the end; after a failure nothing is left.

    A killed process leaves the hidden folder, and the next one removes it.

    Raises:
        UserError: ``target`` (on the command line: ``option``) exists, cannot be written, or is being written.
    """
    final = Path(target).expanduser()
    if final.exists():
        raise UserError(f"{option}: {target} exists already; give a new folder")
    temporary = final.with_name(f".{final.name}.incomplete")
    lock = FileLock(final.with_name(f".{final.name}.lock"), timeout=0)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            if final.exists():  # by now
                raise UserError(f"{option}: {target} exists already; give a new folder")
            try:
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir()
                yield temporary
                os.replace(temporary, final)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise UserError(f"{option}: another process is writing {target}") from None
    except OSError as error:
        copies = error.args[0] if isinstance(error, shutil.Error) and isinstance(error.args[0], list) else []
        reason = copies[0][2] if copies else error.strerror or error  # one of many files that could not be copied
        raise UserError(f"{option}: {target} could not be written: {reason}") from error


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: it is missing, unreadable or something else.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{file}: cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise UserError(f"{file}: expected a JSON object, got {type(value).__name__}")
    return value


def write_json(file: Path, value: Any) -> None:
    """Write JSON, indented, with text as it is; see `write_text`."""
    write_text(file, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(file: Path, text: str) -> None:
    """Write a file that has the text whole or is not touched. Half a surrogate pair becomes its escape, as in JSON."""
    write_bytes(file, text.encode(errors="backslashreplace"))


def write_bytes(file: Path, data: bytes) -> None:
    """Write a file that has the bytes whole or is not touched; many processes may write it at once."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines, so that `path` appears whole or not at all; the number of rows.

    A path that ends in .gz or .zst is compressed; the same rows give the same bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        with open(temporary, "wb") as raw, _compressed(raw, path.suffix) as file:
            for row in rows:
                file.write(_json_line(row))
                count += 1
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _compressed(raw: BinaryIO, suffix: str) -> BinaryIO:
    if suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
    if suffix == ".zst":
        import zstandard

        return cast(BinaryIO, zstandard.ZstdCompressor().stream_writer(raw, closefd=False))
    return raw


def _json_line(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps(row).encode() + b"\n"
