"""The elements of a JSON list one by one, however long the list is.

In: a text stream. Out: an iterator of decoded elements. Memory holds the element at hand and at most as much again, so
that a file of one list, as ShareGPT's of 650 MB, is read like JSON lines.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

_CHUNK = 1 << 20  # characters
_SPACE = re.compile(r"[ \t\r\n]*")
_CUT_MARGIN = 16  # what is this near to the end of what was read may be due to the end; longer than any literal


class NotAList(ValueError):
    """The text is JSON of another kind."""


class BrokenList(ValueError):
    """The text is no JSON from `line` (from 1) on."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def iterate_list(stream: TextIO, chunk: int = _CHUNK) -> Iterator[Any]:
    """Yield the elements of the list that the stream holds; none where there is only white space.

    Equals `yield from json.load(stream)` but for memory, and for errors, which come after the elements before them.

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
        """The next character that is no white space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match
            self._at = match.end()
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read(self._chunk)

    def take(self) -> str:
        """`peek`, and go on behind it."""
        mark = self.peek()
        self._at += len(mark)
        return mark

    def value(self) -> Any:
        """The value at the position. What is read grows twofold, so that a long value is not decoded often."""
        more = self._chunk
        while True:
            try:
                value, end = self._decode(self._text, self._at)
                if end < len(self._text) - _CUT_MARGIN or self._ended:  # or a number may go on: 1.5e | 10
                    self._at = end
                    return value
            except json.JSONDecodeError as error:
                # of a cut string, the error names the start
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _CUT_MARGIN
                if self._ended or not cut:
                    raise self.broken(error.msg, error.pos - self._at) from None
            except (ValueError, RecursionError) as error:  # a number of 5000 digits; lists in lists without end
                raise self.broken(str(error)) from None
            self._read(more)
            more *= 2

    def broken(self, reason: str, offset: int = 0) -> BrokenList:
        """An error at so many characters from the position."""
        return BrokenList(self._lines + self._text.count("\n", 0, self._at + offset) + 1, reason)

    def _read(self, size: int) -> None:
        self._lines += self._text.count("\n", 0, self._at)
        new = self._stream.read(size)
        self._ended = not new
        self._text, self._at = self._text[self._at :] + new, 0
