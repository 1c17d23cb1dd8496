"""Stop signals of a cluster's scheduler while `fit` has nothing to save yet: importing, reading data and weights.

Nothing heavy is imported here, so that the signals are handled from the start.
"""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from longalign.launch import this_launch

log = logging.getLogger(__name__)

PREEMPTED = 75  # EX_TEMPFAIL: start the same command again with --ckpt_path auto


class Preempted(SystemExit):
    """Raised on every rank after the checkpoint of a stop signal is written; carries exit status 75."""

    def __init__(self) -> None:
        super().__init__(PREEMPTED)


STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def preemptible() -> Iterator[None]:
    """Inside, a stop signal ends the process with status 75 also while ``StepCheckpoint`` does not handle signals yet.

    For example while the weights are read: there is nothing to save then.
    """
    is_main = threading.current_thread() is threading.main_thread()  # only the main thread may set handlers
    before = {number: signal.signal(number, _nothing_to_save) for number in STOP_SIGNALS if is_main}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing_to_save(number: int, frame: FrameType | None) -> None:
    log.info("%s: not training, nothing to save, exiting with status %d", signal.Signals(number).name, PREEMPTED)
    if number == signal.SIGUSR1 and this_launch().is_first:
        requeue()
    raise Preempted


def requeue() -> None:
    """Put this SLURM job back into the queue; nothing where there is none."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:  # such as a container without SLURM's commands
        log.warning("job %s is not in the queue again, submit it once more: %s", job, error)
