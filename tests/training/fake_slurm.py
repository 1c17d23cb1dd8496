"""Stands in for ``srun`` and ``scontrol`` on one machine: a job step of SLURM_NTASKS_PER_NODE real processes.

It sets the variables that SLURM documents for the tasks of a step, passes stop signals on, and ends all ``--wait``
seconds after the first has ended. ``scontrol`` writes down what it was asked.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def srun(words: list[str]) -> int:
    command = next(i for i, word in enumerate(words) if not word.startswith("--"))
    options = dict(word.split("=") for word in words[:command])
    tasks = int(os.environ["SLURM_NTASKS_PER_NODE"])
    step = {
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NUM_TASKS": str(tasks),
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_STEP_TASKS_PER_NODE": str(tasks),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NODEID": "0",
    }
    running = []
    for rank in range(tasks):
        own = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
        running.append(subprocess.Popen(words[command:], env={**os.environ, **step, **own}, start_new_session=True))
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: [os.killpg(task.pid, number) for task in running])
    while all(task.poll() is None for task in running):
        time.sleep(0.02)
    end = time.monotonic() + float(options["--wait"])
    while any(task.poll() is None for task in running):
        if time.monotonic() > end:
            for task in running:
                task.kill()
        time.sleep(0.02)
    return max(status if status >= 0 else 128 - status for task in running if (status := task.wait()) is not None)


def make_commands(folder: Path) -> None:
    """``srun`` and ``scontrol`` in a folder for PATH; the latter appends its words to ``folder/scontrol.txt``."""
    (folder / "srun").write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
    (folder / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {folder}/scontrol.txt\n')
    for name in ("srun", "scontrol"):
        (folder / name).chmod(0o755)


if __name__ == "__main__":
    sys.exit(srun(sys.argv[1:]))
