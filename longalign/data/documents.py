"""Reading raw texts: .txt and .md files, rows of JSON or Parquet with a text column, or data sets on the hub.

In: a path or name. Out: an iterator of `(where, text)`, checked, in the order of the files. `where` says in words which
file, line or row a text is from.
"""

from collections.abc import Iterator
from typing import Any

from longalign.data.sources import SUFFIXES, find_files, load_hub, open_file, read_rows, unreadable
from longalign.errors import UserError

TEXT_SUFFIXES = tuple(name + packed for name in (".txt", ".md") for packed in ("", ".gz", ".zst"))


def read_documents(path: str, key: str = "data", *, column: str = "text") -> Iterator[tuple[str, str]]:
    """Yield `(where, text)` of every document at `path`, empty ones too.

    Args:
        path: a file, a folder or a glob, or `owner/name[:split]` on the hub. A text file (suffixes in `TEXT_SUFFIXES`)
            is one document; in the files that `sources.py` reads, each row is one.
        key: the config key that gave the path, for error messages.
        column: the key of the text in a row; null there counts as an empty text.

    Raises:
        UserError: a file is not UTF-8, or a row has no such column or no text in it. The message names the place.
    """
    files = find_files(path, key, SUFFIXES + TEXT_SUFFIXES)
    for file in files:
        if file.endswith(TEXT_SUFFIXES):
            yield file, _read_text(file, key)
        else:
            yield from ((where, _text_of(row, where, column, key)) for where, row in read_rows(file, key))
    if not files:
        for number, row in enumerate(load_hub(path, key), start=1):
            where = f"{path} row {number}"
            yield where, _text_of(row, where, column, key)


def _read_text(file: str, key: str) -> str:
    try:
        with open_file(file) as stream:
            return stream.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text: byte {error.start} ({key})") from error
    except Exception as error:
        raise unreadable(error, file, key) from error


def _text_of(row: Any, where: str, column: str, key: str) -> str:
    if not isinstance(row, dict):
        raise UserError(f"{where}: got {type(row).__name__}, expected an object with the column {column!r} ({key})")
    if column not in row:
        there = ", ".join(map(str, row)) or "none"
        raise UserError(f"{where}: no column {column!r} (there are: {there}); set {key}.text_column")
    text = row[column]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise UserError(f"{where}: {column!r} is {type(text).__name__}, expected text ({key})")
    return text
