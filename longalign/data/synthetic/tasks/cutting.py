"""Cutting a raw text up into paragraphs and sentences, so that put together they are the text again."""

import re
from collections.abc import Iterator
from itertools import pairwise

from longalign.data.sentences import ends_sentence, next_word_end, sentence_starts, word_end
from longalign.data.synthetic.tasks.weaving import Paragraph

LONGEST = 2000
"""Characters of a piece; a longer paragraph is cut into several."""

_USUAL = 600  # characters of the pieces that a longer one is cut into, if sentences end there
_PART = 60  # characters of the parts of a sentence, roughly
_BLANK = re.compile(r"\n\s*\n")  # the indentation of the next line is not in it
_SPACE = re.compile(r"\s*")

Piece = tuple[str, str]
"""A paragraph or a part of a long one, and what follows it, as in `Paragraph.end`."""


def cut(text: str, start: int = 0) -> Iterator[Piece]:
    """Yield the pieces of a text from a character on; the text ends with a visible character.

    Paragraphs end at blank lines. A long one is cut at ends of sentences, those at the end of a line if there are any;
    if it has none, at the end of a line, or else of a word.
    """
    while start < len(text):
        begin = _space_end(text, start)
        if blank := _BLANK.search(text, begin, begin + LONGEST):
            stop = blank.start()
            end = "\n\n" if text.startswith("\n\n", stop) else "\n"
        elif len(text) - begin <= _USUAL:
            stop, end = len(text), "\n\n"
        else:
            stop = begin + _last_end(text[begin : begin + LONGEST])
            space = text[stop : _space_end(text, stop)]
            if "\n" in space:
                stop, end = stop + space.index("\n"), "\n"
            else:
                end = space
        yield text[start:stop], end
        start = stop + len(end)


def _last_end(text: str) -> int:
    """Where to cut a text that has no blank line: behind a sentence, a line or a word."""
    for part in (text[:_USUAL], text):
        ends = [len(part[:start].rstrip()) for start in sentence_starts(part, lines=False)[1:]]
        if ends:
            at_lines = [end for end in ends if "\n" in part[end : _space_end(part, end)]]
            return (at_lines or ends)[-1]
    line = len(text[: max(0, text.rfind("\n"))].rstrip())
    return line or word_end(text, 0, len(text) - 1) or len(text)


def _space_end(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match
    return match.end()


def to_paragraph(text: str, end: str) -> Paragraph:
    """Cut a piece into sentences; if no sentence ends in it, as in code or verse, into lines."""
    starts = sentence_starts(text, lines=False)
    if len(starts) < 2 and not ends_sentence(text):
        begin = _space_end(text, 0)
        cuts = [match.start() for match in re.finditer(r"\n", text) if match.start() > begin]
    else:
        cuts = [len(text[:start].rstrip()) for start in starts[1:]]
    return Paragraph([text[a:b] for a, b in pairwise([0, *cuts, len(text)])], end)


def cut_sentence(sentence: str) -> list[str]:
    """Cut a sentence at ends of words into parts of about equal length; a very long word is cut too."""
    cuts = [0]
    while cuts[-1] + 2 * _PART < len(sentence):
        cuts.append(min(next_word_end(sentence, cuts[-1] + _PART), cuts[-1] + 2 * _PART))
    return [sentence[a:b] for a, b in pairwise([*cuts, len(sentence)])]
