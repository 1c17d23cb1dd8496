"""Finding checkpoints: which are whole, and which is the newest."""

import re
from pathlib import Path

from longalign.errors import UserError
from longalign.training.strategy import COMPLETE_MARK

STEP = re.compile(r"step(\d+)\.ckpt$")


def is_whole(path: Path) -> bool:
    """Whether ``path`` is a finished checkpoint: a folder with its metadata, or a file that is not a temporary one."""
    if path.name.startswith("."):
        return False
    return (path / COMPLETE_MARK).is_file() if path.is_dir() else path.is_file()


def newest_checkpoint(folder: Path) -> Path | None:
    """The whole ``step<number>.ckpt`` of ``folder`` with the highest number, None where there is none."""
    found = [(int(match[1]), path) for path in folder.glob("step*.ckpt") if (match := STEP.search(path.name))]
    return next((path for _, path in sorted(found, reverse=True) if is_whole(path)), None)


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
