"""Running steps as processes on all GPUs, each as soon as the results that it reads are there."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from longalign.commands.reproduce.steps import Step, shown
from longalign.errors import UserError

log = logging.getLogger("longalign.reproduce")

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Running:
    """A step that has begun. places: those that it takes on its GPU; began: in seconds of `time.monotonic`."""

    step: Step
    process: subprocess.Popen[bytes]
    gpu: str
    places: int
    began: float


class Runner:
    """Runs steps side by side: on each GPU one that must be alone, or at most `parallel` others.

    Args:
        out: the folder of all files. parallel: steps at the same time on a GPU.
        gpus: their names as in CUDA_VISIBLE_DEVICES; by default `visible_gpus`.
    """

    def __init__(self, out: Path, parallel: int, gpus: Sequence[str] | None = None) -> None:
        self.out, self.parallel = out, parallel
        self._free = dict.fromkeys(gpus or visible_gpus(), parallel)  # places by GPU
        self._running: list[Running] = []

    def __call__(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Run the steps that are not done, in their order where they wait for a GPU; yields each one that has ended.

        A step waits for the earlier ones whose results it reads. If one fails, no other begins.

        Raises:
            UserError: a step has failed; this is raised when those that ran beside it have ended.
        """
        unfinished = [step for step in steps if not step.is_done()]
        failures: list[str] = []
        try:
            while unfinished:
                if not failures:
                    self._begin(unfinished)
                if not self._running:
                    break
                ended = self._next_ended()
                unfinished.remove(ended.step)
                if status := ended.process.returncode:
                    failures.append(f"{ended.step.name} ended with status {status}: see {self._log(ended.step)}")
                else:
                    yield ended.step
        finally:
            self._stop()
        if failures:
            raise UserError(failures[0])

    def _begin(self, unfinished: list[Step]) -> None:
        """Start the steps that wait for no other, as far as there are places."""
        begun = {running.step for running in self._running}
        usable = list(self._free)
        for n, step in enumerate(unfinished):
            if step in begun or any(step.reads(earlier.result) for earlier in unfinished[:n]):
                continue
            places = self.parallel if step.alone else 1
            if room := [gpu for gpu in usable if self._free[gpu] >= places]:
                self._start(step, min(room, key=self._free.__getitem__), places)  # the fullest: keeps others whole
            elif step.alone and usable:
                usable.remove(max(usable, key=self._free.__getitem__))  # no later step may take the places left there

    def _start(self, step: Step, gpu: str, places: int) -> None:
        log.info("%s", shown(step))
        self._log(step).parent.mkdir(parents=True, exist_ok=True)
        with open(self._log(step), "ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "longalign", *step.arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | ({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}),
            )
        self._free[gpu] -= places
        self._running.append(Running(step, process, gpu, places, time.monotonic()))

    def _next_ended(self) -> Running:
        while True:
            for running in self._running:
                if running.process.poll() is not None:
                    self._running.remove(running)
                    self._free[running.gpu] += running.places
                    log.info("  %s: %.0f s", running.step.name, time.monotonic() - running.began)
                    return running
            time.sleep(POLL_SECONDS)

    def _stop(self) -> None:
        """End the steps that still run."""
        for running in self._running:
            running.process.terminate()
        for running in self._running:
            running.process.wait()

    def _log(self, step: Step) -> Path:
        return self.out / "logs" / f"{step.name}.log"


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as in CUDA_VISIBLE_DEVICES; one empty name where there is none."""
    if not torch.cuda.is_available():
        return [""]
    if chosen := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return chosen.split(",")
    return [str(index) for index in range(torch.cuda.device_count())]
