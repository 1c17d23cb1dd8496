"""The learning rate of the paper: linear warm-up over 3 % of the steps, then a cosine to zero."""

import math
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class WarmupCosine(LRScheduler):
    """Linear warm-up, then half a cosine down to ``final_share`` of the base rate. Steps count optimizer updates.

    Args:
        warmup_share: share of all steps (0-1) over which the rate rises linearly to its base.
        final_share: share of the base rate (0-1) that is left at the end.
        total_steps: steps of the whole run; ``fit`` fills it in from the plan.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_share: float = 0.03,
        final_share: float = 0.0,
        total_steps: int | None = None,
    ) -> None:
        self.warmup_share, self.final_share, self.total_steps = warmup_share, final_share, total_steps
        super().__init__(optimizer)

    def set_total_steps(self, total_steps: int) -> None:
        """Tell the length of the run, and set the rate of the step to come accordingly."""
        self.total_steps = total_steps
        self._set_rates()

    def _set_rates(self) -> None:
        rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates

    def factor(self, step: int) -> float:
        """Share of the base rate at ``step`` (from 0)."""
        if self.total_steps is None:
            return 1.0
        warmup = max(1, round(self.warmup_share * self.total_steps))
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, self.total_steps - warmup))
        return self.final_share + (1 - self.final_share) * 0.5 * (1 + math.cos(math.pi * progress))

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each parameter group at the current step."""
        return [base * self.factor(self.last_epoch) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """The position alone: a resumed run takes its length from its own plan, and its base rate from its config."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the position. The optimizer, read before, has the rate of a run that may have been shorter."""
        self.last_epoch = state_dict["last_epoch"]
        self._set_rates()
