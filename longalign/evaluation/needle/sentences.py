"""Where sentences and words begin and end in a text, English or Chinese, by characters alone."""

import re

import numpy as np

_END = re.compile(
    r"""(?P<full>[。！？…]+[”’」』）】〉》"']*\s*)   # full-width marks need no space behind them
      | (?P<half>[.!?]+["'”’)\]»]*\s+)              # an English end of sentence does
      | (?P<line>\s*\n\s*)""",
    re.VERBOSE,
)
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|vs|etc|e\.g|i\.e|cf|pp?|vol|fig|[A-Z]))$")
_OPENS = re.compile(r"""["'“‘(\[«]*[A-Z\u00c0-\u00de\u0391-\u03a9\u0410-\u042f\u2e80-\u9fff]""")


def sentence_starts(text: str) -> np.ndarray:
    """Character offsets at which a sentence begins, in order; the first is that of the first character.

    A full stop ends a sentence where white space and a capital (or a Chinese character, or a quote before one) follow,
    and no abbreviation such as "Mr." stands in front; a line break always does.
    """
    starts = [len(text) - len(text.lstrip())] if text.strip() else []
    for match in _END.finditer(text, starts[0] if starts else 0):
        end = match.end()
        if end < len(text) and (match["half"] is None or _ends(text, match)):
            starts.append(end)
    return np.unique(np.array(starts, dtype=np.int64))


def _ends(text: str, match: re.Match[str]) -> bool:
    if "\n" in match[0]:
        return True
    dot = match[0].startswith(".") and not match[0].startswith("..")
    before = text[max(0, match.start() - 6) : match.start()]
    return bool(_OPENS.match(text, match.end())) and not (dot and _ABBREVIATION.search(before))


def word_end(text: str, start: int, stop: int) -> int:
    """The last end of a word in ``text[start:stop]``, as an offset; ``start`` where not one word ends before ``stop``.

    Every Chinese character is a word.
    """
    end = stop
    while end > start and not _is_word_end(text, end):
        end -= 1
    return end


def next_word_end(text: str, end: int) -> int:
    """The first end of a word behind ``end``; the text's own end at most."""
    end += 1
    while end < len(text) and not _is_word_end(text, end):
        end += 1
    return min(end, len(text))


def _is_word_end(text: str, end: int) -> bool:
    last = text[end - 1]
    return not last.isspace() and (
        end == len(text) or text[end].isspace() or _is_wide(last) or _is_wide(text[end])
    )


def _is_wide(character: str) -> bool:
    return "\u2e80" <= character <= "\uffef"
