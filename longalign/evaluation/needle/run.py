"""Run a test: every cell without a good row is answered and scored, and its row is written at once.

Cells that have a good row are left out, cells whose row says that they failed are tried again.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from longalign.counted import counted
from longalign.errors import UserError
from longalign.evaluation.needle.answering import Answer, Answerer
from longalign.evaluation.needle.build import Draft, Prompt, around
from longalign.evaluation.needle.encoders import Encoder
from longalign.evaluation.needle.haystack import Haystack
from longalign.evaluation.needle.recipe import recipe
from longalign.evaluation.needle.scoring import score
from longalign.evaluation.needle.tasks import Cell
from longalign.files import read_json, write_json
from longalign.records import FAILED, OK, Records

log = logging.getLogger(__name__)

SETTINGS, RESULTS = "settings.json", "results.jsonl"


class PromptBuilder(Protocol):
    """`build.Builder` or `compat.CompatBuilder`."""

    haystack: Haystack
    encoder: Encoder
    max_new_tokens: int

    def draft(self, cell: Cell) -> Draft: ...

    def finish(self, draft: Draft) -> Prompt: ...


def keep_settings(out: Path, settings: Mapping[str, Any], records: Records) -> None:
    """Write a run's settings into its folder. If it has results other than failures, the settings must be theirs.

    Raises:
        UserError: the folder's results were made with other settings; the first that differs is named.
    """
    file = out / SETTINGS
    if all(row.get("status") == FAILED for row in records.rows()):
        out.mkdir(parents=True, exist_ok=True)
        write_json(file, dict(settings))
        return
    if not file.exists():
        raise UserError(f"out: {out} has results, but no {SETTINGS} that says how they were made; give a new --out")
    before = read_json(file)
    for key in (*settings, *before):
        old, new = before.get(key), settings.get(key)
        if old != new:
            raise UserError(
                f"out: {out} was made with {key} {_short(old)}, now it is {_short(new)}; give the same, or a new --out"
            )


def run_cells(
    cells: Sequence[Cell],
    builder: PromptBuilder,
    answerer: Answerer,
    records: Records,
    versions: Mapping[str, str],
    on_row: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, float]:
    """Answer and score the cells that have no good row yet; `on_row` is called with each row when it is written.

    Returns the seconds that were spent on `prompts` (laying them out, and waiting for their ids), in the `model`, and
    on `rows` (scoring and writing).
    """
    started, rows_s = time.monotonic(), 0.0
    waiting = [cell for cell in cells if not records.done(key(cell))]
    drafts = [builder.draft(cell) for cell in waiting]
    drafted = time.monotonic() - started
    if drafts:
        tokens = sum(draft.tokens for draft in drafts)
        log.info("%s laid out in %.1f s, %s tokens", counted(len(drafts), "prompt"), drafted, f"{tokens:,}")

    def done(prompt: Prompt, answer: Answer | str) -> None:
        nonlocal rows_s
        began = time.monotonic()
        row = _failed(prompt, answer) if isinstance(answer, str) else _row(prompt, answer, builder, versions)
        records.append(row)
        on_row(row)
        rows_s += time.monotonic() - began

    answerer.run(drafts, builder.finish, done)
    whole = time.monotonic() - started
    return {"prompts": whole - answerer.model_s - rows_s, "model": answerer.model_s, "rows": rows_s}


def key(cell: Cell) -> str:
    """The key of a cell's row: length/depth/seed."""
    return f"{cell.length}/{cell.depth:g}/{cell.seed}"


def _cell(prompt: Prompt) -> dict[str, Any]:
    return {"key": key(prompt.cell), **asdict(prompt.cell), "tokens": len(prompt.input_ids)}


def _failed(prompt: Prompt, reason: str) -> dict[str, Any]:
    return {**_cell(prompt), "status": FAILED, "error": reason}


def _row(prompt: Prompt, answer: Answer, builder: PromptBuilder, versions: Mapping[str, str]) -> dict[str, Any]:
    scored = score(prompt.item, answer.text)
    return {
        **_cell(prompt),
        "status": OK,
        "recall": scored.recall,
        "exact": scored.exact,
        "reached": list(prompt.draft.reached),
        "question": prompt.item.question,
        "answers": list(prompt.item.answers),
        "found": list(scored.found),
        "wrong": list(scored.wrong),
        "answer": answer.text,
        "ended": answer.ended,
        "new_tokens": answer.tokens,
        "seconds": round(answer.seconds, 3),
        **answer.details,
        "needles": list(prompt.item.needles),
        "around": around(prompt.draft, builder.haystack.text),
        "recipe": recipe(prompt, builder.haystack.source, builder.encoder, versions),
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
