"""Writing long documents (logbook, ledger, story) from templates, with questions that they answer.

A genre is data (`english.py`, `chinese.py`): sentences with slots, and the questions that each sentence can answer. The
values of the slots are drawn once for each entry of a document, so a question and its answer agree with the entry.
"""

import datetime
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from longalign.data.synthetic.world import Draw, World


@dataclass(frozen=True)
class Ask:
    """Variants of a question and of its answer. key: what is asked about; a document that has it twice is not asked."""

    key: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Remark:
    """Variants of one statement, and the questions that can be asked about it."""

    says: tuple[str, ...]
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True)
class Genre:
    """The templates of one kind of document.

    Attributes:
        title, opening: of a document. heading: of an entry.
        always: the statements that every entry has, in this order.
        sometimes: statements of which an entry has one or two, between the others.
        fillers: sentences that no question is about; num_fillers: their least and greatest number in an entry.
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
    """A question about a document and its answer; key: as of `Ask`, filled."""

    key: str
    question: str
    answer: str


class Slots(dict):
    """The values of the slots of one entry, each drawn when it is first used. `person_2` is another `person`."""

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
    """Write a document, and return it with the facts that can be asked about.

    length: at most, as `measure` counts, but there is at least one entry with a fact.
    """
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
    """Begin a document: its title, its opening, and an endless iterator of the slots of its entries."""
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
    """Write an entry without its heading; returns its sentences, and the remarks that are among them."""
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
    """Draw `count` different facts, all equally likely wherever they are in the document; fewer if there are fewer."""
    yield from draw.sample(facts, min(count, len(facts)))
