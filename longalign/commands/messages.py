"""What a parser's complaint says to a user, in one line, with the nearest key."""

import difflib
import re
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import yaml

UNKNOWN_KEY = re.compile(
    r"(?:accept option|accept nested option|nrecognized arguments:|Key|key|Option) ['\"]?-*([\w.]+)"
)


def explain_parser_error(message: str, keys: Sequence[str], args: Sequence[str]) -> str:
    """jsonargparse's message in one line: with the nearest of ``keys`` for an unknown key, with the file for bad YAML.

    ``args`` are the command's arguments, among which the config files are looked for.
    """
    message = " ".join(message.split())
    if "parsing config" in message and (file := _broken_yaml(args)):
        where = message.replace(' in "<unicode string>"', "").removeprefix("Problems parsing config: ")
        return f"{file} is not YAML: {where}"
    found = [match[1] for match in UNKNOWN_KEY.finditer(message)]
    if not found or not re.search("accept|nrecognized|not expected", message):
        return message
    unknown = found[-1]  # the innermost
    if unknown in keys:
        return message
    near = difflib.get_close_matches(unknown, keys, n=1, cutoff=0.5)
    return f"unknown key {unknown!r}" + (f"; did you mean {near[0]!r}?" if near else f": {message}")


def _broken_yaml(args: Sequence[str]) -> str | None:
    """The first ``--config`` file that YAML cannot read."""
    for flag, value in zip_longest(args, args[1:], fillvalue=""):
        file = flag.partition("=")[2] if flag.startswith("--config=") else value if flag in ("--config", "-c") else None
        if file and Path(file).is_file():
            try:
                yaml.safe_load(Path(file).read_text())
            except yaml.YAMLError:
                return file
    return None
