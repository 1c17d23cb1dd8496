"""The text that needles are hidden in: the files of a folder, or generated documents. It is hashed and tokenised once.

Behind its end a haystack begins again (the usual needle test also repeats texts that are too short), so a prompt of any
length can start at any of its sentences. This endless text is what offsets refer to, as numbers of characters.
"""

import hashlib
import logging
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from longalign.data.sentences import sentence_starts
from longalign.errors import UserError
from longalign.evaluation.needle.encoders import Encoder
from longalign.evaluation.needle.scoring import plain

log = logging.getLogger(__name__)

BETWEEN = "\n\n"
"""Stands between two texts, and between the last text and the first where a haystack repeats."""

SPARE = 1.5
"""Tokens to generate, as a multiple of the longest prompt: prompts of different seeds start at different places."""

GENERATED_LENGTH = 12_000
"""Characters of one generated English document; a Chinese one has a third."""

MAX_CHARACTERS = 16_000_000
"""When more characters of a folder have been read, its other files are left out, with a warning."""

SUFFIXES = (".txt", ".md")


@dataclass(frozen=True)
class Source:
    """A haystack's text, and the record by which `source_again` reads or generates it again.

    The record names a folder or file, or a language and a number of generated documents. It does not hold the text:
    `sha256`, the hash of the text, shows whether it is still the same.
    """

    text: str
    record: dict[str, Any]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def endless(self) -> str:
        return self.text + BETWEEN

    def __getitem__(self, span: slice) -> str:
        """``source[start:stop]``: these characters of the endless text."""
        start, stop, period = span.start, span.stop, len(self.endless)
        copies = stop // period - start // period + 1
        begin = start % period
        text = self.endless if copies == 1 else self.endless * copies
        return text[begin : begin + stop - start]


@dataclass(frozen=True)
class Haystack:
    """A tokenised source. Its text and arrays cover the endless text as far as prompts can reach.

    Of token n, `ids[n]` is the id and ``text[starts[n]:ends[n]]`` the characters. `joints` are the indices of tokens
    that begin where the text can be cut (`Encoder.joints`); `exact` says whether that is certain.
    """

    source: Source
    text: str
    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    sentences: np.ndarray  # characters at which sentences begin
    tokens: int  # of the source, once
    first_sentences: int  # how many `sentences` are in the source's first copy
    joints: np.ndarray
    exact: bool

    def holds(self, text: str) -> bool:
        """Whether scoring would find a text in the haystack, which would make it a useless answer."""
        return plain(text) in self._plain

    @cached_property
    def _plain(self) -> str:
        return plain(self.source.endless + self.source.text[:1000])


def read_texts(path: str | Path, joined: str = BETWEEN) -> Source:
    """Read the `.txt` and `.md` files of a folder and its subfolders, in the order of their names, or one file.

    `joined` is put between two texts. If it is empty, as in LongAlign's own test, texts are taken as they are; else
    white space at their ends is removed.

    Raises:
        UserError: there is no such folder or file, no text in it, or a file is not UTF-8.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        raise UserError(f"haystack: {path} does not exist; expected a folder of .txt and .md files, or a file")
    inside = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    files = [folder] if folder.is_file() else sorted(inside)
    texts: list[str] = []
    size = 0
    for file in files:
        if size > MAX_CHARACTERS:
            said = "haystack: read only %d of %d files of %s (%d characters); the rest is left out"
            log.warning(said, len(texts), len(files), path, size)
            break
        try:
            text = file.read_text(encoding="utf-8-sig")
            texts.append(text.strip() if joined else text)
        except UnicodeDecodeError as error:
            raise UserError(f"haystack: {file} is not UTF-8 text (byte {error.start})") from error
        size += len(texts[-1])
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise UserError(f"haystack: no text in {path}; expected {' or '.join(SUFFIXES)} files, UTF-8")
    return Source(joined.join(texts), {"path": str(folder.resolve()), "files": len(texts), "joined": joined})


def generated_texts(language: str, count: int) -> Source:
    """`count` generated documents (logbooks, ledgers, stories), with names that generated training data never has."""
    documents = [_document(language, number) for number in range(count)]
    return Source(BETWEEN.join(documents), {"generated": language, "documents": count})


def source_again(record: dict[str, Any], path: str | None = None) -> Source:
    """Read or generate the source of a record again; `path` is the folder of the texts if it is not where it was.

    Raises:
        UserError: the texts cannot be read, see `read_texts`.
    """
    if "generated" in record:
        return generated_texts(record["generated"], record["documents"])
    return read_texts(path or record["path"], joined=record.get("joined", BETWEEN))


def make_haystack(encoder: Encoder, longest: int, *, path: str | None = None, language: str = "en") -> Haystack:
    """A haystack for prompts of at most `longest` tokens: the texts at `path`, or enough generated documents.

    Raises:
        UserError: see `read_texts`.
    """
    if path is not None:
        haystack = tokenise(read_texts(path), encoder, longest)
        if haystack.tokens < longest:
            log.warning("haystack: it has %d tokens; longer prompts repeat it", haystack.tokens)
        return haystack
    pieces: list[str] = []
    tokens = 0
    while tokens < SPARE * longest:
        pieces.append(_document(language, len(pieces)))
        tokens += len(encoder.tokens(pieces[-1])[0]) if len(pieces) <= _SAMPLE else tokens // (len(pieces) - 1)
    source = Source(BETWEEN.join(pieces), {"generated": language, "documents": len(pieces)})
    return tokenise(source, encoder, longest)


_SAMPLE = 6
"""So many generated documents (two of each kind) are tokenised; of the others, their mean length is assumed."""


def tokenise(source: Source, encoder: Encoder, longest: int) -> Haystack:
    """Encode a source once, and repeat its tokens so far that a prompt of `longest` tokens can start anywhere in it."""
    unit = source.endless * (1 + 2 * _SYNC // len(source.endless))
    ids, spans = encoder.tokens(unit + unit[: 2 * _SYNC])
    offsets = np.array(spans, dtype=np.int64).reshape(-1, 2)
    cuts, exact = encoder.joints(unit)
    # The endless text is made of rounds of `unit`. Tokens [first, last) are one round, and are repeated for the later
    # ones: `first` begins at a joint if there is one, and `last` is the same token one round later.
    begin = next((at for at in cuts[bisect_left(cuts, _SYNC) :] if at < 2 * _SYNC), None)
    exact = exact and begin is not None
    first = int(np.searchsorted(offsets[:, 0], begin or _SYNC))
    last = int(np.searchsorted(offsets[:, 0], offsets[first, 0] + len(unit)))
    rounds = 2 + longest // max(last - first, 1)
    shifts = np.repeat(np.arange(rounds) * len(unit), last - first)
    spread = np.concatenate([offsets[:first], np.tile(offsets[first:last], (rounds, 1)) + shifts[:, None]])
    sentences = sentence_starts(source.text)
    copies = len(unit) // len(source.endless) * rounds
    repeats = np.arange(copies)[:, None] * len(source.endless)
    array = np.array(ids, dtype=np.int64)
    joints = (np.array(cuts, dtype=np.int64)[None, :] + np.arange(rounds)[:, None] * len(unit)).ravel()
    return Haystack(
        source=source,
        text=source.endless * (copies + 1),
        ids=np.concatenate([array[:first], np.tile(array[first:last], rounds)]),
        starts=spread[:, 0],
        ends=spread[:, 1],
        sentences=(sentences[None, :] + repeats).ravel(),
        tokens=(last - first) * len(source.endless) // len(unit),
        first_sentences=len(sentences),
        joints=_tokens_at(joints, spread),
        exact=exact,
    )


_SYNC = 1000
"""Tokens behind so many characters are assumed not to depend on how the text begins."""


def _tokens_at(characters: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Indices of the tokens that begin at one of these characters, if the token before ends at or before it."""
    characters = characters[characters < spans[-1, 0]]
    tokens = np.searchsorted(spans[:, 0], characters)
    return tokens[(spans[tokens, 0] == characters) & (spans[tokens - 1, 1] <= characters) & (tokens > 0)]


def _document(language: str, number: int) -> str:
    from longalign.data.synthetic import LANGUAGES
    from longalign.data.synthetic.documents import write_document
    from longalign.data.synthetic.world import Draw, World

    world = World(Draw(f"haystack/{language}/{number}"), language, "validation")
    genres = LANGUAGES[language].genres
    genre = genres[sorted(genres)[number % len(genres)]]
    length = GENERATED_LENGTH if language == "en" else GENERATED_LENGTH // 3
    return write_document(world, LANGUAGES[language], genre, length, len)[0]
