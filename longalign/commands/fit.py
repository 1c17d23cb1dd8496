"""``longalign fit`` and ``longalign validate``: the trainer, by config."""

import logging

from longalign.commands.cli import LongAlignCLI
from longalign.training.callbacks.checkpoint import checkpoint_folder
from longalign.training.checkpoints import newest_checkpoint

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and run; mistakes are UserErrors."""
    trainer = LongAlignCLI([name, *args]).trainer
    if name == "fit" and newest_checkpoint(checkpoint_folder(trainer)):
        root = trainer.default_root_dir
        log.info("curves: tensorboard --logdir %s", root)
        log.info("model:  longalign export --checkpoint %s --target FOLDER", root)
