"""Writing invented prose up to a length, as the text around the facts of a document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from longalign.data.synthetic.documents import Genre, Language, open_document, write_sentences
from longalign.data.synthetic.tasks.cast import Cast, stock_of
from longalign.data.synthetic.tasks.styles_en import STYLES as STYLES_EN
from longalign.data.synthetic.tasks.styles_zh import STYLES as STYLES_ZH
from longalign.data.synthetic.tasks.weaving import Filled, Measure, Paragraph
from longalign.data.synthetic.world import Draw, World, split_of

STYLES = tuple(STYLES_EN.genres)
_LANGUAGES = {"en": STYLES_EN, "zh": STYLES_ZH}

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


@dataclass(frozen=True)
class Prose:
    """Fills a room with prose of some styles. A long text has several parts, each with its own title and style."""

    styles: Sequence[str] = STYLES
    lines: ClassVar[bool] = False

    def fill(self, cast: Cast, room: int, measure: Measure) -> Filled:
        """See `Filler`; the row names the styles of the parts."""
        world = Crowd(cast.draw, cast.language, cast.split, frozenset(cast.names))
        paragraphs, used, left = _write(world, _LANGUAGES[cast.language], self.styles, room, measure)
        return Filled(paragraphs, left, {"styles": used})


def _write(
    world: World, language: Language, styles: Sequence[str], room: int, measure: Measure
) -> tuple[list[Paragraph], list[str], int]:
    """(the paragraphs, the styles of the parts, the room that is left: less than a short sentence)."""
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
        paragraphs.append(Paragraph(_spaced(sentences, genre.joint), end))
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
        paragraphs.append(Paragraph(_spaced(rest, genre.joint), end))
    return paragraphs, left


def _spaced(sentences: list[str], joint: str) -> list[str]:
    return [sentences[0], *(joint + sentence for sentence in sentences[1:])]
