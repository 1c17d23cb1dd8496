"""Reading small files with one-line errors, and writing files and folders that appear complete or not at all."""

import errno
import glob
import gzip
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from filelock import FileLock, Timeout

from longalign.errors import UserError

LEFTOVER_S = 60  # the age from which a half-written file is taken for that of a process that was killed


@contextmanager
def new_folder(target: str | Path, option: str = "target") -> Iterator[Path]:
    """Yield a hidden folder to fill, and rename it to ``target`` at the end of the block; after an error, remove it.

    A process that is killed leaves its hidden folder; the next call for the same ``target`` removes it. A lock keeps
    two processes from writing one ``target``.

    Args:
        option: the name of the command-line option that gave ``target``, for error messages.

    Raises:
        UserError: ``target`` exists, cannot be written, or is being written by another process.
    """
    final = Path(target).expanduser()
    if final.exists():
        raise UserError(f"{option}: {target} exists already; give a new folder")
    temporary = final.with_name(f".{final.name}.incomplete")
    try:
        with _only_writer(final, option):
            if final.exists():  # another process may have finished it before we had the lock
                raise UserError(f"{option}: {target} exists already; give a new folder")
            try:
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir()
                yield temporary
                os.replace(temporary, final)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        copies = error.args[0] if isinstance(error, shutil.Error) and isinstance(error.args[0], list) else []
        reason = copies[0][2] if copies else error.strerror or error  # one of many files that could not be copied
        file = f" ({error.filename})" if error.filename else ""  # perhaps one that the block was to read
        raise UserError(f"{option}: {target} could not be written: {reason}{file}") from error


def read_json(file: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        UserError: the file is missing or unreadable, or holds no JSON or another kind of value.
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
    """Write a value as indented JSON, with non-ASCII characters as they are; see `write_text`."""
    write_text(file, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(file: Path, text: str) -> None:
    """Write a text as UTF-8; see `write_bytes`. A lone surrogate, which UTF-8 cannot hold, becomes ``\\udXXX``."""
    write_bytes(file, text.encode(errors="backslashreplace"))


def write_bytes(file: Path, data: bytes) -> None:
    """Replace a file's content at once: a failure leaves the old file. Several processes may call this for one file.

    A process that is killed leaves a hidden file, which a call for the same file removes when it is a minute old.
    """
    _remove_leftovers(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with _full_disk_of(file):
            temporary.write_bytes(data)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_leftovers(file: Path) -> None:
    for leftover in file.parent.glob(f".{glob.escape(file.name)}.*.tmp"):
        with suppress(OSError):  # its process has just renamed it
            if time.time() - leftover.stat().st_mtime > LEFTOVER_S:
                leftover.unlink()


def write_jsonl(
    path: str | os.PathLike[str],
    rows: Iterable[dict[str, Any]],
    option: str = "out",
    report: Callable[[int], None] = lambda count: None,
) -> int:
    """Write rows as JSON lines and return how many there were. `path` appears complete or not at all.

    The output is compressed if `path` ends in .gz or .zst. The same rows always give the same bytes. A process that is
    killed leaves a hidden file; the next call for the same `path` overwrites it.

    Args:
        option: the name of the command-line option that gave ``path``, for error messages.
        report: called with the number of rows when all are on the disk, just before `path` appears, to write what
            belongs beside it: where `path` is, its report is, whenever the process is killed.

    Raises:
        UserError: another process is writing `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.incomplete")
    count = 0
    with _only_writer(path, option):
        try:
            with _full_disk_of(path), open(temporary, "wb") as raw, _compressed(raw, path.suffix) as file:
                for row in rows:
                    file.write(json_line(row))
                    count += 1
            report(count)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return count


@contextmanager
def _only_writer(path: Path, option: str) -> Iterator[None]:
    """Make the folder of a file or folder that is to be written, and keep other processes from writing it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{option}: another process is writing {path}") from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


@contextmanager
def _full_disk_of(path: Path) -> Iterator[None]:
    """Give the error of a full disk or quota, which comes without one, the name of the file that is written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and error.filename is None:
            error.filename = str(path)
        raise


def _compressed(raw: BinaryIO, suffix: str) -> BinaryIO:
    if suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
    if suffix == ".zst":
        import zstandard

        return cast(BinaryIO, zstandard.ZstdCompressor().stream_writer(raw, closefd=False))
    return raw


def json_line(row: dict[str, Any]) -> bytes:
    """One line of JSON in UTF-8; in ASCII if a text holds a lone surrogate, as models write at times."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"
