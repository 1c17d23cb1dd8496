"""Lightning callbacks: step metrics, progress, checkpoints that survive a kill, validation before the first step."""

from longalign.training.callbacks.checkpoint import StepCheckpoint
from longalign.training.callbacks.step_logger import StepLogger
from longalign.training.callbacks.validate_at_ends import ValidateAtEnds

__all__ = ["StepCheckpoint", "StepLogger", "ValidateAtEnds"]
