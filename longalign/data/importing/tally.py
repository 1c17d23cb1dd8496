"""Counting what happened to the rows of an import: how many by each reason, and where the first ones are."""

from array import array
from collections import Counter
from typing import Any

import numpy as np

from longalign.chat.messages import Message
from longalign.data.importing.unusable import printable

NUM_EXAMPLES = 5  # rows that the report names for each reason
QUANTILES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1)


class Tally:
    """The counts of an import. Invariant: `read` = `kept` + the sum of `dropped`.

    A row that is kept may give several conversations, which `written` counts. `formats` has each file's format.
    """

    def __init__(self) -> None:
        self.read = self.kept = self.written = 0
        self.dropped: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()  # of the conversations written
        self.formats: dict[str, str] = {}
        self.examples: dict[str, list[dict[str, str]]] = {}
        self.lengths = {"characters": array("q"), "tokens": array("q")}

    def drop(self, reason: str, where: str, detail: str = "") -> None:
        """Count a row that is dropped."""
        self.dropped[reason] += 1
        self._note(reason, where, detail)

    def repair(self, reason: str, where: str, detail: str = "", count: int = 1) -> None:
        """Count a change in a row that is kept; one row may have several."""
        self.repaired[reason] += count
        self._note(reason, where, detail)

    def write(self, messages: list[Message], language: str, tokens: int | None) -> None:
        """Count a conversation of the output. tokens: its length, None if tokens are not counted."""
        self.written += 1
        self.languages[language] += 1
        self.lengths["characters"].append(sum(len(message["content"]) for message in messages))
        if tokens is not None:
            self.lengths["tokens"].append(tokens)

    def _note(self, reason: str, where: str, detail: str) -> None:
        places = self.examples.setdefault(reason, [])
        if len(places) < NUM_EXAMPLES:
            places.append({"where": printable(where), **({"detail": printable(detail)} if detail else {})})

    def as_dict(self) -> dict[str, Any]:
        """The content of the report file: reasons, the most frequent first, and lengths as quantiles."""
        return {
            "rows": {"read": self.read, "kept": self.kept, "dropped": self.dropped.total()},
            "conversations": self.written,
            "dropped": dict(self.dropped.most_common()),
            "repaired": dict(self.repaired.most_common()),
            "languages": dict(self.languages.most_common()),
            "lengths": {unit: quantiles(values) for unit, values in self.lengths.items() if values},
            "formats": {printable(file): name for file, name in self.formats.items()},
            "examples": self.examples,
        }


def quantiles(values: array) -> dict[str, int]:
    """Quantiles and mean of lengths: ``{"0%": 3, …, "50%": 211, …, "100%": 9000, "mean": 310}``."""
    numbers = np.frombuffer(values, np.int64)
    found = np.quantile(numbers, QUANTILES, method="nearest")
    return {f"{share:.0%}": int(value) for share, value in zip(QUANTILES, found, strict=True)} | {
        "mean": round(float(numbers.mean()))
    }
