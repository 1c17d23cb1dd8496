"""Checkpoints on disk: which are whole, which is the newest, and how one is put in place or removed in one rename."""

import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint import metadata as dcp_metadata

from longalign.errors import UserError

COMPLETE_MARK = "meta.pt"  # Lightning's metadata file of a sharded checkpoint, written after every rank's shard

STEP = re.compile(r"step(\d+)\.ckpt$")


class _MetadataUnpickler(pickle.Unpickler):
    """Reads torch's ``.metadata`` pickle, and refuses any class but the plain records that belong in it."""

    ALLOWED = frozenset(
        {
            *(("torch.distributed.checkpoint.metadata", name) for name in vars(dcp_metadata)),
            ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
            ("torch.serialization", "_get_layout"),
            *((module, name) for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "PurePosixPath")),
            ("collections", "OrderedDict"),
            ("torch", "Size"),
            *(("torch", name) for name, value in vars(torch).items() if isinstance(value, torch.dtype)),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint's metadata")
        return super().find_class(module, name)


def read_metadata(path: Path) -> dcp_metadata.Metadata:
    """The metadata of a sharded checkpoint, read without running code that it might hold.

    Raises:
        UserError: it is unreadable, or not what torch writes.
    """
    try:
        with (path / ".metadata").open("rb") as file:
            return _MetadataUnpickler(file).load()
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ValueError) as error:
        raise UserError(f"checkpoint {path} has no readable metadata: {error}") from error


def is_whole(path: Path) -> bool:
    """Whether ``path`` is a finished checkpoint: a folder with its metadata and every shard, or a single file."""
    if path.name.startswith("."):
        return False
    if not path.is_dir():
        return path.is_file() and zipfile.is_zipfile(path)  # as torch.save writes it
    if not (path / COMPLETE_MARK).is_file():
        return False
    try:
        pieces = (read_metadata(path).storage_data or {}).values()
    except UserError:
        return False
    ends: dict[str, int] = {}
    for piece in pieces:
        ends[piece.relative_path] = max(ends.get(piece.relative_path, 0), piece.offset + piece.length)
    return all((path / name).is_file() and (path / name).stat().st_size >= end for name, end in ends.items())


def whole_checkpoints(folder: Path) -> list[Path]:
    """The whole ``step<number>.ckpt`` of ``folder``, by rising number."""
    found = [(int(match[1]), path) for path in folder.glob("step*.ckpt") if (match := STEP.match(path.name))]
    return [path for _, path in sorted(found) if is_whole(path)]


def newest_checkpoint(folder: Path) -> Path | None:
    """The last of ``whole_checkpoints``, None where there is none."""
    return next(reversed(whole_checkpoints(folder)), None)


def remove(path: Path) -> None:
    """Delete a checkpoint so that a kill halfway leaves nothing that looks whole."""
    hidden = path if path.name.startswith(".") else path.with_name(f".{path.name}.outdated")
    if hidden != path and path.exists():
        path.rename(hidden)
    if hidden.is_dir():
        shutil.rmtree(hidden)
    else:
        hidden.unlink(missing_ok=True)


def put_in_place(temporary: Path, final: Path) -> None:
    """Flush ``temporary`` to disk, then rename it to ``final``, in place of an older one, and flush the names, too."""
    for path in [temporary] if temporary.is_file() else [*temporary.iterdir(), temporary]:
        _flush(path)
    outdated = final.with_name(f".{final.name}.outdated")
    if final.exists():
        remove(outdated)
        final.rename(outdated)
    temporary.rename(final)
    _flush(final.parent)  # before older checkpoints go
    remove(outdated)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def resolve_checkpoint(path: str, folder: Path) -> Path | None:
    """What ``--ckpt_path`` means: ``auto`` is the newest in ``folder`` (None on a first start), else ``path`` itself.

    Raises:
        UserError: ``path`` does not exist or is not whole.
    """
    if path == "auto":
        return newest_checkpoint(folder)
    if not Path(path).exists():
        raise UserError(f"ckpt_path: {path} does not exist; expected a checkpoint or 'auto'")
    if not is_whole(Path(path)):
        raise UserError(f"ckpt_path: {path} is not a whole checkpoint (a part is missing or damaged); try 'auto'")
    return Path(path)
