"""A file of results as JSON lines, written row by row, so that a run that was killed can continue where it stopped."""

import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from longalign.errors import UserError
from longalign.files import json_line

log = logging.getLogger(__name__)

Row = dict[str, Any]

OK, FAILED = "ok", "failed"
"""The ``status`` of a row that holds a result, and of one that holds an error instead; the next run tries it again."""


class Records:
    """An append-only file of rows. Each row has a string under ``key``; of several rows with one key the last counts.

    The constructor only reads the file, which may be missing. ``claim``, or else the first ``append``, locks the file
    against other processes until ``close``.

    Raises:
        UserError: the file cannot be read, or a line other than the last is no row. (A last line without an end is
            what a killed run leaves; it is dropped with a warning.)
    """

    def __init__(self, path: str | Path, key: str = "key") -> None:
        self.path, self._key = Path(path), key
        self._file: BinaryIO | None = None
        self._lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=0)
        self._whole = self._read()

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()

    def rows(self) -> list[Row]:
        """The newest row of each key, failed ones too, in the order in which the keys were first written."""
        return list(self._rows.values())

    def get(self, key: str) -> Row | None:
        """The newest row of a key, or None."""
        return self._rows.get(key)

    def done(self, key: str) -> bool:
        """Whether the newest row of this key is a result and not a failure."""
        return key in self._rows and self._rows[key].get("status") != FAILED

    def claim(self) -> None:
        """Lock the file and read it again, since another process may have written to it in between.

        Call this before the work whose results go into the file, so that no work is done in vain.

        Raises:
            UserError: another process is writing to the file.
        """
        if not self._lock.is_locked:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout:
                raise UserError(f"{self.path}: another process is writing to it") from None
            self._whole = self._read(say=False)

    def append(self, row: Row) -> None:
        """Write a row and flush it to the operating system: killing this process afterwards does not lose it.

        Raises:
            UserError: as `claim`.
        """
        assert isinstance(row[self._key], str)
        if self._file is None:
            self._open()
        assert self._file is not None
        self._file.write(json_line(row))
        self._rows[row[self._key]] = row  # before the flush, in which Ctrl-C may come: `close` flushes, too
        self._file.flush()

    def close(self) -> None:
        """Release the lock. Rows can still be read; another ``append`` takes the lock again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock.is_locked:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def _open(self) -> None:
        self.claim()
        self._file = open(self.path, "ab")  # noqa: SIM115 -- `close` closes it
        self._file.truncate(self._whole)
        if self._whole and self._last_byte != b"\n":
            self._file.write(b"\n")

    def _read(self, say: bool = True) -> int:
        """Read all rows; returns the length in bytes of the part of the file that is complete rows.

        say: whether to warn of an incomplete last line.
        """
        self._rows: dict[str, Row] = {}
        data = self.path.read_bytes() if self.path.exists() else b""
        self._last_byte = data[-1:]
        *lines, last = data.split(b"\n")  # not str.splitlines, which also splits at U+2028
        for number, line in enumerate(lines, start=1):
            if line.strip():
                self._keep(_parse(line, self._key), f"line {number}")
        if not last.strip():
            return len(data)
        row = _parse(last, self._key)
        if row is not None:
            self._keep(row, "")
            return len(data)
        if say:
            log.warning("%s: the last line is incomplete, as a killed run leaves it; it is dropped", self.path)
        self._last_byte = b"\n"
        return len(data) - len(last)

    def _keep(self, row: Row | None, where: str) -> None:
        if row is None:
            raise UserError(
                f"{self.path}: {where} is no JSON object with a text under {self._key!r}; correct or delete the line, "
                "or write to another file"
            )
        self._rows[row[self._key]] = row


def refuse_other_setups(records: Records, own: Row, what: str) -> None:
    """Check that all results of a file were made with the setup ``own``, so that one file never mixes several.

    Args:
        own: what the results depend on; it is compared with each row's ``setup``. Failed rows are not compared.
        what: the results in words, such as "answers".

    Raises:
        UserError: a row has another setup; the message names the keys that differ.
    """
    for row in records.rows():
        other = row.get("setup")
        if row.get("status") != FAILED and other != own:
            theirs = other if isinstance(other, dict) else {}
            differ = [
                name for name in {**own, **theirs} if (name in own) != (name in theirs) or own[name] != theirs[name]
            ]
            named = ", ".join(differ)
            raise UserError(f"out: {records.path} has {what} made with another {named}; give another --out")


def _parse(line: bytes, key: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return row if isinstance(row, dict) and isinstance(row.get(key), str) else None
