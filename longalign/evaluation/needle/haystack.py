"""The text that needles are hidden in: a folder of texts, or generated ones; hashed, tokenised once, endless.

A haystack repeats itself behind its end (as the needle test does with texts that are too short), so a prompt of any
length can start at any sentence. Offsets count characters of that endless text.
"""

import hashlib
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from longalign.errors import UserError
from longalign.evaluation.needle.encoders import Encoder
from longalign.evaluation.needle.scoring import plain
from longalign.evaluation.needle.sentences import sentence_starts

log = logging.getLogger(__name__)

BETWEEN = "\n\n"
"""Between two texts, and between the last and the first where a haystack repeats."""

SPARE = 1.5
"""Tokens generated, as a multiple of the longest prompt: prompts of different seeds start at different places."""

GENERATED_LENGTH = 12_000
"""Characters of one generated document."""

MAX_CHARACTERS = 16_000_000
"""Of a folder; what is beyond is left out, and said."""

SUFFIXES = (".txt", ".md")


@dataclass(frozen=True)
class Source:
    """Where a haystack comes from, so that it can be had again: a folder or file, or a number of generated documents.

    `sha256` is that of `text`, which is not part of the record.
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
        """Characters of the endless text."""
        start, stop, period = span.start, span.stop, len(self.endless)
        copies = stop // period - start // period + 1
        begin = start % period
        text = self.endless if copies == 1 else self.endless * copies
        return text[begin : begin + stop - start]


@dataclass(frozen=True)
class Haystack:
    """A source, tokenised: `ids` and character spans of the tokens, and the starts of sentences, for `tokens` and more.

    Arrays cover the endless text as far as prompts can reach; `text` is that part of it. `joints` are the tokens that
    begin where the text can be cut (`Encoder.joints`), and `exact` says that this is certain.
    """

    source: Source
    text: str
    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    sentences: np.ndarray  # characters
    tokens: int  # of the source
    first_sentences: int  # of `sentences`, those in the source itself
    joints: np.ndarray
    exact: bool

    def holds(self, text: str) -> bool:
        """Whether a text is in the haystack, as scoring would find it."""
        return plain(text) in self._plain

    @cached_property
    def _plain(self) -> str:
        return plain(self.source.endless + self.source.text[:1000])


def read_texts(path: str | Path, joined: str = BETWEEN) -> Source:
    """The texts of a folder (`.txt`, `.md`, in the order of their names, subfolders too), or one file of any name.

    `joined` stands between two of them; where it is nothing, as in the original, texts keep their last line break.

    Raises:
        UserError: nothing there, or not UTF-8.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        raise UserError(f"haystack: {path} does not exist; expected a folder of .txt and .md files, or a file")
    files = [folder] if folder.is_file() else sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
    texts: list[str] = []
    size = 0
    for file in files:
        if size > MAX_CHARACTERS:
            log.warning("haystack: %d of %d files of %s are read, %d characters", len(texts), len(files), path, size)
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
    """`count` generated documents (logbooks, ledgers, stories) with names that training on generated data never has."""
    documents = [_document(language, number) for number in range(count)]
    return Source(BETWEEN.join(documents), {"generated": language, "documents": count})


def source_again(record: dict[str, Any], path: str | None = None) -> Source:
    """The source that a record is of; `path` where its folder has moved.

    Raises:
        UserError: it is not there any more.
    """
    if "generated" in record:
        return generated_texts(record["generated"], record["documents"])
    return read_texts(path or record["path"], joined=record.get("joined", BETWEEN))


def make_haystack(encoder: Encoder, longest: int, *, path: str | None = None, language: str = "en") -> Haystack:
    """A haystack for prompts of at most `longest` tokens: the texts at `path`, or enough generated ones.

    Raises:
        UserError: see `read_texts`.
    """
    if path is not None:
        haystack = tokenise(read_texts(path), encoder, longest)
        if haystack.tokens < longest:
            log.warning("haystack: %d tokens; longer prompts repeat it", haystack.tokens)
        return haystack
    pieces: list[str] = []
    tokens = 0
    while tokens < SPARE * longest:
        pieces.append(_document(language, len(pieces)))
        tokens += len(encoder.tokens(pieces[-1])[0]) if len(pieces) <= _SAMPLE else tokens // (len(pieces) - 1)
    source = Source(BETWEEN.join(pieces), {"generated": language, "documents": len(pieces)})
    return tokenise(source, encoder, longest)


_SAMPLE = 6
"""Generated documents that are tokenised to know how long such documents are; two of each kind."""


def tokenise(source: Source, encoder: Encoder, longest: int) -> Haystack:
    """Encode a source once, and repeat its tokens up to where a prompt of `longest` tokens can reach."""
    unit = source.endless * (1 + 2 * _SYNC // len(source.endless))
    ids, spans = encoder.tokens(unit + unit[: 2 * _SYNC])
    offsets = np.array(spans, dtype=np.int64).reshape(-1, 2)
    cuts, exact = encoder.joints(unit)
    # tokens from `first` on, a joint if there is one, are those of every later round, from whose first token `last` is
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
"""Characters behind which a text's tokens are taken not to depend on how it began."""


def _tokens_at(characters: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """The tokens that begin at some characters, where those before end there."""
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
    measure: Callable[[str], int] = len
    return write_document(world, LANGUAGES[language], genre, length, measure)[0]
