"""The held-out loss before the first step, so that a curve starts where the model started."""

from typing import Any

from lightning.pytorch import Callback, Trainer


class ValidateFirst(Callback):
    """Run the validation loop once before training, logged at step 0; not when resuming."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.global_step > 0 or not trainer.enable_validation:
            return
        trainer.validating = True
        trainer.fit_loop.epoch_loop.val_loop.run()
        trainer.training = True
