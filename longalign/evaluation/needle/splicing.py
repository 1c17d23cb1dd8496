"""Ids of a long prompt without encoding it all: only what stands around the needles.

The haystack is encoded once. From a prompt its long runs are taken out at joints, places where tokens on either side do
not depend on each other (`Encoder.joints`); what is left is encoded as a short prompt, and the haystack's own tokens go
back to where they were taken out. That place is known by the `ANCHOR` tokens in front of it, which must stand in the
short prompt once. `build.Builder` takes the ids only where joints are known to be exact, and else only their number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from longalign.evaluation.needle.encoders import Encoder, Message
from longalign.evaluation.needle.haystack import Haystack

MARGIN, ANCHOR = 32, 16
"""Tokens of haystack that stay at each end of a run, and how many of them must be found again."""

Piece = tuple[int, int] | str
"""A span of the haystack's characters, or a text."""


@dataclass(frozen=True)
class Spliced:
    """`short` is the document without its long runs, and `parts` make up the ids of the whole prompt."""

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
    """The prompt ``wrap(pieces joined)``; None where it must be encoded as a whole.

    That is where no run of haystack is long enough, or the place of one is not clear: a text says the same twice.
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
    """The document without its long runs, and the runs as tokens of the haystack (first, last + 1)."""
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
    """The tokens between two joints in ``haystack[first:last]``, if they are many.

    Another joint stands before the anchor, so the anchor does not depend on what the prompt has in front of `first`.
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
    """Where `anchor` stands in `ids`, if in one place."""
    if len(ids) < len(anchor):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(ids, len(anchor))
    found = np.flatnonzero((windows == anchor).all(axis=1))
    return int(found[0]) if len(found) == 1 else None
