"""Writing the prose of a document up to a length, and hiding facts between its sentences.

Time and memory are linear in the length. Each piece of text is measured once, together with the separator in front of
it, because tokenizers join a blank to the word that follows.
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
"""A place for a fact: offset in characters, number of the paragraph, and how many of its sentences are in front of the
gap (0: the gap is behind the paragraph)."""

_PART = 3000  # least length of a part of the text, roughly, as measured
_TRIES = 30  # sentences that are tried at the end to fill what is left


class Crowd(World):
    """A world whose names may repeat, but are never in `reserved`, the names that facts are about."""

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
    """The sentences of a paragraph. end: what follows the last; fixed: nothing is hidden in it, as in a title."""

    sentences: list[str]
    end: str
    fixed: bool = False


def write_prose(
    world: World, language: Language, styles: Sequence[str], room: int, measure: Measure
) -> tuple[list[Paragraph], list[str], int]:
    """Write prose that fills a given room. A long text has several parts, each with its own title and style.

    room: the length as `measure` counts.

    Returns:
        (the paragraphs, the styles of the parts, the room that is left: less than a short sentence).
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
    """Write a part of about `share` of the room that is `left`; returns its paragraphs, and what is left then.

    With `share == left`, it is the last part, and what is left is less than a short sentence.
    """
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
    """Put facts into the gaps of the prose; returns the text, and the offset of each fact in characters.

    A fact may be at any depth with equal probability. The facts of a group keep their order; those of about half of the
    groups are spread evenly over the text.
    """
    paragraphs = paragraphs or [Paragraph([], "")]  # there was no room for prose
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
