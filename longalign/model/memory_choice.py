"""Which way a training step goes through the GPU's memory: the fastest that fits, or what would make it fit.

In: a `StepMemory` whose activations are to be decided, the free bytes of a GPU and of its host. Out: the same step with
a checkpointing mode, the number of layers that keep more, and whether activations and optimizer states wait in the
host's memory.
"""

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from longalign.errors import UserError
from longalign.model.checkpointing import Checkpointing
from longalign.model.memory import EIGHT_BIT_STATE, GIB, StepMemory

RESERVED = 2 * GIB  # CUDA context, NCCL and kernel workspaces, which torch's allocator does not see
SHARE_USED = 0.97  # of the free memory: the rest is for fragments and for what the model leaves out
HOST_SHARE_USED = 0.8  # of the host's: loaders, checkpoints and other processes grow, too
SHARE_OF_PEAK = 0.7  # of a card's peak rate: what matrix products of a training step reach
ELEMENTWISE = 0.07  # time of a layer's norms, rotary embedding and SwiGLU beside its matrix products (profiled, H200)
OFFLOADING = 0.05  # what offloading activations may cost where copies are hidden: less gained is not worth it
OFFLOADING_STATES = 0.3  # the same for optimizer states, as a share of the time of their copies (7B model, two H200)
WAITING = 2.0  # what a slow link counts at most for each of them, so that offloading is still better than mode full

Offload = Literal["auto", "none", "activations", "states", "all"]
OFFLOADED = {"none": (False, False), "activations": (True, False), "states": (False, True), "all": (True, True)}
"""What the user asks for -> whether (activations, optimizer states) wait in the host's memory."""


@dataclass(frozen=True)
class Host:
    """What the host offers one GPU: its share of free memory, and the speed of the link between them.

    bytes_per_flop: bytes that can go to the host in the time of one FLOP at the GPU's peak rate. At 0 (unknown)
    offloading counts as slow, and is chosen only for what does not fit otherwise.
    """

    free_bytes: float = math.inf
    bytes_per_flop: float = 0.0

    @property
    def budget(self) -> float:
        """Bytes that offloaded tensors may take."""
        return HOST_SHARE_USED * self.free_bytes


UNKNOWN_HOST = Host()


class NoRoom(UserError):
    """A step does not fit into the GPU, or what it offloads does not fit into the host's memory.

    estimate: of the step. component: the first one that is too much, in words. remedy: the smallest change that helps.
    nearest: the way to try nevertheless, which takes least of the GPU of those that the host has room for.
    """

    def __init__(self, step: StepMemory, budget: float, host_budget: float, nearest: StepMemory) -> None:
        self.nearest = nearest
        self.estimate = step.estimate()
        self.component = self.estimate.first_over(budget) or "offloaded tensors"
        self.remedy = cheapest_remedy(step, budget, host_budget)
        needs, there = f"{self.estimate.peak / GIB:.0f} GiB a GPU", f"{budget / GIB:.0f}"
        if self.estimate.peak <= budget:
            needs, there = f"{step.offloaded / GIB:.0f} GiB a GPU of the host's memory", f"{host_budget / GIB:.0f}"
        super().__init__(
            f"model.checkpointing: a step on packs of {step.tokens:,} tokens needs {needs}, there are {there} "
            f"({self.component} are too much): {self.remedy}"
        )


def choose_checkpointing(
    step: StepMemory,
    free_bytes: int,
    mode: Checkpointing | Literal["auto"] = "auto",
    offload: Offload = "auto",
    host: Host = UNKNOWN_HOST,
) -> StepMemory:
    """The fastest way through a step that fits into ``free_bytes`` of a GPU and into its host.

    Args:
        mode: a mode is kept (with ``step.kept_layers``); auto takes the way of the least ``slowness`` of those that
            keep the attention outputs and as much more as fits, of whole layers or of matrix products. If none fits,
            whole layers are computed again.
        offload: what waits in the host's memory; auto offloads what makes the step faster, or fit at all.

    Raises:
        NoRoom: nothing fits.
    """
    budget = usable(free_bytes)
    ways = _ways(step, mode, offload, host)
    of_host = [way for way in ways if way.offloaded <= host.budget]
    for found in of_host:
        if found.estimate().peak <= budget:
            return found
    nearest = min(of_host or ways, key=lambda way: way.estimate().peak)
    of_gpu = [way for way in ways if way.estimate().peak <= budget]
    told = min(of_gpu, key=lambda way: way.offloaded) if of_gpu else nearest
    raise NoRoom(told, budget, host.budget, nearest)


def usable(free_bytes: int) -> float:
    """Bytes that the components of an estimate may add up to on a GPU with so many free bytes."""
    return SHARE_USED * free_bytes - RESERVED


def _ways(step: StepMemory, mode: Checkpointing | Literal["auto"], offload: Offload, host: Host) -> list[StepMemory]:
    """The ways that the user's choices leave, the fastest first."""
    modes: tuple[Checkpointing, ...] = ("attention", "matmuls")
    kept: list[tuple[Checkpointing, int]]
    if mode == "auto":
        kept = [*product(modes, range(step.sizes.layers + 1)), ("full", 0)]
    else:
        kept = [(mode, 0 if mode == "none" else step.kept_layers)]
    places = OFFLOADED.values() if offload == "auto" else (OFFLOADED[offload],)
    ways = [
        replace(step, checkpointing=name, kept_layers=layers, offload=of_layers, states_offloaded=of_optimizer)
        for of_layers, of_optimizer in ((layers and mode != "none", states) for layers, states in places)
        for name, layers in kept
    ]
    return sorted(ways, key=lambda way: slowness(way, host))


def slowness(step: StepMemory, host: Host = UNKNOWN_HOST) -> float:
    """The time that a way through a step adds to one that keeps all activations on the GPU.

    In units of the time of one forward of all layers' matrix products, the mean of a step's micro-steps: activations
    are copied in each of them, optimizer states leave in the first one and come back in the last. Offloading costs
    little where the copies of a layer to the host take no longer than its forward, and those from there no longer than
    its backward.
    """
    again = step.computed_again + ELEMENTWISE * (1 - step.layers_kept_whole / step.sizes.layers)
    if step.checkpointing == "full":
        again += 10  # attention runs again too, and its share grows with the lengths: the last resort
    at_most = WAITING * (step.offload + step.states_offloaded)
    in_one_forward = step.tokens * 2 * step.sizes.parameters / SHARE_OF_PEAK * host.bytes_per_flop  # bytes to the host
    if not in_one_forward:
        return again + at_most
    activations = step.copied_activations / in_one_forward
    states = step.copied_states / in_one_forward / step.fill  # they leave and come back with any pack, short or long
    alone, together = _waits(activations), _waits(activations + states)
    of_states = (OFFLOADING_STATES * states + together - alone) / step.micro_steps
    return again + min(at_most, OFFLOADING * step.offload + alone + of_states)


def _waits(copies: float) -> float:
    """How long copies to the host outlast a layer's forward, and those from there its backward, in such forwards."""
    return max(0, copies - 1) + max(0, copies - 2)


def cheapest_remedy(step: StepMemory, budget: float, host_budget: float = math.inf) -> str:
    """The smallest change that makes a step fit: checkpointing, fused or 8-bit AdamW, more GPUs, or shorter packs."""
    smallest = replace(step, checkpointing="full", kept_layers=0, offload=True, states_offloaded=True)
    if smallest.offloaded > host_budget:
        smallest = replace(smallest, states_offloaded=False)
    if smallest.offloaded > host_budget:
        smallest = replace(smallest, offload=False)
    if smallest.estimate().peak <= budget:
        return "use --model.checkpointing auto and --model.offload auto"
    if replace(smallest, update_bytes=0).estimate().peak <= budget:
        return "use AdamW's fused kernel (--model.optimizer.fused true)"
    eight_bit = replace(smallest, state_bytes=min(step.state_bytes, EIGHT_BIT_STATE), update_bytes=0)
    if eight_bit.estimate().peak <= budget:
        return "use 8-bit optimizer states (--model.optimizer longalign.training.adamw_8bit.AdamW8bit)"
    for ranks in (2, 4, 8, 16, 32, 64):
        if ranks > step.ranks and replace(smallest, ranks=ranks).estimate().peak <= budget:
            packs = step.ranks * step.micro_steps
            more = f" and --data.packs_per_step {-(-packs // ranks) * ranks}" if packs % ranks else ""
            return f"use {ranks} GPUs{more}"
    tokens = step.tokens
    while tokens > 1024 and replace(smallest, tokens=tokens, ranks=max(step.ranks, 8)).estimate().peak > budget:
        tokens //= 2
    return f"use more GPUs and --data.max_length {tokens}"
