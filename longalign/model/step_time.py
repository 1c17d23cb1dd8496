"""How long a run takes, from its plan and the model's shape: what ``longalign plan`` says of hours.

In: tokens and squared lengths of each pack, the way a step goes through memory. Out: seconds. Rates of the H200 were
fitted to what ``bin/benchmark-gpu`` took (``tests/model/test_step_time.py``); those of other cards are estimates from
their data sheets, and are marked so.
"""

from dataclasses import dataclass

import numpy as np

from longalign.data.plan import BatchPlan, SequenceCost
from longalign.model.flops import ModelShape
from longalign.model.memory import StepMemory


@dataclass(frozen=True)
class Card:
    """A GPU: free GiB, FLOP/s of bf16 matrices and of attention, bytes/s of memory, between GPUs and to the host."""

    name: str
    free_gib: float
    gemm: float
    attention: float
    memory: float
    link: float
    host_link: float  # an estimate: of PCIe 5, 5, 4
    measured: bool = False


CARDS = (
    Card("H200 141 GB", 139.8, 615e12, 627e12, 4.0e12, 350e9, 50e9, measured=True),
    Card("H100 80 GB", 79.2, 615e12, 627e12, 2.8e12, 350e9, 50e9),  # the same chip with slower memory
    Card("A100 80 GB", 79.2, 240e12, 190e12, 1.7e12, 230e9, 25e9),  # FlashAttention 2
)

STEP_BYTES = 40  # a parameter: gradient norm, clipping, AdamW in fp32 read and write ten numbers
EIGHT_BIT_STEP_BYTES = 75  # likewise with AdamW8bit; of a profiled step of a 7B model on one H200
LAUNCH_S = 2e-3  # a layer and micro-step: the host cannot start its kernels in less (an assumption)
GATHERED_BYTES = 2 + 2 + 4  # a parameter: bf16 weights for forward and backward, fp32 gradients


def run_seconds(plan: BatchPlan, cost: SequenceCost, shape: ModelShape, step: StepMemory, card: Card) -> float:
    """Seconds of one epoch: the ranks wait for the dearest pack of each micro-step, and for the optimizer.

    cost: as the plan was made with. step: as ``choose_checkpointing`` found it. Talk between GPUs hides behind compute
    unless it takes longer. Small models wait for the host to start kernels.
    """
    squares = np.maximum(plan.pack_costs - cost.linear * plan.pack_tokens, 0) / cost.quadratic  # Σ L² of each pack
    again = step.computed_again
    linear = (3 + again) * 2 * shape.linear / card.gemm
    quadratic = (3.5 + again * (step.checkpointing == "full")) * 2 * shape.attention_width / card.attention
    packs = linear * plan.pack_tokens + quadratic * squares
    parameters = step.sizes.total_parameters
    talk = GATHERED_BYTES * parameters * (1 - 1 / step.ranks) / card.link
    micro_steps = packs.reshape(-1, plan.world_size).max(axis=1)
    least = max(talk, LAUNCH_S * step.sizes.layers)
    touched = STEP_BYTES if step.state_bytes >= 4 else EIGHT_BIT_STEP_BYTES
    update = touched * parameters / step.ranks / card.memory
    return float(np.maximum(micro_steps, least).sum() + plan.num_steps * update)
