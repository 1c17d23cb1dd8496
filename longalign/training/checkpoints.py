"""Checkpoints on disk: which are whole, which is the newest, and how one appears and goes in a single move."""

import os
import re
import shutil
from pathlib import Path

from longalign.errors import UserError

COMPLETE_MARK = "meta.pt"  # Lightning's metadata file of a sharded checkpoint, written after every rank's shard

STEP = re.compile(r"step(\d+)\.ckpt$")


def is_whole(path: Path) -> bool:
    """Whether ``path`` is a finished checkpoint: a folder with its metadata, or a file that is not a temporary one."""
    if path.name.startswith("."):
        return False
    return (path / COMPLETE_MARK).is_file() if path.is_dir() else path.is_file()


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
    """Flush ``temporary`` to disk, then give it its name; an older ``final`` goes."""
    files = [temporary] if temporary.is_file() else [*temporary.iterdir(), temporary]
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    remove(final)
    temporary.rename(final)


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
        raise UserError(f"ckpt_path: {path} is not a whole checkpoint ({COMPLETE_MARK} is missing); try 'auto'")
    return Path(path)
