"""Reading conversations from a file, a folder, a glob, or a data set on the Hugging Face hub.

In: a path or name. Out: an iterator of `(where, messages)`, checked, in the order of the files. `where` says in words
which row it is ("chats.jsonl line 17"), for error messages. Code that comes with a data set is never run.
"""

import functools
import glob
import gzip
import io
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from longalign.chat.messages import Message, parse_messages
from longalign.data.json_list import BrokenList, NotAList, iterate_list
from longalign.errors import UserError
from longalign.hub import look_for_hub

log = logging.getLogger(__name__)

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".json.gz", ".json.zst", ".parquet")
REPORT_SUFFIX = ".report.json"  # of reports that `longalign data import` writes beside its data: they are no data
_HUB_NAME = re.compile(r"^[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?$")  # owner/name or owner/name:split

OnBroken = Callable[[str, str], None]
"""Called with (where, error) for a line of a .jsonl file that is no JSON."""


def find_files(path: str, key: str, suffixes: tuple[str, ...] = SUFFIXES) -> list[str]:
    """The data files that `path` names (a file, a folder or a glob), sorted; an empty list for a name on the hub.

    Of a folder, other files and subfolders are ignored, which is logged. `key` is the config key for error messages.

    Raises:
        UserError: there is no file, or `path` is a file or a glob with one whose suffix is not in `suffixes`.
    """
    path = os.path.expanduser(path)  # a shell leaves the ~ of --data.long=~/chats.jsonl, and a YAML has no shell
    if os.path.isdir(path):
        return _files_in_folder(path, key, suffixes)
    if os.path.isfile(path):
        files = [path]
    elif glob.has_magic(path):
        found = [file for file in glob.glob(path, recursive=True) if os.path.isfile(file)]
        files = sorted(file for file in found if not file.endswith(REPORT_SUFFIX))
        if not files:
            raise UserError(f"no data file matches {path} ({key})")
    elif _HUB_NAME.match(path) and not path.endswith(suffixes):
        return []
    else:
        raise UserError(f"data file {path} does not exist ({key})")
    for file in files:
        if not file.endswith(suffixes):
            raise UserError(f"data file {file} should end in one of {', '.join(suffixes)} ({key})")
    return files


def _files_in_folder(path: str, key: str, suffixes: tuple[str, ...]) -> list[str]:
    if any(os.path.isfile(os.path.join(path, name)) for name in ("state.json", "dataset_dict.json")):
        raise UserError(f"data folder {path} was written by save_to_disk of `datasets`: use to_parquet ({key})")
    there = [entry.path for entry in os.scandir(path)]
    files = sorted(file for file in there if os.path.isfile(file) and _is_data(file, suffixes))
    if not files:
        raise UserError(f"data folder {path} holds no file that ends in {', '.join(suffixes)} ({key})")
    others = sorted(map(os.path.basename, {*there} - {*files}))
    if aside := [name for name in others if not name.startswith(".") and not name.endswith(REPORT_SUFFIX)]:
        more = f" and {len(aside) - 1:,} more" if len(aside) > 1 else ""
        _say_once(f"{key}: folders and other files in {path} are ignored: {aside[0]}{more}")
    return files


def _is_data(file: str, suffixes: tuple[str, ...]) -> bool:
    return file.endswith(suffixes) and not file.endswith(REPORT_SUFFIX)


@functools.cache
def _say_once(text: str) -> None:
    log.info("%s", text)


def read_conversations(path: str, key: str = "data") -> Iterator[tuple[str, list[Message]]]:
    """Yield `(where, messages)` of every row at `path`; the messages are `{"role", "content"}` dicts.

    Args:
        path: a file (suffixes in `SUFFIXES`), a folder of such files, a glob, or `owner/name[:split]` on the hub (by
            default the split `train`).
        key: the config key that gave the path, for error messages.

    Raises:
        UserError: a file cannot be read, or a row is no conversation. The message has the file and the line (JSON
            lines) or the row (other formats, counted from 1).
    """
    for _, rows in read_files(path, key):
        for where, row in rows:
            yield where, _checked(row, where, key)


def read_files(
    path: str, key: str = "data", on_broken: OnBroken | None = None, hub_files: str | None = None
) -> Iterator[tuple[str, Iterator[tuple[str, Any]]]]:
    """Yield `(file, rows)` of every file at `path`, or once for a hub name; `rows` yields `(where, row)`, unchecked.

    Args:
        on_broken: if given, a line of a .jsonl file that is no JSON is handed to this, and is no error.
        hub_files: of a data set on the hub, read only the files that match this glob.

    Raises:
        UserError: as `read_conversations`, while the rows are read.
    """
    files = find_files(path, key)
    for file in files:
        yield file, _never_empty(file, key, on_broken)
    if not files:
        yield (
            path,
            ((f"{path} row {number}", row) for number, row in enumerate(load_hub(path, key, hub_files), start=1)),
        )


def _never_empty(file: str, key: str, on_broken: OnBroken | None) -> Iterator[tuple[str, Any]]:
    """The rows of a file, and an error at the end if it has no row and no broken line either."""
    places: list[str] = []

    def note(where: str, error: str) -> None:
        places.append(where)
        assert on_broken is not None
        on_broken(where, error)

    empty = True
    for where, row in read_rows(file, key, None if on_broken is None else note):
        empty = False
        yield where, row
    if empty and not places:
        raise UserError(f"data file {file} is empty ({key})")


def load_hub(name: str, key: str, files: str | None = None) -> Any:
    """Load `owner/name[:split]` as a `datasets.Dataset`, by the hub's own cache. files: a glob of those to load."""
    look_for_hub()
    import datasets  # slow to import, and only data sets on the hub and Parquet files need it

    owner_name, _, split = name.partition(":")
    some = {} if files is None else {"data_files": files}
    try:
        return datasets.load_dataset(owner_name, split=split or "train", **some)
    except Exception as error:
        if not isinstance(error, OSError | ValueError) and type(error).__module__.split(".")[0] != "datasets":
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{name} is neither a file here nor a data set on the hub: {reason} ({key})") from error


def read_rows(file: str, key: str, on_broken: OnBroken | None = None) -> Iterator[tuple[str, Any]]:
    """Yield `(where, row)` of every row of one file, unchecked; on_broken: see `read_files`."""
    if file.endswith(".parquet"):
        return _read_parquet(file, key)
    if ".jsonl" in os.path.basename(file):
        return _read_jsonl(file, key, on_broken)
    return _read_json(file, key)


def open_file(file: str) -> BinaryIO:
    """Open a file for reading bytes; .gz and .zst are decompressed."""
    if file.endswith(".gz"):
        return cast(BinaryIO, gzip.open(file, "rb"))
    if file.endswith(".zst"):
        import pyarrow as pa  # to `zstandard` a file that was cut off is a whole one

        return io.BufferedReader(pa.input_stream(file, compression="zstd"))  # type: ignore[arg-type]
    return open(file, "rb")


def _read_jsonl(file: str, key: str, on_broken: OnBroken | None) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        with open_file(file) as lines:
            for number, line in enumerate(lines, start=1):
                line = line.removeprefix(b"\xef\xbb\xbf").strip()
                if not line:
                    continue
                try:
                    row = json.loads(line.decode("utf-8"))
                except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or nested too deeply
                    if on_broken is None:
                        what = "no UTF-8" if isinstance(error, UnicodeDecodeError) else "broken JSON"
                        raise UserError(f"{what} at line {number} of {file}: {error} ({key})") from error
                    on_broken(f"{file} line {number}", str(error))
                    continue
                yield f"{file} line {number}", row
    except UserError:
        raise
    except Exception as error:
        raise unreadable(error, f"{file} after line {number}", key) from error


def _read_json(file: str, key: str) -> Iterator[tuple[str, Any]]:
    try:
        with open_file(file) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            for number, row in enumerate(iterate_list(text), start=1):
                yield f"{file} row {number}", row
    except NotAList:
        raise UserError(f"data file {file} should hold a JSON list; JSON lines go into a file .jsonl ({key})") from None
    except BrokenList as error:
        raise UserError(f"broken JSON at line {error.line} of {file}: {error} ({key})") from error
    except Exception as error:
        raise unreadable(error, file, key) from error


def _read_parquet(file: str, key: str) -> Iterator[tuple[str, Any]]:
    import pyarrow.parquet as pq

    if os.path.getsize(file) == 0:
        return
    try:
        if pq.read_metadata(file).num_rows == 0:  # `datasets` fails on a file without rows
            return
        for number, row in enumerate(_parquet_rows(file), start=1):
            yield f"{file} row {number}", row
    except Exception as error:
        raise unreadable(error, file, key) from error


def _parquet_rows(file: str) -> Iterator[dict[str, Any]]:
    """The rows by `datasets`, or by Arrow where a column has a type unknown to it, such as map; a map is a dict."""
    import datasets
    import pyarrow.parquet as pq

    try:
        datasets.Features.from_arrow_schema(pq.read_schema(file))
    except ValueError:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=64):  # rows may be long
                yield from batch.to_pylist(maps_as_pydicts="lossy")  # of a key that is there twice the last, as in JSON
        return
    # streaming makes no copy of the rows; the library's lock files are removed with the temporary folder
    with tempfile.TemporaryDirectory() as folder:
        yield from datasets.load_dataset("parquet", data_files=file, split="train", streaming=True, cache_dir=folder)


def unreadable(error: Exception, place: str, key: str) -> Exception:
    """Turn an error of a decompressor or parser into a UserError; return an error that is not about the data as it is.

    place: the file, and where in it.
    """
    if type(error).__module__.split(".")[0] in ("zlib", "gzip", "zstandard", "pyarrow", "datasets") or isinstance(
        error, (EOFError, OSError, ValueError)
    ):
        return UserError(f"cannot read {place}: {str(error).splitlines()[0] if str(error) else error!r} ({key})")
    return error


def _checked(row: Any, where: str, key: str) -> list[Message]:
    try:
        return parse_messages(row)
    except UserError as error:
        raise UserError(f"{where}: {error} ({key})") from None
