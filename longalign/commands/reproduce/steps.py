"""A step of the recipe: a `longalign` command, which is done when its result exists."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longalign.files import read_json

SUMMARY = "summary.json"  # the file with the result of a needle test


@dataclass(frozen=True)
class Step:
    """The command `longalign ARGUMENTS`, which makes `result`; its output goes to OUT/logs/NAME.log.

    alone: whether no other step may use the same GPU meanwhile, because the time it takes is a result, or because it
    reckons with memory that needle tests beside it would take for their batches.
    """

    name: str
    arguments: tuple[str, ...]
    result: Path
    alone: bool = False

    def is_done(self) -> bool:
        """Whether the result exists and is complete."""
        return self.result.exists() and (self.result.name != SUMMARY or is_whole(read_json(self.result)))

    def reads(self, path: Path) -> bool:
        """Whether the arguments name this file or folder."""
        named = re.compile(re.escape(str(path)) + r"(?![\w.-])")
        return any(map(named.search, self.arguments))


def shown(step: Step) -> str:
    """The step's command as one would type it in a shell."""
    return shlex.join(("longalign", *step.arguments))


def is_whole(summary: dict[str, Any]) -> bool:
    """Whether all prompts of a needle test were answered; a test that was stopped has a summary, too."""
    return summary["prompts"] - summary["failed"] == summary["planned"]
