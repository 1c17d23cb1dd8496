"""The HTML elements of a card. These functions escape all texts that they are given."""

import html
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table that scrolls sideways if it is too wide."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """A list of names and values; empty without any."""
    body = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return f"<dl>{body}</dl>" if body else ""


def section(title: str, *parts: str) -> str:
    """A heading with the parts under it; empty if they are."""
    body = "".join(parts)
    return f"<section><h2>{html.escape(title)}</h2>{body}</section>" if body else ""


def folded(title: str, text: str) -> str:
    """Text that is shown, as it is, when its title is clicked; empty if the text is."""
    return f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>" if text else ""


def paragraph(text: str, css: str = "") -> str:
    """A paragraph of text; empty if the text is."""
    return f'<p class="{css}">{html.escape(text)}</p>' if text else ""
