"""Turning a published data set into rows that can be trained on.

In: a path or hub name, and choices. Out: rows `{"id", "source", "language", "messages"}` in the order of the source,
and a `Tally` of all that was dropped and repaired. Rows are handled one by one. Each row that is kept takes about 100
bytes of memory, for its hash and length.
"""

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from longalign.chat.messages import Message, is_learnt
from longalign.counted import counted
from longalign.data.importing import splitting, turns
from longalign.data.importing.formats import Reading, detect, read_row, seen_keys
from longalign.data.importing.html import Html, convert
from longalign.data.importing.language import Language, language_of
from longalign.data.importing.remnants import remove_remnants
from longalign.data.importing.tally import Tally
from longalign.data.importing.unusable import Unusable, printable
from longalign.data.sources import read_files
from longalign.errors import UserError

log = logging.getLogger(__name__)

HUB_FILES = {  # of data sets whose repository has other files, too: a glob of the right ones
    "anon8231489123/ShareGPT_Vicuna_unfiltered": "HTML_cleaned_raw_dataset/*.json",
}
FIRST_ROWS = 100  # of a file, from which its format is recognised
_SAY_EVERY_S = 30.0


@dataclass(frozen=True)
class Choices:
    """What to do with the rows; see the options of `longalign data import`.

    measure: counts the tokens of a conversation in training; needed with `split_length`.
    """

    format: str = "auto"
    reading: Reading = field(default_factory=Reading)
    html: Html = "auto"
    broken_turns: turns.Broken = "cut"
    language: Literal["all", "zh", "en"] = "all"
    split_length: int | None = None
    too_long: splitting.TooLong = "drop"
    measure: Callable[[list[Message]], int] | None = None
    keep_duplicates: bool = False
    skip_broken: bool = False
    hub_files: str | None = None


def import_rows(source: str, choices: Choices, tally: Tally) -> Iterator[dict[str, Any]]:
    """Yield the rows of the output, and count in `tally` what happens to each row of the source.

    Raises:
        UserError: there is no data, its format is unknown, or a line is no JSON (unless `skip_broken`).
    """

    def on_broken(where: str, error: str) -> None:
        tally.read += 1
        tally.drop("the line is no JSON", where, error[:200])

    seen: set[bytes] = set()
    said = time.monotonic()
    skip = on_broken if choices.skip_broken else None
    for name, rows in read_files(source, "source", skip, choices.hub_files or HUB_FILES.get(source)):
        first = list(itertools.islice(rows, FIRST_ROWS))
        format_name = _decide(name, [row for _, row in first], choices)
        tally.formats[name] = format_name
        for where, row in itertools.chain(first, rows):
            tally.read += 1
            try:
                yield from _import_row(row, where, format_name, choices, tally, seen)
            except Unusable as unusable:
                tally.drop(unusable.reason, where, unusable.detail)
            if time.monotonic() - said > _SAY_EVERY_S:
                said = time.monotonic()
                log.info("%s: %s read, %s kept", where, counted(tally.read, "row"), f"{tally.kept:,}")


def _decide(name: str, rows: list[Any], choices: Choices) -> str:
    """The format of a file: the one that the user chose, or that of most of its first rows.

    Raises:
        UserError: no row has a key that the user named, or the format is unknown.
    """
    keys = seen_keys(rows)
    shown = printable(", ".join(keys[:20]))
    columns = [column for name, column in choices.reading.columns.items() if name not in ("role", "content")]
    absent = [column for column in columns if column not in keys]
    if absent and keys:
        raise UserError(f"columns: no row of {name} has the key {absent[0]!r}; its keys are {shown}")
    if choices.format != "auto" or not rows:
        return choices.format
    found = detect(rows, choices.reading)
    if found is None:
        raise UserError(
            f"source: the rows of {name} have no known format; keys seen: {shown or 'none'}; "
            """name them, such as --columns '{"messages": "KEY"}' or '{"question": "KEY", "answer": "KEY"}'"""
        )
    log.info("%s: %s rows (keys %s)", name, found, shown)
    return found


def _import_row(
    row: Any, where: str, format_name: str, choices: Choices, tally: Tally, seen: set[bytes]
) -> Iterator[dict[str, Any]]:
    """Yield the conversations that one row gives.

    Raises:
        Unusable: it gives none.
    """
    messages = read_row(row, format_name, choices.reading)
    messages, repairs = _clean(messages, format_name == "sharegpt", choices)
    language = language_of([message["content"] for message in messages])
    if choices.language not in ("all", language):
        raise Unusable(f"language is not {choices.language}", language)
    pieces, exceeding = [(0, messages)], 0
    if choices.split_length is not None:
        assert choices.measure
        pieces, exceeding = splitting.split(messages, choices.split_length, choices.measure, choices.too_long)
    if not pieces:
        raise Unusable("too long", f"no exchange has at most {choices.split_length} tokens")
    new = pieces if choices.keep_duplicates else [piece for piece in pieces if _is_new(piece[1], seen)]
    if not new:
        raise Unusable("duplicate")
    lengths = [choices.measure(piece) if choices.measure else None for _, piece in new]
    if len(pieces) > 1:
        repairs.append("split")
    for reason in repairs:
        tally.repair(reason, where)
    _note_exchanges(tally, where, choices.too_long, exceeding, len(pieces) - len(new))
    tally.kept += 1
    for (start, piece), length in zip(new, lengths, strict=True):
        tally.write(piece, language, length)
        yield _row(row, choices.reading, start if len(pieces) > 1 else None, language, piece)


def _clean(messages: list[Message], page_like: bool, choices: Choices) -> tuple[list[Message], list[str]]:
    """Turn HTML into Markdown, remove texts of buttons and lone surrogates, and mend the order of turns.

    Returns:
        (messages, names of the repairs).
    """
    repairs = []
    messages, was_html = convert(messages, choices.html, page_like)
    if was_html:
        repairs.append("HTML to Markdown")
    if page_like or was_html:
        messages, had_remnants = remove_remnants(messages)
        repairs += ["words of the page's buttons removed"] * had_remnants
    messages, had_halves = turns.replace_halves(messages)
    repairs += ["half characters replaced"] * had_halves
    messages, mended = turns.mend(messages, choices.broken_turns)
    repairs += ["answers that are not to be learnt: weight 0"] * (not all(map(is_learnt, messages)))
    return messages, repairs + mended


def _note_exchanges(tally: Tally, where: str, too_long: splitting.TooLong, exceeding: int, duplicates: int) -> None:
    if exceeding:
        done = "left out" if too_long == "drop" else "kept"
        tally.repair(f"an exchange is too long by itself: {done}", where, count=exceeding)
    if duplicates:
        tally.repair("a part is a duplicate: left out", where, count=duplicates)


def _is_new(messages: list[Message], seen: set[bytes]) -> bool:
    text = json.dumps([(message["role"], message["content"], message.get("weight")) for message in messages])
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    if digest in seen:
        return False
    seen.add(digest)
    return True


def _row(row: Any, reading: Reading, start: int | None, language: Language, messages: list[Message]) -> dict[str, Any]:
    """A row of the output. start: the number of the first turn, appended to the id; None if it was not split."""
    made: dict[str, Any] = {}
    identity, source = reading.get(row, "id"), reading.get(row, "source")
    if isinstance(identity, str | int) and not isinstance(identity, bool):
        made["id"] = printable(str(identity)) + ("" if start is None else f"_{start}")
    if isinstance(source, str):
        made["source"] = printable(source)
    return made | {"language": language, "messages": messages}
