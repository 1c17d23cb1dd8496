"""Reading a long JSON list element by element.

In: a text stream. Out: an iterator of decoded elements. Memory holds one element, and at most as much text again, so a
file that is one list, such as ShareGPT's of 650 MB, can be read like JSON lines.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

_CHUNK = 1 << 20  # characters
_SPACE = re.compile(r"[ \t\r\n]*")
_CUT_MARGIN = 16  # characters, more than a literal has: an error so near to the end of what was read may be due to it


class NotAList(ValueError):
    """The text is JSON, but no list."""


class BrokenList(ValueError):
    """The text is not valid JSON; `line` (from 1) is where that shows."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def iterate_list(stream: TextIO, chunk: int = _CHUNK) -> Iterator[Any]:
    """Yield the elements of the list in the stream; nothing if it is empty or only white space.

    This equals `yield from json.load(stream)`, except that it needs little memory, and that elements in front of an
    error are yielded before the error is raised.

    Args:
        chunk: characters that are read at once.

    Raises:
        NotAList, BrokenList: see there.
    """
    window = _Window(stream, chunk)
    if not window.peek():
        return
    if window.take() != "[":
        raise NotAList
    if window.peek() == "]":
        window.take()
    else:
        while True:
            window.peek()
            yield window.value()
            mark = window.take()
            if mark == "]":
                break
            if mark != ",":
                raise window.broken("Expecting ',' delimiter", -len(mark))
    if window.peek():
        raise window.broken("Extra data")


class _Window:
    """The part of the stream that is in memory, and a position in it."""

    def __init__(self, stream: TextIO, chunk: int) -> None:
        self._stream, self._chunk = stream, chunk
        self._text, self._at = "", 0
        self._lines = 0  # before the window
        self._ended = False
        self._decode = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """Skip white space and return the next character without consuming it; empty at the end of the stream."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match
            self._at = match.end()
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read(self._chunk)

    def take(self) -> str:
        """As `peek`, and consume the character."""
        mark = self.peek()
        self._at += len(mark)
        return mark

    def value(self) -> Any:
        """Decode and consume the value at the position.

        If it is cut off by the end of what was read, twice as much as before is read and it is decoded again.
        """
        more = self._chunk
        while True:
            try:
                value, end = self._decode(self._text, self._at)
                if end < len(self._text) - _CUT_MARGIN or self._ended:  # near the end a number may be cut: 1.5e | 10
                    self._at = end
                    return value
            except json.JSONDecodeError as error:
                # for a string that is cut, the error's position is its start
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _CUT_MARGIN
                if self._ended or not cut:
                    raise self.broken(error.msg, error.pos - self._at) from None
            except (ValueError, RecursionError) as error:  # a number of 5000 digits; nesting too deep
                raise self.broken(str(error)) from None
            self._read(more)
            more *= 2

    def broken(self, reason: str, offset: int = 0) -> BrokenList:
        """An error at `offset` characters from the position."""
        return BrokenList(self._lines + self._text.count("\n", 0, self._at + offset) + 1, reason)

    def _read(self, size: int) -> None:
        self._lines += self._text.count("\n", 0, self._at)
        new = self._stream.read(size)
        self._ended = not new
        self._text, self._at = self._text[self._at :] + new, 0
