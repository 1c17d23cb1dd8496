"""Formatting the figures of ``longalign data import`` as one screen of text."""

from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from longalign.commands.screen import make_table, percent
from longalign.counted import counted

NAMES = {"en": "English", "zh": "Chinese", "other": "other"}


def import_screen(figures: dict[str, Any]) -> list[RenderableType]:
    """The parts of the screen, from top to bottom. figures: `Tally.as_dict()`."""
    rows = figures["rows"]
    head = (
        f"{counted(rows['read'], 'row')} read, {rows['kept']:,} kept, {rows['dropped']:,} dropped; "
        f"{counted(figures['conversations'], 'conversation')} written"
    )
    parts: list[RenderableType] = [Text(head)]
    for what in ("dropped", "repaired"):
        if figures[what]:
            parts += [Text(), _reasons(what, figures)]
    if figures["conversations"]:
        parts += [Text(), _languages(figures), Text(), _lengths(figures["lengths"])]
    return parts


def _reasons(what: str, figures: dict[str, Any]) -> Table:
    table = make_table(what, "count", "of rows", "first at")
    table.columns[3].justify = "left"
    table.columns[3].no_wrap = False
    for reason, count in figures[what].items():
        place = figures["examples"][reason][0]["where"]
        table.add_row(Text(reason), f"{count:,}", percent(count / figures["rows"]["read"]), Text(place))
    return table


def _languages(figures: dict[str, Any]) -> Table:
    table = make_table("language", "count", "share")
    for language in NAMES:
        count = figures["languages"].get(language, 0)
        table.add_row(NAMES[language], f"{count:,}", percent(count / figures["conversations"]))
    return table


def _lengths(lengths: dict[str, dict[str, int]]) -> Table:
    table = make_table("length in", *next(iter(lengths.values())))
    for unit, found in lengths.items():
        table.add_row(unit, *(f"{number:,}" for number in found.values()))
    return table
