"""Figures of a run: its progress, duration, tokens, speed and losses, and commands for what can be done next."""

import shlex
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from longalign.commands.run_card.events import LOSS, Events
from longalign.commands.run_card.folder import CONFIG, RunFolder, as_dict, as_list
from longalign.counted import counted
from longalign.duration import duration

QUIET_S = 120  # a run has stopped if it logged nothing for so many seconds and for the time of 20 steps


@dataclass(frozen=True)
class Status:
    """state: finished, running or stopped. step: the last logged one. total: the run's steps, None if unknown."""

    state: str
    step: int
    total: int | None

    def __str__(self) -> str:
        if self.state == "finished":
            return f"finished, {counted(self.step, 'step')}"
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.state} at step {self.step:,}{of}" if self.step else f"{self.state} before step 1{of}"


def status(run: RunFolder, now: float | None = None) -> Status:
    """The run's progress, from its plan and curves. `now`: seconds since 1970, the present by default."""
    curve = run.events.curves.get(LOSS, [])
    step, total = (curve[-1].step if curve else 0), planned_steps(run)
    if total is not None and step >= total:
        return Status("finished", step, total)
    seconds = run.events.values("perf/seconds_per_step")
    quiet = max(QUIET_S, 20 * median(seconds) if seconds else 5 * QUIET_S)
    times = [p.time for points in run.events.curves.values() for p in points[-1:]]
    alive = (time.time() if now is None else now) - max([*times, _started(run)], default=0) < quiet
    return Status("running" if alive else "stopped", step, total)


def planned_steps(run: RunFolder) -> int | None:
    """Optimizer steps of the whole run: as recorded, or estimated by its epochs and steps so far; None if unknown."""
    recorded = as_dict(run.data.get("plan")).get("steps_of_the_run")
    if isinstance(recorded, int):
        return recorded
    epochs = value(run, "data.epochs")
    points = [p for p in run.events.curves.get("train/epoch", []) if p.value > 0]
    if not points or not isinstance(epochs, int | float):
        return None
    total = round(epochs * points[-1].step / points[-1].value)
    limit = value(run, "trainer.max_steps")
    return min(total, limit) if isinstance(limit, int) and limit > 0 else total


def value(run: RunFolder, key: str) -> Any:
    """The value of a dotted key of the config; None if it is missing."""
    found: Any = run.config
    for name in key.split("."):
        found = as_dict(found).get(name)
    return found


def model_name(run: RunFolder) -> str:
    """The model that was trained, as the config names it."""
    return str(value(run, "model.model") or run.model.get("_name_or_path") or "an unknown model")


def headline(run: RunFolder) -> list[tuple[str, str]]:
    """(name, figure) for the top of the card, without figures that are unknown."""
    events = run.events
    tokens, steps_s = sum(events.values("train/tokens")), sum(events.values("perf/seconds_per_step"))
    rows: list[tuple[str, str | None]] = [
        ("steps", f"{status(run).step:,}" if events.curves else None),
        ("tokens", short_number(tokens) if tokens else None),
        ("wall-clock", duration(wall_clock(events)) if events.spells else None),
        ("tokens/s", f"{tokens / steps_s:,.0f}" if tokens and steps_s else None),
        ("train loss", change(events, LOSS)),
        ("held-out loss", change(events, "val/loss")),
        ("needle recall", change(events, "needle/recall", 2)),
        ("MFU", _median(events, "perf/mfu", 2)),
        ("working share", _median(events, "perf/working_share", 2)),
        ("peak memory", _largest(events, "memory/peak_gib")),
    ]
    return [(name, text) for name, text in rows if text is not None]


def wall_clock(events: Events) -> float:
    """Seconds between the first and the last event of each start, summed: with validation, without pauses between."""
    return sum(end - start for start, end in events.spells)


def change(events: Events, tag: str, digits: int = 3) -> str | None:
    """A curve's first and last value, such as "2.310 → 1.204"; None if it has none."""
    values = events.values(tag)
    if not values:
        return None
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{values[0]:.{digits}f} → {values[-1]:.{digits}f}"


def commands(run: RunFolder) -> list[tuple[str, str]]:
    """(purpose, command): resume the run, and export, test or use its model."""
    folder, name = str(run.path), run.path.resolve().name
    model = f"{name}-model" if not run.exports else str(run.path / run.exports[-1].name)
    found = []
    if status(run).state != "finished" and run.config:
        found.append(("go on", _resume(run)))
    if run.checkpoints and not run.exports:
        found.append(("export", shlex.join(["longalign", "export", "--checkpoint", folder, "--target", model])))
    if run.checkpoints or run.exports:
        tests = f"{folder}/needle", f"{folder}/longbench-chat"
        found += [
            ("needle test", shlex.join(["longalign", "needle", "--model", model, "--out", tests[0]])),
            (
                "LongBench-Chat",
                shlex.join(["longalign", "longbench-chat", "predict", "--model", model, "--out", tests[1]]),
            ),
            ("talk to it", shlex.join(["longalign", "chat", "--model", model])),
        ]
    return found


def _resume(run: RunFolder) -> str:
    """The command that resumes the run with its saved config, which holds every option.

    If the folder was moved or renamed, its new path is given as an option.
    """
    launcher = {"torchrun": "bin/torchrun-fit", "srun": "sbatch bin/slurm-fit"}
    by = run.starts[-1].get("started_by") if run.starts else None
    words = [*launcher.get(str(by), "longalign fit").split(), "--config", str(run.path / CONFIG)]
    root = value(run, "trainer.default_root_dir")
    if root is None or Path(str(root)) != run.path:
        words += ["--trainer.default_root_dir", str(run.path)]
    return shlex.join([*words, *([] if by == "srun" else ["--ckpt_path", "auto"])])


def _started(run: RunFolder) -> float:
    try:
        return datetime.fromisoformat(str(run.starts[-1]["time"])).timestamp() if run.starts else 0.0
    except (KeyError, ValueError):
        return 0.0


def _median(events: Events, tag: str, digits: int) -> str | None:
    values = events.values(tag)
    return f"{median(values):.{digits}f}" if values else None


def _largest(events: Events, tag: str) -> str | None:
    values = events.values(tag)
    return f"{max(values):.1f} GiB" if values else None


def short_number(number: float) -> str:
    """12345678 -> 12.3 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(number) >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:,.0f}"


def size_text(size: int) -> str:
    """A number of bytes in MiB or GiB."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"


def source_rows(run: RunFolder) -> list[dict[str, Any]]:
    """The data sources in the run's record; entries without a name are left out."""
    return [row for row in as_list(run.data.get("sources")) if isinstance(row, dict) and "name" in row]
