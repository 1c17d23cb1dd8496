"""The exception for rows that cannot be used, and how values of the data are shown in reports."""


class Unusable(Exception):
    """A row is to be dropped. `reason` is one of a few fixed texts, which are counted; `detail` is about this row."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def printable(text: str) -> str:
    """A text of the data in a form that is safe for a terminal and a file: unprintable characters become U+FFFD."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def kind(value: object) -> str:
    """The type and the start of a value, for reports: ``int 42``, ``list ['a', …``."""
    if value is None:
        return "null"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:39] + '…'}"
