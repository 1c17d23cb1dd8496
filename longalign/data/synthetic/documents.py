"""Long documents (logbook, ledger, story) written from templates, and questions whose answers stand in them.

A genre is data (`english.py`, `chinese.py`): sentences with slots, and the questions each sentence can answer. Slots
are drawn once an entry, so that a question and its answer speak of what the entry says.
"""

import datetime
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from longalign.data.synthetic.world import Draw, World


@dataclass(frozen=True)
class Ask:
    """A question, and its answer. `key` says what is asked for: a key that a document has twice is not asked."""

    key: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Remark:
    """Variants of one statement of an entry, and what can be asked about it."""

    says: tuple[str, ...]
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True)
class Genre:
    """title and opening: of the document. heading: of an entry. always: statements of every entry, in this order.

    sometimes: of which an entry has one or two, in between. fillers: sentences that nobody asks about.
    """

    title: tuple[str, ...]
    opening: tuple[str, ...]
    heading: tuple[str, ...]
    always: tuple[Remark, ...]
    sometimes: tuple[Remark, ...]
    fillers: tuple[str, ...]
    num_fillers: tuple[int, int]
    joint: str = " "  # between sentences
    paragraph: str = "\n\n"  # between entries


@dataclass(frozen=True)
class Language:
    """What the slots of a language's templates are filled with."""

    words: dict[str, tuple[str, ...]]  # slot -> what to choose from
    date: Callable[[datetime.date], str]
    genres: dict[str, Genre]


@dataclass(frozen=True)
class Fact:
    key: str
    question: str
    answer: str


class Slots(dict):
    """Slots of one entry: drawn when first met and the same from then on. `person_2` is another `person`."""

    def __init__(self, world: World, language: Language, given: dict):
        super().__init__(given)
        self.world, self.language = world, language

    def __missing__(self, slot: str) -> object:
        kind = slot.rstrip("_23456789")
        self[slot] = value = self._draw(kind)
        return value

    def _draw(self, kind: str) -> object:
        draw = self.world.draw
        if kind in self.language.words:
            return draw.choice(self.language.words[kind])
        if kind == "total":
            cents = self["count"] * round(float(self["price"]) * 100)
            return f"{cents // 100}.{cents % 100:02d}"
        numbers: dict[str, Callable[[], object]] = {
            "count": lambda: draw.randint(2, 96),
            "few": lambda: draw.randint(2, 12),
            "left": lambda: draw.randint(13, 480),
            "force": lambda: draw.randint(1, 10),
            "pressure": lambda: draw.randint(968, 1042),
            "degrees": lambda: draw.randint(1, 29),
            "page": lambda: draw.randint(11, 389),
            "code": lambda: draw.randint(1000, 9999),
            "price": lambda: f"{draw.randint(1, 39)}.{draw.randrange(0, 100, 5):02d}",
            "time": lambda: f"{draw.randint(5, 22):02d}:{draw.randrange(0, 60, 5):02d}",
        }
        return numbers[kind]() if kind in numbers else getattr(self.world, kind)()


def write_document(
    world: World, language: Language, genre: Genre, length: int, measure: Callable[[str], int]
) -> tuple[str, list[Fact]]:
    """A document of at most `length` as `measure` counts (one entry at least), and what can be asked about it."""
    title, opening, entries = open_document(world, language, genre)
    parts = [title, opening]
    size = sum(map(measure, parts))
    facts: list[Fact] = []
    for slots in entries:
        text, asked = _write_entry(world.draw, genre, slots)
        size += measure(text) + len(genre.paragraph)
        if size > length and facts:
            break
        parts.append(text)
        facts += asked
    keys = Counter(fact.key for fact in facts)
    return genre.paragraph.join(parts), [fact for fact in facts if keys[fact.key] == 1]


def open_document(world: World, language: Language, genre: Genre) -> tuple[str, str, Iterator[Slots]]:
    """Title and opening of a document, and the slots of its entries without end."""
    draw = world.draw
    day = datetime.date(draw.randint(1880, 1938), draw.randint(1, 12), draw.randint(1, 28))
    hero, home, crew = world.person(), world.place(), tuple(world.person() for _ in range(5))
    given = {"hero": hero, "home": home, "start": language.date(day)}
    opening = Slots(world, language, given)
    title, first = draw.choice(genre.title).format_map(opening), draw.choice(genre.opening).format_map(opening)
    number = draw.randint(1, 400)

    def entries() -> Iterator[Slots]:
        today = day
        for chapter in itertools.count(1):
            slots = Slots(
                world,
                language,
                given | {"date": language.date(today), "number": number + chapter - 1, "chapter": chapter},
            )
            slots["keeper"], slots["mate"] = draw.sample(crew, 2)
            yield slots
            today += datetime.timedelta(days=draw.choice((1, 1, 1, 2, 3)))

    return title, first, entries()


def write_sentences(draw: Draw, genre: Genre, slots: Slots) -> tuple[list[str], list[Remark]]:
    """The sentences of an entry behind its heading, and the remarks that were made."""
    remarks = [*genre.always]
    for remark in draw.sample(genre.sometimes, draw.randint(1, min(2, len(genre.sometimes)))):
        remarks.insert(draw.randint(1, len(remarks)), remark)
    sentences = [draw.choice(remark.says).format_map(slots) for remark in remarks]
    for filler in draw.sample(genre.fillers, draw.randint(*genre.num_fillers)):
        sentences.insert(draw.randint(1, len(sentences)), filler.format_map(slots))
    return sentences, remarks


def _write_entry(draw: Draw, genre: Genre, slots: Slots) -> tuple[str, list[Fact]]:
    sentences, remarks = write_sentences(draw, genre, slots)
    facts = [
        Fact(
            ask.key.format_map(slots),
            draw.choice(ask.questions).format_map(slots),
            draw.choice(ask.answers).format_map(slots),
        )
        for remark in remarks
        for ask in remark.asks
    ]
    heading = draw.choice(genre.heading).format_map(slots)
    return heading + genre.joint.join(sentences), facts


def pick_facts(draw: Draw, facts: list[Fact], count: int) -> Iterator[Fact]:
    """`count` different facts from anywhere in the document, each place as likely."""
    yield from draw.sample(facts, min(count, len(facts)))
