"""The held-out loss before the first step and after the last, so that a curve tells the whole run."""

import logging
from typing import Any

from lightning.pytorch import Callback, Trainer

from longalign.data.datamodule import data_of

log = logging.getLogger(__name__)


class ValidateAtEnds(Callback):
    """Run the validation loop once before training (not when resuming), and at the end unless it has just run."""

    def __init__(self) -> None:
        self.last_step = -1

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if data_of(trainer).val_plan is None:
            log.warning("ValidateAtEnds: no rows are held out to validate on: set data.validation")
        if trainer.global_step == 0:
            validate_now(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        self.last_step = trainer.global_step

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if self.last_step != trainer.global_step:
            validate_now(trainer)


def validate_now(trainer: Trainer) -> None:
    """Run the validation loop of a fit, if there are held-out rows."""
    if trainer.enable_validation:
        trainer.validating = True
        loop = trainer.fit_loop.epoch_loop.val_loop
        loop.restarting = False  # a resumed run would leave out as many packs as the last validation had seen
        loop.run()
        trainer.training = True
