"""Drawing the keys and values of facts by a seed: none twice in a document, and no name in both splits."""

import datetime
import functools
from collections.abc import Callable

from longalign.data.synthetic import names
from longalign.data.synthetic.chinese import CHINESE
from longalign.data.synthetic.english import ENGLISH
from longalign.data.synthetic.world import Draw, split_of


class NoneLeft(Exception):
    """All names of a kind are used up in this document."""


_LETTERS = ("alpha", "beta", "gamma", "delta", "sigma", "omega", "kappa")
_ENOUGH = 20_000  # attempts to draw a new name; `stock` sees to it that two thirds of a kind are never used
_ALIKE = 6  # words to choose from for one half of the names of things, in documents where these are similar
_FORMS = ("letters", "syllable", "greek", "letter", "serial")  # of labels, see `Cast._label`


Words = tuple[str, ...]


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


@functools.lru_cache(64)  # small, because many documents have word lists of their own
def _pairs(heads: Words, tails: Words, form: str, split: str) -> Words:
    return tuple(name for head in heads for tail in tails if split_of(name := form.format(head, tail)) == split)


class Cast:
    """The keys and values of one document: `draw_new(kind)` draws one of a kind that was not drawn before.

    Args:
        words: word lists of the language, see `Wording.words`.

    Attributes:
        names: names that were drawn, which the prose of the document must not use.
        deeds: what somebody was said to have done; no two exercises of a document are about the same.
    """

    def __init__(self, draw: Draw, language: str, split: str, words: dict[str, Words]) -> None:
        self.draw, self.language, self.split, self.words = draw, language, split, words
        self.names: set[str] = set()
        self.deeds: set[tuple[str, str]] = set()
        self._given: set[str] = set()
        self._era = draw.randint(1790, 1935), draw.choice((1, 3, 12, 40))
        self._stuffs, self._things = self._near(words["stuff"], words["thing"])
        # in many documents all labels have one form, so that they differ in their letters or numbers only
        self._forms = draw.choice((_FORMS, _FORMS, ("letters",), ("letters",), (draw.choice(_FORMS),)))

    def draw_new(self, kind: str) -> str:
        """Draw a value of `kind` that was not drawn before, and neither contains such a one nor is part of it.

        Raises:
            NoneLeft: none was found.
        """
        make: Callable[[], str] = getattr(self, f"_{kind}")
        for _ in range(_ENOUGH):
            value = make()
            if not any(value in other or other in value for other in self._given):
                self._given.add(value)
                return value
        raise NoneLeft(kind)

    def value(self, kind: str) -> str:
        """Draw a value of `kind`. A word of a list, a year or a small number may repeat; other values are new."""
        if kind in self.words:
            return self.draw.choice(self.words[kind])
        if kind in ("year", "small"):
            low, high = (1650, 1930) if kind == "year" else (2, 40)
            return str(self.draw.randint(low, high))
        return self.draw_new(kind)

    def known(self) -> frozenset[str]:
        """All that facts are about or answers are made of: names, new values, deeds; articles are left out.

        Values that may repeat in a document, such as years and the words of lists, are not among them.
        """
        deeds = [phrase for deed in self.deeds for phrase in deed]
        return frozenset(one.removeprefix("the ") for one in (*self.names, *self._given, *deeds))

    def several(self, kind: str, count: int) -> list[str]:
        return [self.draw_new(kind) for _ in range(count)]

    def stock(self, kind: str) -> int:
        """How many names of a kind a document may use."""
        if kind in ("person", "place", "ship"):
            return len(stock_of(kind, self.language, self.split)) // 3
        if kind == "thing":
            return len(self._all_things()) // 3
        return 24 if kind == "house" else 10_000

    def _near(self, stuffs: Words, things: Words) -> tuple[Words, Words]:
        """The word lists for things: all words, or in some documents few of one list, which makes names similar.

        Such names differ in one half only: the walnut clock, the walnut drum.
        """
        few = self.draw.choice((None, None, "stuffs", "stuffs", "things"))
        if few is None:
            return stuffs, things
        if few == "stuffs":
            return tuple(self.draw.sample(stuffs, _ALIKE)), things
        return stuffs, tuple(self.draw.sample(things, _ALIKE))

    def _all_things(self) -> Words:
        return _pairs(self._stuffs, self._things, "the {} {}" if self.language == "en" else "{}{}", self.split)

    def _person(self) -> str:
        return self._name("person")

    def _place(self) -> str:
        return self._name("place")

    def _ship(self) -> str:
        return self._article() + self._name("ship")

    def _name(self, kind: str) -> str:
        name = self.draw.choice(stock_of(kind, self.language, self.split))
        self.names.add(name)
        return name

    def _article(self) -> str:
        return "the " if self.language == "en" else ""

    def _thing(self) -> str:
        return self.draw.choice(self._all_things())

    def _house(self) -> str:
        house, place = self.draw.choice(self.words["house"]), self._name("place")
        return f"the {house} at {place}" if self.language == "en" else f"{place}的{house}"

    def _number(self) -> str:
        digits = self.draw.choice((3, 4, 5, 6, 7, 8))
        return str(self.draw.randint(10 ** (digits - 1), 10**digits - 1))

    def _code(self) -> str:
        """ "K7-442", "RB-20418", "93/QD/6"."""
        letters = "".join(self.draw.choices("ABCDEFGHKLMNPRSTVWXZ", k=4))
        number = self.draw.randint(100, 99_999)
        return self.draw.choice(
            (
                f"{letters[0]}{number % 9 + 1}-{number}",
                f"{letters[:2]}-{number}",
                f"{number % 90 + 10}/{letters[2:]}/{number % 7 + 1}",
                f"{letters[:3]} {number}",
                f"{letters[0]}-{number % 1000:03d}-{letters[1]}",
            )
        )

    def _word(self) -> str:
        """An invented word in Latin letters: "tamrelo", "vosk-hadin"."""
        while True:
            word = "".join(self._syllable() for _ in range(self.draw.choice((2, 3, 3))))
            if self.draw.random() < 0.3:
                word += "-" + "".join(self._syllable() for _ in range(2))
            if split_of(word) == self.split:
                return word

    def _syllable(self) -> str:
        draw = self.draw
        return draw.choice("bdfghjklmnprstvz") + draw.choice("aeiou") + draw.choice(("", "", "l", "n", "r", "s", "k"))

    def _token(self) -> str:
        """A random string: "x7Rm2qTb"."""
        return "".join(
            self.draw.choices("abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789", k=self.draw.randint(5, 10))
        )

    def _label(self) -> str:
        """A name in a chain of copies, of one of the document's forms: "Q17", "kel_3", "DAFUTO", "sigma-4", "QP389"."""
        draw, form = self.draw, self.draw.choice(self._forms)
        if form == "letters":
            return self._letters(draw.choice((3, 4, 6, 7)))
        if form == "syllable":
            return f"{self._syllable()}_{draw.randint(1, 9)}"
        if form == "greek":
            return f"{draw.choice(_LETTERS)}-{draw.randint(1, 99)}"
        if form == "letter":
            return f"{draw.choice('ABCDEFGHKMNPQRTW')}{draw.randint(1, 99)}"
        return f"{self._letters(2)}{draw.randint(100, 999)}"

    def _letters(self, count: int) -> str:
        return "".join(self.draw.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=count))

    def _sentence(self) -> str:
        return self._joined("saying_who", "saying_does", "saying_when") + ("." if self.language == "en" else "")

    def _outing(self) -> str:
        return self._joined("outing_first", "outing_then", "outing_when")

    def _spot(self) -> str:
        return self._joined("spot_in", "spot_where")

    def _joined(self, *slots: str) -> str:
        parts = [self.draw.choice(self.words[slot]) for slot in slots]
        return (" " if self.language == "en" else "").join(parts)

    def _date(self) -> str:
        return self.dates(1)[0]

    def dates(self, count: int) -> list[str]:
        """Draw so many different days from the years of this document, the earliest first, in words."""
        start, years = self._era
        days = sorted(self.draw.sample(range(365 * years), count))
        return [self.in_words(datetime.date(start, 1, 1) + datetime.timedelta(days=day)) for day in days]

    def in_words(self, day: datetime.date) -> str:
        return (CHINESE if self.language == "zh" else ENGLISH).date(day)
