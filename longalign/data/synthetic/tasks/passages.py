"""Passages of raw texts as the text around the facts of a document.

A passage starts at a random place and goes on until the room is filled; behind the end of a text comes the next one,
and behind the last the first. Texts are cut up only where a passage runs, so time is linear in its length. A piece with
a name or a value of the document's facts in it is left out, because it could make an answer wrong.
"""

import logging
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import ClassVar

from longalign.api.replies import well_formed
from longalign.counted import counted
from longalign.data.importing.language import language_of
from longalign.data.synthetic.tasks.cast import Cast
from longalign.data.synthetic.tasks.cutting import LONGEST, Piece, cut, cut_sentence, to_paragraph
from longalign.data.synthetic.tasks.weaving import Filled, Measure, Paragraph
from longalign.data.synthetic.world import Draw
from longalign.errors import UserError

log = logging.getLogger(__name__)

MAX_CHARACTERS = 200_000_000
"""So many characters of texts are held in memory; the rest is left out, which is logged."""

LEAST = 200
"""Texts of fewer characters are not used."""

_SAMPLE = 100_000  # characters at the start of a text that tell its language, or the tokens of all texts
_LONG = 240  # bytes: of a longer sentence (240 letters, 80 Chinese characters), the end of the room takes a part
_LETTER = "[A-Za-z0-9_]"
_LANGUAGES = {"en": "English", "zh": "Chinese", "other": "in another language"}


class Shelf:
    """The texts of one language in their order, `(where, text)` each."""

    def __init__(self, texts: list[tuple[str, str]]) -> None:
        self._texts = texts
        self._ends = list(accumulate(len(text) for _, text in texts))

    @property
    def characters(self) -> int:
        return self._ends[-1]

    @property
    def first(self) -> str:
        """The first text, or more of them if it is short."""
        number = 1 + bisect_right(self._ends, _SAMPLE)
        return "\n\n".join(text for _, text in self._texts[:number])

    def pieces(self, draw: Draw) -> Iterator[tuple[str, Piece]]:
        """Yield `(where, piece)` without an end, from a random place on; it is in a text as likely as that is long."""
        at = draw.randrange(self.characters)
        number = bisect_right(self._ends, at)
        where, text = self._texts[number]
        pieces = cut(text, at - self._ends[number] + len(text))
        next(pieces)  # what is left of a paragraph
        yield from ((where, piece) for piece in pieces)
        for following in count(number + 1):
            where, text = self._texts[following % len(self._texts)]
            yield from ((where, piece) for piece in cut(text))


@dataclass(frozen=True)
class Passages:
    """Fills a room with passages of the texts of a language. shelves: by language."""

    shelves: dict[str, Shelf]
    lines: ClassVar[bool] = True

    def fill(self, cast: Cast, room: int, measure: Measure) -> Filled:
        """See `Filler`; `styles` is empty, and `texts` has the places that the passages are from.

        Raises:
            UserError: no piece of the texts can be used.
        """
        paragraphs: list[Paragraph] = []
        places: dict[str, None] = {}
        left = room
        for gap, where, (text, end) in _usable(self.shelves[cast.language], cast):
            if paragraphs:
                paragraphs[-1].end = gap
            else:
                gap, text = "", text.lstrip("\n")
            size = measure(gap + text)
            paragraph = to_paragraph(text, end)
            fits = size <= left
            if fits:
                left -= size
            else:
                paragraph.sentences, left = _beginning(paragraph.sentences, gap, left, measure)
            if paragraph.sentences:
                paragraphs.append(paragraph)
                places[where] = None
            if not fits:
                break
        return Filled(paragraphs, left, {"styles": [], "texts": list(places)})

    def warn_of_repeats(self, longest: int, measure: Measure) -> None:
        """Log a warning for each language whose texts are, by a sample, shorter than the longest row."""
        for code, shelf in self.shelves.items():
            sample = shelf.first[:_SAMPLE]
            length = round(shelf.characters / len(sample) * measure(sample))
            if length < longest:
                said = "text: the %s texts have a length of about %d; longer rows repeat them"
                log.warning(said, _LANGUAGES[code], length)


def _usable(shelf: Shelf, cast: Cast) -> Iterator[tuple[str, str, Piece]]:
    """Yield `(what stands between the last piece and this, where, piece)` of the pieces without the facts' phrases."""
    holds_none = without(cast.known())
    gaps, idle = [""], 0
    for where, (text, end) in shelf.pieces(cast.draw):
        if holds_none(text):
            yield max(gaps, key=lambda gap: (gap.count("\n"), len(gap))), where, (text, end)
            gaps, idle = [], 0
        elif (idle := idle + len(text)) > shelf.characters + LONGEST:
            raise UserError("text: each paragraph holds a name or a value of a row's facts; give more or other text")
        gaps.append(end)


def _beginning(sentences: list[str], gap: str, left: int, measure: Measure) -> tuple[list[str], int]:
    """(the first sentences that fit, what is left then). Of a long sentence there is the part that fits."""
    fitting: list[str] = []
    for sentence in sentences:
        size = measure(gap + sentence)
        if size <= left:
            fitting.append(sentence)
            left, gap = left - size, ""
            continue
        if len(sentence.encode(errors="replace")) > _LONG:
            parts, left = _beginning(cut_sentence(sentence), gap, left, measure)
            fitting += ["".join(parts)] if parts else []
        break
    return fitting, left


def without(phrases: frozenset[str]) -> Callable[[str], bool]:
    """A test whether a text has none of the phrases in it as whole words, their first letter a capital or not."""
    forms = {form for phrase in phrases for form in (phrase, phrase[0].upper() + phrase[1:])}

    def holds_none(text: str) -> bool:
        flat = " ".join(text.split())
        found = [form for form in forms if form in flat]  # half the time of one expression for all
        return not any(re.search(_whole(form), flat) for form in found)

    return holds_none


def _whole(phrase: str) -> str:
    """An expression for a phrase that is no part of a longer word or number; in Chinese, words have no borders."""
    front, back = (_LETTER if edge.isascii() and edge.isalnum() else "(?!)" for edge in (phrase[0], phrase[-1]))
    return f"(?<!{front}){re.escape(phrase)}(?!{back})"


def read_passages(path: str, languages: Sequence[str], column: str = "text") -> Passages:
    """Read texts of some languages from what `read_documents` reads, at most `MAX_CHARACTERS`.

    What is left out is logged: texts that are short, those in another language, and what is behind the limit.

    Raises:
        UserError: there is no text of one of the languages, or as `read_documents`.
    """
    from longalign.data.documents import read_documents  # slow to import, and `--help` needs none of it

    texts: dict[str, list[tuple[str, str]]] = {code: [] for code in languages}
    others: Counter[str] = Counter()
    room, repaired = MAX_CHARACTERS, 0
    for where, raw in read_documents(path, "text", column=column):
        text = well_formed(raw).replace("\r\n", "\n").lstrip("\n").rstrip()
        code = "short" if len(text) < LEAST else language_of([text[:_SAMPLE]])
        if code not in texts:
            others[code] += 1
            continue
        texts[code].append((where, text[:room].rstrip()))
        repaired += well_formed(raw) != raw
        room -= len(text)
        if room < 0:
            log.info("text: only the first %d characters of %s are used", MAX_CHARACTERS, path)
            break
    _check_found(path, texts, others)
    if others:
        log.info("text: %s not used: %s", counted(others.total(), "text"), _listed(others))
    if repaired:
        log.info("text: half characters (lone surrogates) of %s became U+FFFD", counted(repaired, "text"))
    return Passages({code: Shelf(found) for code, found in texts.items()})


def _check_found(path: str, texts: dict[str, list[tuple[str, str]]], others: Counter[str]) -> None:
    spoken = [code for code in ("en", "zh") if texts.get(code) or others[code]]
    for code, found in texts.items():
        if not found:
            remedy = f"give --language {spoken[0]}, or other text" if spoken else "give other text"
            there = others + Counter({spoken: len(known) for spoken, known in texts.items()})
            has = f"; there are {_listed(there)}" if there else ""
            raise UserError(f"text: {path} has no {_LANGUAGES[code]} text of {LEAST} characters or more{has}: {remedy}")


def _listed(kinds: Counter[str]) -> str:
    names = _LANGUAGES | {"short": f"shorter than {LEAST} characters"}
    return ", ".join(f"{number:,} {names[kind]}" for kind, number in sorted(kinds.items()))
