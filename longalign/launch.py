"""Who started this process, and which rank of a run it is: from the environment, before anything heavy is imported.

``torchrun`` and ``srun`` start every rank themselves; otherwise ``fit`` starts the ranks of its node.
"""

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

PARENT = "LONGALIGN_PARENT"  # process id of the launcher, in the environment of the ranks that end with it


@dataclass(frozen=True)
class Launch:
    """by: torchrun or srun, None where ``fit`` starts its ranks itself.

    rank: of all; local_rank: of the `devices` of this node; node_rank: of `num_nodes`. devices, num_nodes: 0 where they
    are not known, devices also where nodes have unlike numbers.
    """

    by: str | None
    rank: int
    local_rank: int
    node_rank: int
    devices: int = 0
    num_nodes: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that talks to the user."""
        return self.rank == 0


def this_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """What the launchers' variables say (torchrun's win: it may itself be started by srun, once a node)."""

    def number(name: str, default: int = 0) -> int:
        return int(environment.get(name, default))

    if "TORCHELASTIC_RUN_ID" in environment:
        devices, nodes = number("LOCAL_WORLD_SIZE", 1), number("GROUP_WORLD_SIZE", 1)
        return Launch("torchrun", number("RANK"), number("LOCAL_RANK"), number("GROUP_RANK"), devices, nodes)
    # of the job step, which an sbatch script itself and a shell in an allocation are not; one task is any process
    if number("SLURM_STEP_NUM_TASKS") > 1:
        ranks = number("SLURM_PROCID"), number("SLURM_LOCALID"), number("SLURM_NODEID")
        return Launch("srun", *ranks, devices=_tasks_a_node(environment), num_nodes=number("SLURM_STEP_NUM_NODES", 1))
    local_rank, node_rank = number("LOCAL_RANK"), number("NODE_RANK")
    return Launch(None, number("RANK", local_rank + node_rank), local_rank, node_rank)


def _tasks_a_node(environment: Mapping[str, str]) -> int:
    text = environment.get("SLURM_STEP_TASKS_PER_NODE", environment["SLURM_STEP_NUM_TASKS"])
    found = re.fullmatch(r"(\d+)(\(x\d+\))?", text)  # 8(x2): 8 on each of two nodes; 8,4: not alike
    return int(found[1]) if found else 0


def how_it_ended(status: int) -> str:
    """An exit status of ``subprocess`` in words."""
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}" + (" (out of memory?)" if -status == signal.SIGKILL else "")
