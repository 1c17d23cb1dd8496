"""Find where sentences and words begin and end in English or Chinese texts, by their characters alone."""

import re

import numpy as np

_END = re.compile(
    r"""(?P<full>[。！？…]+[”’」』）】〉》"']*\s*)   # full-width marks need no space behind them
      | (?P<half>[.!?]+["'”’)\]»]*\s+)              # ASCII marks do
      | (?P<line>\s*\n\s*)""",
    re.VERBOSE,
)
_LAST = re.compile(r"""[。！？….!?]["'”’」』）】〉》)\]»*_]*\s*\Z""")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|vs|etc|e\.g|i\.e|cf|pp?|vol|fig|[A-Z]))$")
_NUMBER = re.compile(r"(?:^|\n)\s*\d{1,3}$")
_OPENS = re.compile(r"""["'“‘(\[«]*[A-Z\u00c0-\u00de\u0391-\u03a9\u0410-\u042f\u2e80-\u9fff]""")


def sentence_starts(text: str, lines: bool = True) -> np.ndarray:
    """Character offsets at which a sentence begins, in order. The first is that of the first character of the text.

    A line break and a full-width mark always end a sentence. ".", "!" and "?" do if white space and a capital letter or
    a Chinese character follow (with or without an opening quote), and "." does not behind an abbreviation such as "Mr".

    lines: without it a line break is mere white space, as in prose that is broken into short lines, and the number of a
    list's item ("2. ") is no sentence.
    """
    starts = [len(text) - len(text.lstrip())] if text.strip() else []
    for match in _END.finditer(text, starts[0] if starts else 0):
        end = match.end()
        if match["line"] and not lines:
            continue
        if end < len(text) and (match["half"] is None or _ends(text, match, lines)):
            starts.append(end)
    return np.unique(np.array(starts, dtype=np.int64))


def ends_sentence(text: str) -> bool:
    """Whether the text ends with the mark of a sentence's end, perhaps in quotes or brackets."""
    return bool(_LAST.search(text))


def _ends(text: str, match: re.Match[str], lines: bool) -> bool:
    if lines and "\n" in match[0]:
        return True
    dot = match[0].startswith(".") and not match[0].startswith("..")
    before = text[max(0, match.start() - 6) : match.start()]
    if dot and (_ABBREVIATION.search(before) or (not lines and _NUMBER.search(before))):
        return False
    return bool(_OPENS.match(text, match.end()))


def word_end(text: str, start: int, stop: int) -> int:
    """The offset of the last end of a word in ``text[start:stop]``, or ``start`` if no word ends there.

    Every Chinese character counts as a word.
    """
    end = stop
    while end > start and not _is_word_end(text, end):
        end -= 1
    return end


def next_word_end(text: str, end: int) -> int:
    """The offset of the first end of a word behind ``end``; the end of the text if there is none."""
    end += 1
    while end < len(text) and not _is_word_end(text, end):
        end += 1
    return min(end, len(text))


def _is_word_end(text: str, end: int) -> bool:
    last = text[end - 1]
    return not last.isspace() and (end == len(text) or text[end].isspace() or _is_wide(last) or _is_wide(text[end]))


def _is_wide(character: str) -> bool:
    return "\u2e80" <= character <= "\uffef"
