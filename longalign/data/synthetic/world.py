"""Names and numbers of invented documents, drawn by a seed; a name is met in training or held out, never in both."""

import random
import zlib
from collections.abc import Callable

from longalign.data.synthetic import names

Draw = random.Random
SPLITS = ("train", "validation")


class World:
    """Draws names for one document in one language, each at most once.

    A name (of a person, place, ship, thing) belongs to the held-out split if its checksum says so, to training else:
    a fifth of all names, so that held-out questions cannot be answered from training.
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
        """A thing that one would remember, with its article in English: "a chipped brass compass"."""
        if self.language == "en":
            words = self._name(lambda: f"{self.draw.choice(names.LOOK_EN)} {self.draw.choice(names.THING_EN)}")
            return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
        return self._name(lambda: self.draw.choice(names.LOOK_ZH) + self.draw.choice(names.THING_ZH))

    def _name(self, invent: Callable[[], str]) -> str:
        for attempt in range(10_000):
            name = invent()
            # a document longer than the stock of names meets some of them again
            if split_of(name) == self.split and (name not in self._used or attempt > 20):
                self._used.add(name)
                return name
        raise AssertionError("no name left for the split")


def split_of(name: str) -> str:
    """The split that a name belongs to, the same in every run."""
    return "validation" if zlib.crc32(name.encode()) % 5 == 0 else "train"
