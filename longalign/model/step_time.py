"""How long a run takes, from its plan and the model's shape: what ``longalign plan`` says of hours.

In: the plan with its costs, and how a step keeps its activations. Out: seconds. The rates of the H200 were fitted to
measurements by ``bin/benchmark-gpu`` (``tests/model/test_step_time.py``); those of other cards are estimates from their
data sheets, and are marked so.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longalign.data.plan import BatchPlan, SequenceCost
from longalign.model.flops import ModelShape
from longalign.model.memory import StepMemory


@dataclass(frozen=True)
class Card:
    """A GPU: free memory in GiB; FLOP/s that bf16 matrix products (gemm) and attention reach; bytes/s of its memory,
    of the link between GPUs and of that to the host. measured: on such a card, or else estimated from data sheets.
    """

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

STEP_BYTES = 40  # memory traffic a parameter: gradient norm, clipping and AdamW in fp32 read and write ten numbers
EIGHT_BIT_STEP_BYTES = 75  # the same with AdamW8bit, from a profiled step of a 7B model on one H200
LAUNCH_S = 7.5e-3  # the least time of a layer in a micro-step, as the host has to start its kernels (SmolLM2, one H200)
GATHERED_BYTES = 2 + 2 + 4  # between GPUs, a parameter: bf16 weights for forward and backward, fp32 gradients


def run_seconds(plan: BatchPlan, cost: SequenceCost, shape: ModelShape, step: StepMemory, card: Card) -> float:
    """Seconds of one epoch, see ``step_seconds``."""
    return float(step_seconds(plan, cost, shape, step, card).sum())


def step_seconds(
    plan: BatchPlan, cost: SequenceCost, shape: ModelShape, step: StepMemory, card: Card
) -> NDArray[np.float64]:
    """Seconds of each step, float64[steps]: in a micro-step the ranks wait for the longest pack, then the optimizer.

    cost: the one that the plan was made with. step: as ``choose_checkpointing`` found it. A micro-step takes at least
    as long as its communication between GPUs, which otherwise runs behind the computation, and as starting its kernels.
    (Weights that are gathered once a step take their part in each of its micro-steps.)
    """
    squares = np.maximum(plan.pack_costs - cost.linear * plan.pack_tokens, 0) / cost.quadratic  # Σ L² of each pack
    again = step.computed_again
    linear = (3 + again) * 2 * shape.linear / card.gemm
    quadratic = (3.5 + again * (step.checkpointing == "full")) * 2 * shape.attention_width / card.attention
    packs = linear * plan.pack_tokens + quadratic * squares
    parameters = step.sizes.total_parameters
    communication = GATHERED_BYTES * parameters * (1 - 1 / step.ranks) / card.link
    communication /= step.micro_steps if step.gathered_once else 1
    micro_steps = packs.reshape(plan.num_steps, -1, plan.world_size).max(axis=2)
    least = max(communication, LAUNCH_S * step.sizes.layers)
    traffic = STEP_BYTES if step.state_bytes >= 4 else EIGHT_BIT_STEP_BYTES
    update = traffic * parameters / step.ranks / card.memory
    return np.maximum(micro_steps, least).sum(axis=1) + update
