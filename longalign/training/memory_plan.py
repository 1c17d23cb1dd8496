"""How a training step keeps its activations on the GPUs at hand: as the user asks, or in the fastest way that fits.

In: the model module's memory settings, what is free on every rank's GPU and host, the longest packs. Out: a
`StepMemory`, the same on every rank.
"""

import logging
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch

from longalign.errors import UserError, check_least
from longalign.model.checkpointing import Checkpointing
from longalign.model.hardware import device_peak_flops, free_host_bytes, host_link_bytes_per_s
from longalign.model.memory import GIB, LayerSizes, StepMemory
from longalign.model.memory_choice import (
    OFFLOADED,
    UNKNOWN_HOST,
    Host,
    NoRoom,
    Offload,
    cheapest_remedy,
    choose_checkpointing,
    slowness,
)
from longalign.training.strategy import ShardStrategy

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MemorySettings:
    """The options of ``LongAlignModule`` with these names.

    Raises:
        UserError: one is out of its range, or two of them contradict each other.
    """

    checkpointing: Literal["auto", "none", "full", "attention", "matmuls"]
    kept_layers: int
    offload: Offload
    gpu_memory_gib: float | None

    def __post_init__(self) -> None:
        check_least("model.kept_layers", self.kept_layers, 0)
        if self.gpu_memory_gib is not None and not self.gpu_memory_gib > 0:
            raise UserError(f"model.gpu_memory_gib: got {self.gpu_memory_gib}, expected more than 0")
        if self.kept_layers and self.checkpointing in ("auto", "none"):
            raise UserError(
                f"model.kept_layers: goes with checkpointing attention, matmuls or full, got {self.checkpointing}"
            )
        if self.checkpointing == "matmuls" and not self.kept_layers:
            raise UserError("model.kept_layers: checkpointing matmuls needs the number of layers that keep them, got 0")
        if self.offload == "activations" and self.checkpointing == "none":
            raise UserError("model.offload: goes with checkpointing auto, attention, matmuls or full, got none")

    def unplanned(self, sizes: LayerSizes) -> StepMemory:
        """What is asked for, without a GPU's memory to plan with: auto means attention, and no offloading."""
        mode: Checkpointing = "attention" if self.checkpointing == "auto" else self.checkpointing
        activations, states = OFFLOADED["none" if self.offload == "auto" else self.offload]
        step = StepMemory(sizes, tokens=0, checkpointing=mode, kept_layers=self.kept_layers)
        return replace(step, offload=activations, states_offloaded=states)

    def fit_into(self, step: StepMemory, free_bytes: int, host: Host = UNKNOWN_HOST) -> StepMemory:
        """The way that these settings allow a step on a GPU with so much free memory, of which it uses at most
        ``gpu_memory_gib``, and on such a host. Weights are gathered once a step where no more is computed again for it.

        Raises:
            NoRoom: it does not fit.
        """
        step = replace(step, kept_layers=self.kept_layers)
        choose = partial(choose_checkpointing, mode=self.checkpointing, offload=self.offload, host=host)
        found = choose(replace(step, gathered_once=False), self._room(free_bytes))
        if not step.gathered_once:
            return found
        with suppress(NoRoom):
            once = choose(step, self._room(free_bytes))
            return once if slowness(once, host) <= slowness(found, host) else found
        return found

    def _room(self, free_bytes: int) -> int:
        return free_bytes if self.gpu_memory_gib is None else min(free_bytes, int(self.gpu_memory_gib * GIB))

    def plan(self, step: StepMemory, free_bytes: int, host: Host, others: str = "") -> StepMemory:
        """``fit_into``, and log what is expected.

        A mode that the user asks for by name is tried even if the estimate says that it does not fit. others: what
        ``beside_other_programs`` says of the GPU.

        Raises:
            UserError: checkpointing is auto and nothing fits.
        """
        try:
            found = self.fit_into(step, free_bytes, host)
        except NoRoom as error:
            if self.checkpointing == "auto":
                raise UserError(f"{error}; this run is{others.removeprefix(',')}" if others else str(error)) from error
            log.warning("%s", error)
            return error.nearest
        log.info("%s of %.1f", found, self._room(free_bytes) / GIB)
        return found

    def explain_out_of_memory(self, step: StepMemory | None, used_gib: float) -> str:
        """The end of a line on a run that ran out of GPU memory: what was expected, if it was, and what to change."""
        if step is None or not step.tokens:
            return ": try --data.max_length with fewer tokens"
        expected = step.estimate().peak
        if self.checkpointing == "auto" and step.checkpointing != "full":
            remedy = f"keep fewer activations: --model.gpu_memory_gib {0.9 * (self.gpu_memory_gib or used_gib):.0f}"
        else:
            at_most = step.offloaded if self.checkpointing == self.offload == "auto" else math.inf  # more had no room
            remedy = cheapest_remedy(step, 0.9 * expected, at_most)
        return f" where {expected / GIB:.1f} were expected: {remedy}"


def free_memory(strategy: ShardStrategy, gpus_of_host: int) -> tuple[int, Host]:
    """Free bytes of a GPU, and its share of its host: the least over all ranks. Every rank must call it."""
    device = strategy.root_device
    host = free_host_bytes()
    peak = device_peak_flops(device)
    strategy.barrier("link")  # all GPUs of a host measure at once, as they share its memory's speed in training
    least = torch.tensor(
        [
            torch.cuda.mem_get_info(device)[0],
            math.inf if host is None else host / gpus_of_host,
            0.0 if peak is None else host_link_bytes_per_s(device) / peak,
        ],
        dtype=torch.float64,
        device=device,
    )
    free_bytes, host_share, bytes_per_flop = strategy.reduce(least, reduce_op="min").tolist()
    return int(free_bytes), Host(host_share, bytes_per_flop)
