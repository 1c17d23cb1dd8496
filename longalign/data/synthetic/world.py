"""Drawing the names in invented documents, by a seed. A name belongs to one of the two splits, never to both."""

import random
import zlib
from collections.abc import Callable

from longalign.data.synthetic import names

Draw = random.Random
SPLITS = ("train", "validation")


class World:
    """Draws names of people, places, ships and things for one document in one language.

    By its checksum a name belongs to the split `validation` (a fifth of all names) or to `train`; only names of `split`
    are drawn, so questions that are held out cannot be answered from training. A name comes twice only when a new one
    is not found in 20 attempts.
    """

    def __init__(self, draw: Draw, language: str, split: str):
        assert split in SPLITS and language in ("en", "zh")
        self.draw, self.language, self.split = draw, language, split
        self._used: set[str] = set()

    def person(self) -> str:
        first, last = (names.GIVEN_EN, names.FAMILY_EN) if self.language == "en" else (names.FAMILY_ZH, names.GIVEN_ZH)
        join = " " if self.language == "en" else ""
        return self._name(lambda: self.draw.choice(first) + join + self.draw.choice(last))

    def place(self) -> str:
        if self.language == "en":
            return self._name(lambda: self.draw.choice(names.PLACE_HEAD_EN) + self.draw.choice(names.PLACE_TAIL_EN))
        return self._name(lambda: self.draw.choice(names.PLACE_HEAD_ZH) + self.draw.choice(names.PLACE_TAIL_ZH))

    def ship(self) -> str:
        if self.language == "en":
            return self._name(lambda: f"{self.draw.choice(names.SHIP_HEAD_EN)} {self.draw.choice(names.SHIP_TAIL_EN)}")
        return self._name(lambda: self.draw.choice(names.SHIP_HEAD_ZH) + self.draw.choice(names.SHIP_TAIL_ZH) + "号")

    def keepsake(self) -> str:
        """A thing with an attribute, in English with its article: "a chipped brass compass"."""
        if self.language == "en":
            words = self._name(lambda: f"{self.draw.choice(names.LOOK_EN)} {self.draw.choice(names.THING_EN)}")
            return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
        return self._name(lambda: self.draw.choice(names.LOOK_ZH) + self.draw.choice(names.THING_ZH))

    def _name(self, invent: Callable[[], str]) -> str:
        for attempt in range(10_000):
            name = invent()
            # a long document uses up the names, so that some must come again
            if split_of(name) == self.split and (name not in self._used or attempt > 20):
                self._used.add(name)
                return name
        raise AssertionError("no name left for the split")


def split_of(name: str) -> str:
    """The split that a name belongs to; it depends on the name alone."""
    return "validation" if zlib.crc32(name.encode()) % 5 == 0 else "train"
