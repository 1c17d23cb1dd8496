"""What a parser's complaint says to a user, in one line, with the nearest key."""

import difflib
import re

UNKNOWN_KEY = re.compile(
    r"(?:accept option|accept nested option|nrecognized arguments:|Key|key|Option) ['\"]?-*([\w.]+)"
)


def explain_parser_error(message: str, keys: list[str]) -> str:
    """jsonargparse's message in one line; an unknown key is answered with the nearest one of ``keys``."""
    message = " ".join(message.split())
    unknown = UNKNOWN_KEY.search(message)
    if unknown and re.search("accept|nrecognized|not expected", message):
        near = difflib.get_close_matches(unknown[1], keys, n=1, cutoff=0.5)
        return f"unknown key {unknown[1]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return message
