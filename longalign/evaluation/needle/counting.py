"""Tokens of a long prompt, counted without encoding it all: only where its parts meet.

Far from a place where texts are joined, tokens are those that the haystack has on its own. So the prompt is cut inside
each long run of haystack, the chunks around the joints are encoded, and both sides are put together where a chunk's ids
agree with the haystack's for `ANCHOR` tokens. `build.Builder.finish` compares the count with the whole prompt's ids.
"""

from collections.abc import Callable

import numpy as np

from longalign.evaluation.needle.encoders import Encoder, Message
from longalign.evaluation.needle.haystack import Haystack

WINDOW, ANCHOR = 48, 16
"""Tokens of haystack kept on each side of a joint, and how many of them must agree."""

Piece = tuple[int, int] | str
"""A span of the haystack's characters, or a text."""


def count_tokens(
    pieces: list[Piece], wrap: Callable[[str], list[Message]], haystack: Haystack, encoder: Encoder
) -> int | None:
    """Tokens of the prompt ``wrap(pieces joined)``; None where they must be counted by encoding.

    That is where no run of haystack is long, or a chunk's ids agree with the haystack's nowhere, or in two places.
    """
    chunks, gaps = _chunks(pieces, haystack)
    if not gaps:
        return None
    last = len(chunks) - 1
    ids = [
        encoder.prompt(wrap(chunk)) if n in (0, last) else encoder.tokens(chunk)[0] for n, chunk in enumerate(chunks)
    ]
    total = len(ids[last])
    for n, (left, right) in enumerate(gaps):
        a = _find(haystack.ids[left - 2 * ANCHOR : left - ANCHOR], ids[n])
        b = _find(haystack.ids[right + ANCHOR : right + 2 * ANCHOR], ids[n + 1])
        if a is None or b is None:
            return None
        total += a + (right + ANCHOR) - (left - 2 * ANCHOR) - b  # chunk up to a, haystack, the next chunk from b
    return total


def _chunks(pieces: list[Piece], haystack: Haystack) -> tuple[list[str], list[tuple[int, int]]]:
    """The text around the joints, and the haystack's tokens (first, last + 1) left out between two chunks."""
    chunks, gaps = [""], []
    text, starts, ends = haystack.text, haystack.starts, haystack.ends
    for piece in pieces:
        if isinstance(piece, str):
            chunks[-1] += piece
            continue
        start, end = piece
        first, last = np.searchsorted(starts, (start, end))
        if last - first <= 3 * WINDOW:
            chunks[-1] += text[start:end]
            continue
        left, right = int(first) + WINDOW, int(last) - WINDOW
        chunks[-1] += text[start : int(ends[left - 1])]
        gaps.append((left, right))
        chunks.append(text[int(starts[right]) : end])
    return chunks, gaps


def _find(anchor: np.ndarray, ids: list[int]) -> int | None:
    """Where `anchor` stands in `ids`, if in one place."""
    windows = np.lib.stride_tricks.sliding_window_view(np.array(ids), len(anchor)) if len(ids) >= len(anchor) else []
    found = np.flatnonzero((windows == anchor).all(axis=1)) if len(windows) else []
    return int(found[0]) if len(found) == 1 else None
