"""``longalign fit`` and ``longalign validate``: run the trainer that a config describes."""

import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from longalign.commands.interrupt import terminable
from longalign.counted import counted
from longalign.files import write_json
from longalign.preemption import preemptible

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Run ``fit`` or ``validate`` (``name``) with the options in ``args``.

    Raises:
        UserError: there is a mistake in the config or the data, or the machine cannot run it.
    """
    with preemptible() if name == "fit" else terminable():
        from longalign.commands.cli import LongAlignCLI  # here, as it takes seconds, in which a stop signal may come

        trainer = LongAlignCLI([name, *args]).trainer
    if name == "validate" and trainer.is_global_zero:
        show_validation(trainer)
    if name == "fit":
        say_what_next(trainer)


def say_what_next(trainer: "Trainer") -> None:
    """Log the commands that show a run's curves and export its model, where it has a checkpoint."""
    from longalign.training.callbacks.checkpoint import checkpoint_folder
    from longalign.training.checkpoints import newest_checkpoint

    if newest_checkpoint(checkpoint_folder(trainer)):
        root = shlex.quote(str(trainer.default_root_dir))
        log.info("curves: tensorboard --logdir %s", root)
        log.info("model:  longalign export --checkpoint %s --target FOLDER", root)


def show_validation(trainer: "Trainer") -> None:
    """Print the losses of the held-out rows, and write them to ``validation.json`` in ``trainer.default_root_dir``."""
    from longalign.commands.screen import make_console, make_table, show
    from longalign.training.callbacks import StepLogger

    logger = next(callback for callback in trainer.callbacks if isinstance(callback, StepLogger))  # type: ignore[attr-defined]
    found = logger.validated
    write_json(Path(trainer.default_root_dir) / "validation.json", found)
    table = make_table("held out", "loss")
    for name, value in found.items():
        if name.startswith("loss"):
            table.add_row(name.removeprefix("loss").strip("_").replace("/", " ") or "all", f"{value:.4f}")
    counts = (counted(int(found[f"{what}s"]), what) for what in ("sequence", "token", "target"))
    show(make_console(), table, ", ".join(counts))
