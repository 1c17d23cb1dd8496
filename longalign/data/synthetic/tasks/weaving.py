"""The text around the facts of a document, from any filler, and hiding the facts between its sentences.

A filler makes paragraphs that fill a given room; `weave` puts the facts into them. Time and memory are linear in the
length. A filler measures each piece of text once, together with the separator in front of it, because tokenizers join a
blank to the word that follows.
"""

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from longalign.data.sentences import ends_sentence
from longalign.data.synthetic.tasks.cast import Cast
from longalign.data.synthetic.tasks.exercise import Fact
from longalign.data.synthetic.world import Draw

Measure = Callable[[str], int]
Gap = tuple[float, int, int]
"""A place for a fact: offset in characters, number of the paragraph, and how many of its sentences are in front of the
gap (0: the gap is behind the paragraph)."""


@dataclass
class Paragraph:
    """The sentences of a paragraph, each but the first with the space in front of it.

    Attributes:
        end: what follows the last sentence; it has no line break if the next paragraph goes on in the same line.
        fixed: nothing is hidden in it, as in a title.
    """

    sentences: list[str]
    end: str
    fixed: bool = False


@dataclass(frozen=True)
class Filled:
    """Paragraphs that fill a room. left: the room that is left. named: what the row says about them, by key."""

    paragraphs: list[Paragraph]
    left: int
    named: dict[str, list[str]]


class Filler(Protocol):
    """Makes the text that the facts of a document are hidden in.

    lines: some of its sentences are mere lines, as in code; a fact behind such a one is a line too.
    """

    @property
    def lines(self) -> bool: ...

    def fill(self, cast: Cast, room: int, measure: Measure) -> Filled:
        """Fill a room, up to less than a short sentence, with text without what the facts of `cast` are about.

        room: the length as `measure` counts. What is random is drawn from `cast.draw`.
        """


def weave(
    draw: Draw, paragraphs: list[Paragraph], groups: Sequence[Sequence[Fact]], joint: str, lines: bool = False
) -> tuple[str, dict[Fact, int]]:
    """Put facts into the gaps of the text; returns the text, and the offset of each fact in characters.

    A fact may be at any depth with equal probability. The facts of a group keep their order; those of about half of the
    groups are spread evenly over the text. joint: what stands between a sentence and a fact. lines: see `Filler`.
    """
    paragraphs = paragraphs or [Paragraph([], "")]  # there was no room for text
    gaps = _gaps(paragraphs)
    behind = [gap for gap in gaps if gap[2] == 0]
    inside = [gap for gap in gaps if gap[2] > 0] or behind
    at: dict[tuple[int, int], list[Fact]] = {}
    for group in groups:
        open_gaps = behind if group[0].apart else inside
        for depth, fact in zip(_depths(draw, len(group)), group, strict=True):
            _, *place = open_gaps[_nearest(open_gaps, depth * gaps[-1][0])]
            at.setdefault((place[0], place[1]), []).append(fact)
    return _assemble(paragraphs, at, joint, lines)


def _depths(draw: Draw, count: int) -> list[float]:
    if draw.random() < 0.5:
        return sorted(draw.random() for _ in range(count))
    return [(n + draw.random()) / count for n in range(count)]


def _gaps(paragraphs: list[Paragraph]) -> list[Gap]:
    gaps: list[Gap] = []
    offset = 0
    for number, paragraph in enumerate(paragraphs):
        for count, sentence in enumerate(paragraph.sentences, start=1):
            offset += len(sentence)
            if not paragraph.fixed:
                gaps.append((offset, number, count))
        offset += len(paragraph.end)
        gaps.append((offset, number, 0))
    return gaps


def _nearest(gaps: list[Gap], target: float) -> int:
    right = bisect.bisect_left(gaps, (target, 0, 0))
    if right == len(gaps):
        return right - 1
    return right if right == 0 or gaps[right][0] - target < target - gaps[right - 1][0] else right - 1


def _assemble(
    paragraphs: list[Paragraph], at: dict[tuple[int, int], list[Fact]], joint: str, lines: bool
) -> tuple[str, dict[Fact, int]]:
    pieces: list[str] = []
    starts: dict[Fact, int] = {}
    offset = 0

    def add(text: str, fact: Fact | None = None) -> None:
        nonlocal offset
        if fact is not None:
            starts[fact] = offset
        pieces.append(text)
        offset += len(text)

    for number, paragraph in enumerate(paragraphs):
        for count, sentence in enumerate(paragraph.sentences, start=1):
            add(sentence)
            for fact in at.get((number, count), ()):
                add("\n" if lines and not ends_sentence(pieces[-1]) else joint)
                add(fact.text, fact)
        behind = at.get((number, 0), ())
        line_end = "\n" in paragraph.end
        add(paragraph.end if line_end or not behind else "\n" if offset else "")
        for fact in behind:
            if fact.block and paragraph.end == "\n":
                add("\n")
            add(fact.text, fact)
            add("\n\n" if fact.block else paragraph.end if line_end else "\n" if fact.apart else joint)
    return "".join(pieces).rstrip(), starts
