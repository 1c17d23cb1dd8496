"""Make the token ids of a long prompt by encoding only the text around its needles.

The haystack has been encoded once. A joint is a place where the tokens on either side do not depend on each other
(`Encoder.joints`). From the prompt's document, the long runs of haystack between two joints are left out, and the
resulting short prompt is encoded. Then the haystack's tokens of each run are inserted into its ids. The place of a run
is found by the `ANCHOR` tokens in front of it, which must occur in the short prompt exactly once. `build.Builder` uses
the ids only if the joints are known to be exact, and otherwise only their number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from longalign.evaluation.needle.encoders import Encoder, Message
from longalign.evaluation.needle.haystack import Haystack

MARGIN, ANCHOR = 32, 16
"""Haystack tokens that stay in the short prompt at each end of a run, and how many of these show its place."""

Piece = tuple[int, int] | str
"""A span of the haystack's characters, or a text."""


@dataclass(frozen=True)
class Spliced:
    """`short` is the document without its long runs; `parts`, one after the other, are the ids of the whole prompt."""

    short: str
    parts: list[np.ndarray]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def ids(self) -> list[int]:
        """The prompt's ids."""
        return np.concatenate(self.parts).tolist()


def splice(
    pieces: list[Piece], wrap: Callable[[str], list[Message]], haystack: Haystack, encoder: Encoder
) -> Spliced | None:
    """The ids of the prompt ``wrap(document)``, whose document is made of `pieces`; None if it must be encoded whole.

    That is so if no run of haystack is long enough, or if the tokens in front of a run occur twice in the short prompt.
    """
    short, runs = _shorten(pieces, haystack)
    if not runs:
        return None
    ids = np.array(encoder.prompt(wrap(short)), dtype=np.int64)
    parts: list[np.ndarray] = []
    done = 0
    for left, right in runs:
        at = _find(haystack.ids[left - ANCHOR : left], ids)
        if at is None or at + ANCHOR < done:
            return None
        parts += [ids[done : at + ANCHOR], haystack.ids[left:right]]
        done = at + ANCHOR
    return Spliced(short, [*parts, ids[done:]])


def _shorten(pieces: list[Piece], haystack: Haystack) -> tuple[str, list[tuple[int, int]]]:
    """The document without its long runs, and the runs as ranges of haystack tokens (first, last + 1)."""
    texts: list[str] = []
    runs: list[tuple[int, int]] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        start, end = piece
        run = _long_run(haystack, *np.searchsorted(haystack.starts, piece).tolist())
        if run is not None:
            left, right = (int(haystack.starts[token]) for token in run)
            texts.append(haystack.text[start:left])
            runs.append(run)
            start = right
        texts.append(haystack.text[start:end])
    return "".join(texts), runs


def _long_run(haystack: Haystack, first: int, last: int) -> tuple[int, int] | None:
    """The longest range of tokens between two joints of ``haystack[first:last]``; None if it is too short to pay.

    Margins stay at both ends. Another joint stands before the anchor, so that the anchor's tokens do not depend on the
    text that the prompt has in front of `first`.
    """
    joints = haystack.joints
    opening = np.searchsorted(joints, first + 1)
    if opening == len(joints):
        return None
    low = np.searchsorted(joints, max(first + MARGIN, joints[opening] + ANCHOR))
    high = np.searchsorted(joints, last - MARGIN, side="right") - 1
    if high < low or joints[high] - joints[low] < 2 * MARGIN:
        return None
    return int(joints[low]), int(joints[high])


def _find(anchor: np.ndarray, ids: np.ndarray) -> int | None:
    """The index at which `anchor` stands in `ids`; None if it occurs not exactly once."""
    if len(ids) < len(anchor):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(ids, len(anchor))
    found = np.flatnonzero((windows == anchor).all(axis=1))
    return int(found[0]) if len(found) == 1 else None
