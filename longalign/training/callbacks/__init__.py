"""Lightning callbacks: step metrics, checkpoints that survive a kill, validation before the first step, needles."""

from longalign.training.callbacks.checkpoint import StepCheckpoint
from longalign.training.callbacks.needle_probe import NeedleProbe
from longalign.training.callbacks.step_logger import StepLogger
from longalign.training.callbacks.validate_at_ends import ValidateAtEnds

__all__ = ["NeedleProbe", "StepCheckpoint", "StepLogger", "ValidateAtEnds"]
