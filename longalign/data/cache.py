"""Folders that are made once and named after their content, also when many processes want one at the same time.

`content_key` turns the parts that decide the content into a name; `build_once` fills a temporary folder under a lock
and renames it at the very end, so that a folder with that name is always whole.
"""

import contextlib
import errno
import functools
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from longalign.errors import UserError

log = logging.getLogger(__name__)

_RACY_S = 2.0  # a file changed this recently may change again without a new mtime: its digest is not remembered


def content_key(parts: Mapping[str, Any] | Sequence[Any]) -> str:
    """sha256 of the parts as canonical JSON: the same on every machine, whatever the order of a mapping's keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def file_digest(path: str, memory: Path) -> str:
    """sha256 of a file's bytes, remembered in the folder `memory` by (path, size, mtime) for later runs and ranks."""
    path = os.path.abspath(path)
    stat = os.stat(path)
    identity = {"path": path, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    note = memory / f"{hashlib.sha256(path.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(note.read_text())
        if {name: known.get(name) for name in identity} == identity:
            return known["sha256"]
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - stat.st_mtime > _RACY_S:
        with contextlib.suppress(OSError):  # only a note: a full disk is reported where data is written
            memory.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps({**identity, "sha256": digest}))  # one that is cut is not read, and made again
    return digest


def tokenizer_digest(tokenizer: Any) -> str:
    """sha256 of what decides a tokenizer's output: its serialised state, special tokens and chat template."""
    state: dict[str, Any] = {
        "class": type(tokenizer).__name__,
        "chat_template": getattr(tokenizer, "chat_template", None),
        "special_tokens": {name: str(token) for name, token in getattr(tokenizer, "special_tokens_map", {}).items()},
    }
    for name in ("bos_token_id", "eos_token_id", "legacy", "add_bos_token", "add_eos_token"):
        state[name] = getattr(tokenizer, name, None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        vocabulary = json.loads(backend.to_str())
        # left over from earlier calls of the tokenizer, and overruled by each call
        state["backend"] = {**vocabulary, "truncation": None, "padding": None}
    else:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save_pretrained(folder)
            state["files"] = {file.name: _digest(file) for file in sorted(Path(folder).iterdir())}
    return content_key(state)


@functools.cache
def code_digest(files: Sequence[Path]) -> str:
    """sha256 of source files, so that a change of the code that writes a cache leads to a new cache."""
    return content_key({file.name: _digest(file) for file in files})


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def build_once(folder: Path, build: Callable[[Path], None], *, option: str = "data.cache_dir") -> bool:
    """Let `build(temporary_folder)` make the content of `folder` unless it is there; True if this call has built it.

    The first process takes the lock and builds, the others wait and find the folder. Temporary folders of killed runs
    are removed by the next process that takes the lock. option: the config key of the folder's place, for messages.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    if folder.is_dir():
        return False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.with_name(f"{folder.name}.lock")):
            if folder.is_dir():
                return False
            _build_and_rename(folder, build)
            return True
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"the disk of {folder.parent} is full; free space or set another {option}") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST):
            raise UserError(f"cannot write to {folder.parent}: {error.strerror}; set another {option}") from error
        raise


def _build_and_rename(folder: Path, build: Callable[[Path], None]) -> None:
    prefix = f".{folder.name}.tmp-"
    for stale in folder.parent.glob(f"{prefix}*"):  # we hold the lock, so the process that made it is dead
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        build(temporary)
        temporary.chmod(0o755)  # mkdtemp gives 0700; other users of the cache may read
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the file lock; after 10 s of waiting, log what we are waiting for."""
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=10)
    except Timeout:
        log.info("waiting for another process that makes %s", path.with_suffix(""))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
