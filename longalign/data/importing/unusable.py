"""Why a row cannot be used."""


class Unusable(Exception):
    """A row that is dropped. `reason` is counted: one of a few fixed texts; `detail` is this row's own."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def printable(text: str) -> str:
    """A text of the data fit for a terminal and a file: no control characters, no halves of characters."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def kind(value: object) -> str:
    """A value in a few words, for people: ``int 42``, ``list ['a', …``."""
    if value is None:
        return "null"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:39] + '…'}"
