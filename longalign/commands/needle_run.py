"""The work of ``longalign needle`` when all is prepared: answers, ratings, and reports, also of a part."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longalign.api.client import Endpoint
from longalign.commands.needle_models import AnySource
from longalign.errors import UserError
from longalign.evaluation.needle.judge import judge_rows, judge_summary
from longalign.evaluation.needle.report import last_run, write_reports
from longalign.evaluation.needle.run import PromptBuilder, key, run_cells
from longalign.evaluation.needle.tasks import Cell
from longalign.records import FAILED, OK, Records

log = logging.getLogger(__name__)

RATINGS = "judgements.jsonl"


@dataclass(frozen=True)
class NeedleRun:
    """A test with its files.

    records: the rows so far. waiting: the cells without a good row. judge: rates the answers, if there is one.
    started: when the command began, in seconds of `time.monotonic`.
    """

    folder: Path
    records: Records
    cells: list[Cell]
    waiting: list[Cell]
    builder: PromptBuilder
    judge: Endpoint | None
    started: float

    def run(self, source: AnySource, settings: dict[str, Any]) -> dict[str, Any]:
        """Answer the waiting cells, have all answers rated, and write the reports; returns the summary.

        Raises:
            UserError, KeyboardInterrupt: something has ended it early. There are reports of the rows until then.
        """
        more = last_run(self.folder, self._rows())
        with self._reports_of_a_part(settings, more):
            if self.waiting:
                self._answer(source, more)
            if self.judge is not None:
                with Records(self.folder / RATINGS) as ratings:
                    judge_rows(self._rows(), self.judge, ratings)
        return self._report(settings, more)

    def _answer(self, source: AnySource, more: dict[str, Any]) -> None:
        """Answer and score the waiting cells; versions and times go into `more`, the further entries of the summary."""
        answerer, more["versions"] = source.open(self.builder.encoder)
        load = time.monotonic() - self.started
        progress = _Progress(self.waiting, self.records)
        spent = run_cells(self.cells, self.builder, answerer, self.records, more["versions"], progress)
        seconds = {"load": load, **spent, "command": time.monotonic() - self.started}
        more |= {"seconds": seconds, "model_share": spent["model"] / seconds["command"], "asked": len(self.waiting)}

    @contextmanager
    def _reports_of_a_part(self, settings: dict[str, Any], more: dict[str, Any]) -> Iterator[None]:
        """If the block is stopped by a signal or an error, write reports of the rows that are there, and raise it."""
        try:
            yield
        except (KeyboardInterrupt, UserError) as stop:
            if not self._rows():
                raise
            summary, page = self._report(settings, more), self.folder / "report.html"
            part = f"{summary['prompts']} of {summary['planned']} prompts asked so far, see {page}"
            if isinstance(stop, KeyboardInterrupt):
                raise type(stop)(part) from None
            log.info("%s", part)
            raise

    def _report(self, settings: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        rated = {}
        if self.judge is not None:
            rated["judge"] = judge_summary(Records(self.folder / RATINGS), self._rows(), self.judge)
        return write_reports(self.folder, self._rows(), settings, more | rated)

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row in map(self.records.get, map(key, self.cells)) if row is not None]


class _Progress:
    """Logs failed rows, and the recall of a length when all its waiting cells have been answered."""

    def __init__(self, waiting: list[Cell], records: Records) -> None:
        self._left, self._records = Counter(cell.length for cell in waiting), records
        self._started = time.monotonic()

    def __call__(self, row: dict[str, Any]) -> None:
        if row["status"] == FAILED:
            log.warning("%s: failed: %s", row["key"], row["error"])
        self._left[row["length"]] -= 1
        if self._left[row["length"]]:
            return
        rows = [known for known in self._records.rows() if known["length"] == row["length"]]
        recalls = [known["recall"] for known in rows if known["status"] == OK]
        if recalls:
            mean = sum(recalls) / len(recalls)
            seconds = time.monotonic() - self._started
            log.info("%s tokens: recall %.2f (n=%d), %.1f s", f"{row['length']:,}", mean, len(recalls), seconds)
