"""Read a run's folder: config, records, curves, needles, checkpoints, exports, and tests of its models.

In: the folder that was ``trainer.default_root_dir``. Out: a `RunFolder`, which also lists what is missing, in words.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from longalign.commands.run_card.events import TENSORBOARD, Events, event_files, read_events
from longalign.counted import counted
from longalign.errors import UserError

CONFIG, CHECKPOINTS, NEEDLES = "config.yaml", "checkpoints", "needle.jsonl"
ENVIRONMENT, DATA = "environment.json", "data.json"
DEPTH = 3  # exports and tests are looked for in folders so many levels below the run's
NEEDLE_KEYS = ("step", "length", "depth", "recall")


@dataclass(frozen=True)
class Piece:
    """A checkpoint or an exported model: its path under the run's folder, its size, and whether it is whole."""

    name: str
    size: int
    whole: bool = True


@dataclass(frozen=True)
class RunFolder:
    """The contents of a run's folder. What is not there is empty here, and `missing` says so."""

    path: Path
    config: dict[str, Any]
    starts: list[dict[str, Any]]
    data: dict[str, Any]
    model: dict[str, Any]
    events: Events
    needles: list[dict[str, Any]]
    checkpoints: list[Piece]
    exports: list[Piece]
    needle_tests: list[Path]
    chat_runs: list[Path]
    missing: list[str] = field(default_factory=list)


def read_folder(path: Path) -> RunFolder:
    """Read everything in a run's folder that a card shows.

    Raises:
        UserError: it is no folder, or holds no file of a run.
    """
    if not path.is_dir():
        raise UserError(f"run: {path} is no folder; give the trainer.default_root_dir of a longalign fit")
    signs = (CONFIG, TENSORBOARD, CHECKPOINTS, NEEDLES, ENVIRONMENT, DATA)
    if not any((path / name).exists() for name in signs):
        inside = sorted(entry.parent for entry in path.glob(f"*/{CONFIG}"))
        hint = f"; did you mean {inside[-1]}?" if inside else ""
        raise UserError(f"run: {path} is no run's folder: it has no {CONFIG}, {TENSORBOARD} or {CHECKPOINTS}{hint}")
    missing: list[str] = []
    environment = _read(path / ENVIRONMENT, missing, "versions and machine are not known")
    record = _read(path / DATA, missing, "hashes and counts of the data are not known")
    files = event_files(path)
    events = read_events(files)
    if not events.curves:
        missing.append(f"{TENSORBOARD}: no {'curve in its event files' if files else 'event file'}")
    checkpoints = _checkpoints(path / CHECKPOINTS)
    if not checkpoints:
        missing.append(f"{CHECKPOINTS}: none yet")
    below = _folders(path, DEPTH)
    return RunFolder(
        path=path,
        config=_read(path / CONFIG, missing, "the options are not known"),
        starts=[start for start in as_list(environment.get("starts")) if isinstance(start, dict)],
        data=record,
        model=_read(path / CHECKPOINTS / "hf" / "config.json", missing, "the model's shape is not known"),
        events=events,
        needles=_needles(path / NEEDLES, missing),
        checkpoints=checkpoints,
        exports=[Piece(str(f.relative_to(path)), _size(f)) for f in below if _is_model(f)],
        needle_tests=[f for f in below if (f / "summary.json").is_file() and (f / "settings.json").is_file()],
        chat_runs=[f for f in below if (f / "judgements.jsonl").is_file()],
        missing=missing,
    )


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one: files of a run may have been edited by anybody."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _read(file: Path, missing: list[str], consequence: str) -> dict[str, Any]:
    name = f"{file.parent.name}/{file.name}" if file.parent.name == "hf" else file.name
    try:
        text = file.read_text(encoding="utf-8-sig")
        value = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        missing.append(f"{name}: missing, {consequence}")
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        missing.append(f"{name}: unreadable, {consequence}")
    else:
        if isinstance(value, dict):
            return value
        missing.append(f"{name}: holds no mapping, {consequence}")
    return {}


def _needles(file: Path, missing: list[str]) -> list[dict[str, Any]]:
    """Rows of the needle probe, without those of undone steps (see `events`); none if the run has no probe."""
    rows: list[dict[str, Any]] = []
    bad = 0
    lines = file.read_bytes().split(b"\n") if file.is_file() else []
    for line in filter(bytes.strip, lines):
        row = _row(line)
        if row is None:
            bad += 1
            continue
        if rows and row["step"] < rows[-1]["step"]:  # the run was resumed from an earlier step
            rows = [kept for kept in rows if kept["step"] < row["step"]]
        rows.append(row)
    if bad:
        missing.append(f"{NEEDLES}: {counted(bad, 'unreadable line')} left out")
    return rows


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    numbers = [row.get(key) for key in NEEDLE_KEYS] if isinstance(row, dict) else [None]
    good = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    return {"exact": row["recall"] == 1, **row} if good else None


def _checkpoints(folder: Path) -> list[Piece]:
    from longalign.training.checkpoints import is_whole

    found = sorted(folder.glob("step*.ckpt"))
    return [Piece(f"{CHECKPOINTS}/{path.name}", _size(path), is_whole(path)) for path in found]


def _folders(path: Path, depth: int) -> list[Path]:
    """All folders up to `depth` levels below, without hidden ones, links, checkpoints and TensorBoard's."""
    if depth == 0:
        return []
    try:
        inside = sorted(f for f in path.iterdir() if f.is_dir() and not f.is_symlink() and not f.name.startswith("."))
    except OSError:
        return []
    inside = [f for f in inside if f.name not in (CHECKPOINTS, TENSORBOARD)]
    return [g for f in inside for g in (f, *_folders(f, depth - 1))]


def _is_model(folder: Path) -> bool:
    """Whether ``longalign export`` may have made it: it records the chat format beside the weights."""
    return (folder / "longalign.json").is_file() and any(folder.glob("*.safetensors"))


def _size(path: Path) -> int:
    files: Sequence[Path] = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files)
