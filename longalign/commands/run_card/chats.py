"""The LongBench-Chat section of a run's card: means by group, with intervals, of the judged answers."""

import logging
from collections.abc import Sequence
from pathlib import Path

from longalign.commands.run_card.markup import table
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.compare import Comparison, compare, read_run
from longalign.evaluation.longbench_chat.tables import heading, mean_table

log = logging.getLogger(__name__)


def read_comparisons(found: Sequence[Path], given: Sequence[Path]) -> list[Comparison]:
    """Compare the judged runs in one table if they were judged in the same way, else each in a table of its own.

    Raises:
        UserError: a folder in `given` has no ratings. One in `found` is left out with a warning.
    """
    runs = []
    for folder in dict.fromkeys([*found, *given]):
        try:
            runs.append(read_run(str(folder)))
        except UserError as error:
            if folder in given:
                raise UserError(f"longbench_chat: {error}") from error
            log.warning("%s; left out", error)
    try:
        return [compare(runs)] if runs else []
    except UserError:  # they have different judges or cases
        return [compare([run]) for run in runs]


def title(comparison: Comparison) -> str:
    """A line that says which judge rated, and how."""
    return heading(comparison).removeprefix("# ")


def tables(comparisons: Sequence[Comparison]) -> str:
    """The tables as HTML."""
    return "".join(table(*mean_table(one), caption=title(one)) for one in comparisons)
