"""Ranks that meet, and end together: no process is left waiting for one that died.

``fit`` starts the ranks of its node by Lightning's launcher with our watch; under torchrun and srun they are there.
"""

import logging
import os
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

LEAVE_S = 30  # ranks that leave one after another by agreement (a stop signal, a mistake they all know) take no longer
WATCH_S = 0.2  # between two looks at the ranks
KILLED_S = 3  # after a rank was killed: time for the others to say what they saw


class SrunEnvironment(ClusterEnvironment):
    """The ranks of a job step of SLURM; they meet at its first node. MASTER_ADDR and MASTER_PORT overrule."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    creates_processes_externally = True  # type: ignore[assignment]

    @property
    def main_address(self) -> str:
        nodes = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_JOB_NODELIST", "127.0.0.1"))
        return os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)

    @property
    def main_port(self) -> int:
        """Known to all ranks without a word, and another for each job step."""
        step = int(os.environ.get("SLURM_JOB_ID", 0)) + int(os.environ.get("SLURM_STEP_ID", 0))
        return int(os.environ.get("MASTER_PORT", 15000 + step % 10000))

    @staticmethod
    def detect() -> bool:
        return False  # it is chosen by `cluster_environment`

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
    """What the trainer shall know of the cluster; None leaves it to Lightning, which knows torchrun.

    Inside an allocation of SLURM but outside srun, Lightning would wait for ranks that nobody starts.
    """
    if launch.by == "srun":
        return SrunEnvironment(launch)
    return LightningEnvironment() if launch.by is None and "SLURM_JOB_ID" in os.environ else None


class RankLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher; a rank that dies is named, and then the others end, too."""

    def launch(self, function: Callable, *args: Any, trainer: Trainer | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        if self.cluster_environment.creates_processes_externally:  # DDP has a launcher in the other ranks, too
            return super().launch(function, *args, trainer=trainer, **kwargs)
        os.environ[PARENT] = str(os.getpid())
        try:
            self._call_children_scripts()
        finally:
            del os.environ[PARENT]  # it is theirs; this process may run again
        threading.Thread(target=self._watch, daemon=True, name="rank-watch").start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        try:
            return function(*args, **kwargs)
        except Exception:
            time.sleep(2 * WATCH_S)  # if a rank that died is the cause, the watch names it before this one ends of it
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
    """Put `RankLauncher` where Lightning's stands, for whatever strategy."""
    launcher = trainer.strategy.launcher
    if type(launcher) is _SubprocessScriptLauncher:
        ours = RankLauncher(launcher.cluster_environment, launcher.num_processes, launcher.num_nodes)
        trainer.strategy._launcher = ours


def end_with_parent() -> None:
    """Stop this rank when its launcher is gone: it may wait in a collective, a GPU in its hands, for an hour."""
    if parent := os.environ.get(PARENT):  # which may be gone by now
        threading.Thread(target=_watch_parent, args=(int(parent),), daemon=True, name="parent-watch").start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)  # save, if all ranks are there
    time.sleep(LEAVE_S)
    os._exit(1)
