"""``longalign needle rebuild``: print the prompt of a row of a needle test's results."""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from longalign.commands.needle_models import named_encoder
from longalign.commands.parse import call
from longalign.errors import UserError
from longalign.evaluation.needle.recipe import rebuild
from longalign.evaluation.needle.run import RESULTS
from longalign.records import Records

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and print a prompt."""
    call(rebuild_row, name, args)


def rebuild_row(
    out: str,
    row: str,
    form: Literal["text", "messages", "ids"] = "text",
    haystack: str | None = None,
    tokenizer: str | None = None,
    gguf_file: str | None = None,
) -> None:
    """Print the prompt of a row of results.jsonl, made again from its recipe, after its hashes are checked.

    Args:
        out: folder of the results.
        row: line of the row in results.jsonl, counted from 1, or its key (length/depth/seed), such as 1000/10/0.
        form: text prints the user's message (document and question), messages all messages as JSON, ids the token ids.
        haystack: folder of the texts, if it is not where it was during the test.
        tokenizer: folder or hub name of the tokenizer, if it is not where it was; token ids are checked with it.
        gguf_file: a GGUF file in the tokenizer's folder.
    """
    records = Records(Path(out).expanduser() / RESULTS)
    if not len(records):
        raise UserError(f"out: no {RESULTS} with rows in {out}")
    found = _find_row(records, row)
    encoder = _encoder_of(found, tokenizer, gguf_file, needed=form == "ids")
    rebuilt = rebuild(found, haystack=haystack, encoder=encoder)
    checked = "text and ids are" if rebuilt.input_ids is not None else "text is"
    log.info("row %s: its %s those of the run (sha256)", found["key"], checked)
    if form == "ids":
        text = " ".join(map(str, rebuilt.input_ids or []))
    elif form == "messages":
        text = json.dumps(rebuilt.messages, ensure_ascii=False)
    else:
        text = rebuilt.messages[-1]["content"]
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()


def _find_row(records: Records, row: str) -> Mapping[str, Any]:
    if not row.isdecimal():
        found = records.get(row)
        if found is None:
            raise UserError(f"row: no row has the key {row!r}; expected a number, or a key such as 1000/10/0")
        return found
    lines = records.path.read_bytes().split(b"\n")
    try:
        if int(row) > 0:
            return json.loads(lines[int(row) - 1])
    except (IndexError, ValueError):  # no such line, an empty one, or one that a killed run has cut off
        pass
    raise UserError(f"row: {records.path} has no row in line {row}; lines are counted from 1")


def _encoder_of(row: Mapping[str, Any], tokenizer: str | None, gguf_file: str | None, *, needed: bool) -> Any:
    made = row.get("recipe") or {}
    identity = made.get("tokenizer")
    if not identity:
        return None
    try:
        return named_encoder(tokenizer or identity["name"], identity["chat_format"], gguf_file)
    except UserError as error:
        if needed or tokenizer or made.get("compat"):
            raise
        log.warning("the token ids are not checked: %s", error)
        return None
