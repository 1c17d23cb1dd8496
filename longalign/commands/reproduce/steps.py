"""Running the steps of the recipe: a step is a `longalign` command, and is done when its result exists."""

import logging
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longalign.errors import UserError
from longalign.files import read_json

log = logging.getLogger("longalign.reproduce")

SUMMARY = "summary.json"  # the file with the result of a needle test


@dataclass(frozen=True)
class Step:
    """The command `longalign ARGUMENTS`, which makes `result`; its output goes to OUT/logs/NAME.log."""

    name: str
    arguments: tuple[str, ...]
    result: Path

    def is_done(self) -> bool:
        """Whether the result exists and is complete."""
        return self.result.exists() and (self.result.name != SUMMARY or is_whole(read_json(self.result)))


Group = list[Step]
"""Steps that do not depend on each other. A fit is alone in its group, because its time is a result."""


class Runner:
    """Runs the steps of a group as processes, at most `parallel` at a time."""

    def __init__(self, out: Path, parallel: int) -> None:
        self.out, self.parallel = out, parallel
        self._running: set[subprocess.Popen[bytes]] = set()

    def __call__(self, group: Group) -> None:
        """Run the steps of a group that are not done, and wait for them.

        Raises:
            UserError: a step has failed; this is raised when the others of the group have ended.
        """
        waiting = [step for step in group if not step.is_done()]
        with ThreadPoolExecutor(self.parallel) as pool:
            try:
                for step, code in zip(waiting, pool.map(self._run, waiting), strict=True):
                    if code:
                        raise UserError(f"{step.name} ended with status {code}: see {self._log(step)}")
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(self._running):
                    process.terminate()
                raise

    def _log(self, step: Step) -> Path:
        return self.out / "logs" / f"{step.name}.log"

    def _run(self, step: Step) -> int:
        log.info("%s", shown(step))
        self._log(step).parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        command = [sys.executable, "-m", "longalign", *step.arguments]
        with (
            open(self._log(step), "ab") as stream,
            subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as process,
        ):
            self._running.add(process)
            code = process.wait()
            self._running.discard(process)
        log.info("  %s: %.0f s", step.name, time.monotonic() - started)
        return code


def shown(step: Step) -> str:
    """The step's command as one would type it in a shell."""
    return shlex.join(("longalign", *step.arguments))


def is_whole(summary: dict[str, Any]) -> bool:
    """Whether all prompts of a needle test were answered; a test that was stopped has a summary, too."""
    return summary["prompts"] - summary["failed"] == summary["planned"]
