"""A step is a `longalign` command whose result says that it is done; the runner calls those that are not."""

import json
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

log = logging.getLogger("longalign.reproduce")

SUMMARY = "summary.json"  # of a needle test


@dataclass(frozen=True)
class Step:
    """`longalign ARGUMENTS`, done when `result` is there and whole; its output goes to OUT/logs/NAME.log."""

    name: str
    arguments: tuple[str, ...]
    result: Path

    def is_done(self) -> bool:
        return self.result.exists() and (self.result.name != SUMMARY or is_whole(json.loads(self.result.read_text())))


Group = list[Step]  # steps that do not wait for each other


class Runner:
    """Runs steps as processes, `parallel` of a group at a time; a fit is a group of its own: its time is a result."""

    def __init__(self, out: Path, parallel: int) -> None:
        self.out, self.parallel = out, parallel
        self._running: set[subprocess.Popen[bytes]] = set()

    def __call__(self, group: Group) -> None:
        """Returns when all are done.

        Raises:
            UserError: a step has failed; those beside it have come to their end.
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
    """The command as it can be typed."""
    return shlex.join(("longalign", *step.arguments))


def is_whole(summary: dict[str, Any]) -> bool:
    """Whether a needle test has asked all of its prompts: one that was stopped has a summary, too."""
    return summary["prompts"] == summary["planned"]
