"""How the ranks of a run find each other and end together, so that no process waits for one that has died.

Without torchrun or srun, ``fit`` starts the ranks of its node by Lightning's launcher and watches them.
"""

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from lightning.fabric.plugins.environments import ClusterEnvironment, LightningEnvironment, SLURMEnvironment
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from longalign.launch import PARENT, Launch, how_it_ended

log = logging.getLogger(__name__)

LEAVE_S = 30  # the longest that ranks take to end one after another when all know why (a stop signal, a mistake)
WATCH_S = 0.2  # between two looks at the ranks
KILLED_S = 3  # after a rank was killed: time for the others to report errors of their own
LOST_RANK = re.compile(r"gloo/.*(closed by peer|reset by peer|Broken pipe)|ncclRemoteError", re.DOTALL)


class SrunEnvironment(ClusterEnvironment):
    """The ranks of a SLURM job step. They connect to its first node, unless MASTER_ADDR and MASTER_PORT are set."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    creates_processes_externally = True  # type: ignore[assignment]

    @property
    def main_address(self) -> str:
        nodes = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_JOB_NODELIST", "127.0.0.1"))
        return os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)

    @property
    def main_port(self) -> int:
        """A port that every rank can compute, different for each job step."""
        step = int(os.environ.get("SLURM_JOB_ID", 0)) + int(os.environ.get("SLURM_STEP_ID", 0))
        return int(os.environ.get("MASTER_PORT", 15000 + step % 10000))

    @staticmethod
    def detect() -> bool:
        return False  # `cluster_environment` decides, not Lightning

    def world_size(self) -> int:
        return self.launch.devices * self.launch.num_nodes

    def set_world_size(self, size: int) -> None:
        """srun has decided."""

    def global_rank(self) -> int:
        return self.launch.rank

    def set_global_rank(self, rank: int) -> None:
        """srun has decided."""

    def local_rank(self) -> int:
        return self.launch.local_rank

    def node_rank(self) -> int:
        return self.launch.node_rank


def cluster_environment(launch: Launch) -> ClusterEnvironment | None:
    """The trainer's cluster environment; None lets Lightning choose, which is right under torchrun.

    In a SLURM allocation but without srun, Lightning would choose SLURM and wait for ranks that nobody starts.
    """
    if launch.by == "srun":
        return SrunEnvironment(launch)
    return LightningEnvironment() if launch.by is None and "SLURM_JOB_ID" in os.environ else None


class RankLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher, which also watches the ranks that it starts: when one dies it says so and ends all."""

    def launch(self, function: Callable, *args: Any, trainer: Trainer | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        if self.cluster_environment.creates_processes_externally:  # DDP has a launcher in the other ranks, too
            return super().launch(function, *args, trainer=trainer, **kwargs)
        os.environ[PARENT] = str(os.getpid())
        try:
            self._call_children_scripts()
        finally:
            del os.environ[PARENT]  # it is meant for the children, not for later runs of this process
        watch = threading.Thread(target=self._watch, daemon=True, name="rank-watch")
        watch.start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        try:
            return function(*args, **kwargs)
        except Exception:
            watch.join(5 * WATCH_S)  # if a rank that died is the cause, the watch names it before this one ends of it
            raise

    def _watch(self) -> None:
        while not any(process.poll() for process in self.procs):
            if all(process.returncode == 0 for process in self.procs):
                return
            time.sleep(WATCH_S)
        number, process = next((i, p) for i, p in enumerate(self.procs, 1) if p.returncode)
        how = how_it_ended(process.returncode)
        if process.returncode < 0:
            log.error("rank %d of this node %s: ending the others", number, how)
            time.sleep(KILLED_S)
        else:
            time.sleep(LEAVE_S)  # by then this process has ended, if it can
            log.error("rank %d of this node %s, and the others wait for it: ending them", number, how)
        for other in self.procs:
            other.kill()
        os._exit(1)


def use_rank_launcher(trainer: Trainer) -> None:
    """Replace Lightning's launcher by `RankLauncher`, whatever the strategy."""
    launcher = trainer.strategy.launcher
    if type(launcher) is _SubprocessScriptLauncher:
        ours = RankLauncher(launcher.cluster_environment, launcher.num_processes, launcher.num_nodes)
        trainer.strategy._launcher = ours


def is_lost_rank(error: BaseException) -> bool:
    """Whether `error` is what a rank meets in a collective when another one has gone; only that one knows why."""
    return isinstance(error, RuntimeError) and LOST_RANK.search(str(error)) is not None


def end_with_parent() -> None:
    """End this rank when the process that started it is gone, or it may hold its GPU in a collective for an hour."""
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_watch_parent, args=(int(parent),), daemon=True, name="parent-watch").start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)  # saves a checkpoint, if all ranks still run
    time.sleep(LEAVE_S)
    os._exit(1)
