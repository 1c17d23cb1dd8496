"""Results as JSON lines: each row is on the disk when it is made; a run that was killed goes on where it stopped."""

import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from longalign.errors import UserError

log = logging.getLogger(__name__)

Row = dict[str, Any]

FAILED = "failed"
"""The ``status`` of a row that is no result: it says what went wrong, and the next run tries again."""


class Records:
    """An append-only file of rows, each with a string under ``key``; the newest row of a key counts.

    Reading changes nothing. ``claim``, or else the first ``append``, locks the file against other processes until
    ``close``.

    Raises:
        UserError: the file cannot be read, or a line that is not the last is no row.
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
        """The newest row of each key, in the order in which the keys came first; failed ones too."""
        return list(self._rows.values())

    def get(self, key: str) -> Row | None:
        """The newest row of a key."""
        return self._rows.get(key)

    def done(self, key: str) -> bool:
        """Whether there is a row of this key that did not fail."""
        return key in self._rows and self._rows[key].get("status") != FAILED

    def claim(self) -> None:
        """Keep other processes from writing, before what is written costs anything; and read what they have written.

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
        """Add a row; when this returns the system has it, and killing this process does not lose it.

        Raises:
            UserError: of `claim`.
        """
        assert isinstance(row[self._key], str)
        if self._file is None:
            self._open()
        assert self._file is not None
        self._file.write(_line(row))
        self._file.flush()
        self._rows[row[self._key]] = row

    def close(self) -> None:
        """Let other processes write. Rows can still be read, and appended: the lock is taken anew."""
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
        """Fill the rows; returns how many bytes of the file are whole rows."""
        self._rows: dict[str, Row] = {}
        data = self.path.read_bytes() if self.path.exists() else b""
        self._last_byte = data[-1:]
        *lines, last = data.split(b"\n")  # str.splitlines would split at U+2028, too
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
            log.warning("%s: the last line is torn, which a killed run leaves; it is dropped", self.path)
        self._last_byte = b"\n"
        return len(data) - len(last)

    def _keep(self, row: Row | None, where: str) -> None:
        if row is None:
            raise UserError(
                f"{self.path}: {where} is no JSON object with a text under {self._key!r}; mend or delete the line, or "
                "write to another file"
            )
        self._rows[row[self._key]] = row


def refuse_other_setups(records: Records, own: Row, what: str) -> None:
    """A file holds results of one ``setup``; failed rows do not count.

    Raises:
        UserError: there are ``what`` (such as "answers") of another, of which the keys that differ are named.
    """
    for row in records.rows():
        other = row.get("setup")
        if row.get("status") != FAILED and other != own:
            named = ", ".join(name for name in own if not isinstance(other, dict) or other.get(name) != own[name])
            raise UserError(f"out: {records.path} has {what} made with another {named}; give another --out")


def _parse(line: bytes, key: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return row if isinstance(row, dict) and isinstance(row.get(key), str) else None


def _line(row: Row) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which a model can write
        return json.dumps(row).encode() + b"\n"
