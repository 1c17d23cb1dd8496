"""The text that facts are hidden in: entries of a style until a length is reached, and facts woven in between.

Time and memory grow linearly with the length, and each piece of text is measured once, with what stands before it:
tokenizers join a blank to the word behind it.
"""

import bisect
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longalign.data.synthetic import names
from longalign.data.synthetic.documents import Genre, Language, open_document, write_sentences
from longalign.data.synthetic.tasks.exercise import Fact
from longalign.data.synthetic.world import Draw, World, split_of

Measure = Callable[[str], int]
Gap = tuple[float, int, int]
"""Offset in characters, number of the paragraph, sentences of it before the gap (0: the gap is behind it)."""

_PART = 3000  # as measured: parts of a text are about this long, or longer
_TRIES = 30  # of short sentences at the end, until one fits


class Crowd(World):
    """Names for prose: as often as they are needed, but never one of `reserved`, which facts are about."""

    def __init__(self, draw: Draw, language: str, split: str, reserved: frozenset[str]) -> None:
        super().__init__(draw, language, split)
        self.reserved = reserved

    def person(self) -> str:
        return self._one_of("person")

    def place(self) -> str:
        return self._one_of("place")

    def ship(self) -> str:
        return self._one_of("ship")

    def _one_of(self, kind: str) -> str:
        stock = stock_of(kind, self.language, self.split)
        while (name := self.draw.choice(stock)) in self.reserved:
            pass
        return name

    def _name(self, invent: Callable[[], str]) -> str:
        while split_of(name := invent()) != self.split or name in self.reserved:
            pass
        return name


@functools.cache
def stock_of(kind: str, language: str, split: str) -> tuple[str, ...]:
    """All names of a kind (`person`, `place`, `ship`) that belong to a split."""
    heads, tails, form = {
        ("person", "en"): (names.GIVEN_EN, names.FAMILY_EN, "{} {}"),
        ("person", "zh"): (names.FAMILY_ZH, names.GIVEN_ZH, "{}{}"),
        ("place", "en"): (names.PLACE_HEAD_EN, names.PLACE_TAIL_EN, "{}{}"),
        ("place", "zh"): (names.PLACE_HEAD_ZH, names.PLACE_TAIL_ZH, "{}{}"),
        ("ship", "en"): (names.SHIP_HEAD_EN, names.SHIP_TAIL_EN, "{} {}"),
        ("ship", "zh"): (names.SHIP_HEAD_ZH, names.SHIP_TAIL_ZH, "{}{}号"),
    }[kind, language]
    every = dict.fromkeys(form.format(head, tail) for head in heads for tail in tails)
    return tuple(name for name in every if split_of(name) == split)


@dataclass
class Paragraph:
    """Sentences, and what follows the last. Nothing is hidden inside a `fixed` one (a title)."""

    sentences: list[str]
    end: str
    fixed: bool = False


def write_prose(
    world: World, language: Language, styles: Sequence[str], room: int, measure: Measure
) -> tuple[list[Paragraph], list[str], int]:
    """Paragraphs of at most `room` as `measure` counts, the styles of their parts, and what is left of the room.

    That is less than a short sentence takes. A long text has several parts, each with a title of its own.
    """
    draw = world.draw
    parts = min(draw.choice((1, 1, 1, 2, 3, 6, 12)), max(1, room // _PART))
    paragraphs: list[Paragraph] = []
    used: list[str] = []
    left = room
    while not used or left > 0:
        used.append(draw.choice(styles))
        share = int(room / parts * draw.uniform(0.6, 1.4))
        last = parts == 1 or left - share < room / parts / 2
        genre = language.genres[used[-1]]
        part, left = _write_part(world, language, genre, left, left if last else share, measure)
        paragraphs += part
        if last:
            break
    return paragraphs, used, left


def _write_part(
    world: World, language: Language, genre: Genre, left: int, share: int, measure: Measure
) -> tuple[list[Paragraph], int]:
    """Paragraphs of about `share`, and what is then left; with `share == left` all is used but for a short sentence."""
    draw = world.draw
    title, opening, entries = open_document(world, language, genre)
    end = genre.paragraph
    paragraphs: list[Paragraph] = []
    stop = left - share
    for text in (title, opening):
        size = measure(end + text)
        if size <= left - stop:
            paragraphs.append(Paragraph([text], end, fixed=text is title))
            left -= size
    for slots in entries:
        heading = draw.choice(genre.heading).format_map(slots)
        sentences, _ = write_sentences(draw, genre, slots)
        sentences[0] = heading + sentences[0]
        size = measure(end + genre.joint.join(sentences))
        if size > left - stop:
            break
        paragraphs.append(Paragraph(sentences, end))
        left -= size
    if stop > 0:
        return paragraphs, left
    rest: list[str] = []
    while sentences and (size := measure(genre.joint + sentences[0])) <= left:
        rest.append(sentences.pop(0))
        left -= size
    for _ in range(_TRIES):
        filler = draw.choice(genre.fillers).format_map(slots)
        if filler not in rest[-3:] and (size := measure(genre.joint + filler)) <= left:
            rest.append(filler)
            left -= size
    if rest:
        paragraphs.append(Paragraph(rest, end))
    return paragraphs, left


def weave(
    draw: Draw, paragraphs: list[Paragraph], groups: Sequence[Sequence[Fact]], joint: str
) -> tuple[str, dict[Fact, int]]:
    """The text with the facts of `groups` in it, and where each begins, in characters.

    Any depth is as likely as any other. Facts of a group keep their order; half of the groups are spread evenly.
    """
    paragraphs = paragraphs or [Paragraph([], "")]  # no room for prose
    gaps = _gaps(paragraphs, joint)
    behind = [gap for gap in gaps if gap[2] == 0]
    inside = [gap for gap in gaps if gap[2] > 0] or behind
    at: dict[tuple[int, int], list[Fact]] = {}
    for group in groups:
        open_gaps = behind if group[0].apart else inside
        for depth, fact in zip(_depths(draw, len(group)), group, strict=True):
            _, *place = open_gaps[_nearest(open_gaps, depth * gaps[-1][0])]
            at.setdefault((place[0], place[1]), []).append(fact)
    return _assemble(paragraphs, at, joint)


def _depths(draw: Draw, count: int) -> list[float]:
    if draw.random() < 0.5:
        return sorted(draw.random() for _ in range(count))
    return [(n + draw.random()) / count for n in range(count)]


def _gaps(paragraphs: list[Paragraph], joint: str) -> list[Gap]:
    gaps: list[Gap] = []
    offset = 0
    for number, paragraph in enumerate(paragraphs):
        for count, sentence in enumerate(paragraph.sentences, start=1):
            offset += len(sentence) + len(joint) * (count > 1)
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
    paragraphs: list[Paragraph], at: dict[tuple[int, int], list[Fact]], joint: str
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
            if count > 1:
                add(joint)
            add(sentence)
            for fact in at.get((number, count), ()):
                add(joint)
                add(fact.text, fact)
        add(paragraph.end)
        for fact in at.get((number, 0), ()):
            if fact.block and paragraph.end == "\n":
                add("\n")
            add(fact.text, fact)
            add("\n\n" if fact.block else paragraph.end or "\n" if fact.apart else joint)
    return "".join(pieces).rstrip(), starts
