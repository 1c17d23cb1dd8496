"""The few pieces of HTML that a card is made of; all text that comes in is escaped here."""

import html
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table; the first column to the left, the others to the right."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    body = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return f"<dl>{body}</dl>" if body else ""


def section(title: str, *parts: str) -> str:
    """A heading and what stands under it; nothing if that is empty."""
    body = "".join(parts)
    return f"<section><h2>{html.escape(title)}</h2>{body}</section>" if body else ""


def folded(title: str, text: str) -> str:
    """Text as it is, behind a line to click."""
    return f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>" if text else ""


def paragraph(text: str, css: str = "") -> str:
    """A line of text; nothing if that is empty."""
    return f'<p class="{css}">{html.escape(text)}</p>' if text else ""
