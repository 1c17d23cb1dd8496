"""Which launcher started this process and which rank of a run it is, read from environment variables alone.

``torchrun`` and ``srun`` start every rank; without them ``fit`` starts the other ranks of its node. Nothing heavy is
imported here, since every command asks this first.
"""

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

PARENT = "LONGALIGN_PARENT"  # variable with the launcher's process id: a rank ends when that process has ended


@dataclass(frozen=True)
class Launch:
    """The place of this process among the ranks of a run; all numbers count from 0.

    Attributes:
        by: ``torchrun`` or ``srun``, or None where ``fit`` starts its ranks itself.
        rank: number among all ranks.
        local_rank: number among the ranks of this node.
        node_rank: number of this node.
        devices: ranks on each node; 0 if unknown, or if the nodes have different numbers of them.
        num_nodes: nodes in all; 0 if unknown.
    """

    by: str | None
    rank: int
    local_rank: int
    node_rank: int
    devices: int = 0
    num_nodes: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, the one that logs and reports mistakes."""
        return self.rank == 0


def this_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """Read the launchers' variables. torchrun's take precedence, since srun may start one torchrun a node."""

    def number(name: str, default: int = 0) -> int:
        return int(environment.get(name, default))

    if "TORCHELASTIC_RUN_ID" in environment:
        devices, nodes = number("LOCAL_WORLD_SIZE", 1), number("GROUP_WORLD_SIZE", 1)
        return Launch("torchrun", number("RANK"), number("LOCAL_RANK"), number("GROUP_RANK"), devices, nodes)
    # srun sets SLURM_STEP_*, an sbatch script and an allocation's shell do not have them; one task is no run of ranks
    if number("SLURM_STEP_NUM_TASKS") > 1:
        ranks = number("SLURM_PROCID"), number("SLURM_LOCALID"), number("SLURM_NODEID")
        return Launch("srun", *ranks, devices=_tasks_a_node(environment), num_nodes=number("SLURM_STEP_NUM_NODES", 1))
    local_rank, node_rank = number("LOCAL_RANK"), number("NODE_RANK")
    return Launch(None, number("RANK", local_rank + node_rank), local_rank, node_rank)


def _tasks_a_node(environment: Mapping[str, str]) -> int:
    text = environment.get("SLURM_STEP_TASKS_PER_NODE", environment["SLURM_STEP_NUM_TASKS"])
    found = re.fullmatch(r"(\d+)(\(x\d+\))?", text)  # "8(x2)": 8 on each of two nodes; "8,4": different numbers
    return int(found[1]) if found else 0


def how_it_ended(status: int) -> str:
    """The ``returncode`` of a subprocess in words: the status, or the signal that ended it."""
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}" + (" (out of memory?)" if -status == signal.SIGKILL else "")
