"""What optimizers raise, as one line that names ``model.optimizer``."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.optim import Optimizer

from longalign.errors import UserError


@contextmanager
def while_made() -> Iterator[None]:
    """Raises UserError for a value that an optimizer does not take."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UserError(f"model.optimizer: {error}") from error


@contextmanager
def while_updating(optimizer: Optimizer) -> Iterator[None]:
    """Raises UserError for an optimizer that uses what shards cannot do, such as Adafactor and Rprop."""
    try:
        yield
    except RuntimeError as error:
        if "Sharding propagation failed" not in str(error):
            raise
        raise UserError(
            f"model.optimizer: {type(optimizer).__name__} cannot update sharded weights; take another one, such as "
            "torch.optim.AdamW, or --trainer.strategy ddp (auto on one device)"
        ) from error
