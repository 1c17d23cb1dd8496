"""Finding length and language of the documents to ask about. The texts are not kept in memory."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from longalign.chat.raw_text import has_text
from longalign.data.buckets import LengthRange
from longalign.data.documents import read_documents
from longalign.data.importing.language import Language, language_of

Measure = Callable[[str], int]

CHARACTERS_A_TOKEN = {"en": 4.2, "zh": 1.5, "other": 3.0}
"""By language, for estimates without a tokenizer: about what the tokenizers of Llama 3 and Qwen reach."""

_ENDS = re.compile(r"\n\s*\n|[.!?][\"')\]]*\s|[。！？][”’」』）]*|\n")


@dataclass(frozen=True)
class Document:
    """What is known of a document; the text itself is read again when it is needed.

    Attributes:
        where: the file, line or row that it is from. sha256: of the whole text.
        length: tokens of the part that is used, by the tokenizer or estimated. characters: of that part.
        cut: whether the document is longer than that.
    """

    where: str
    sha256: str
    language: Language
    length: int
    characters: int
    cut: bool


def estimate(text: str) -> int:
    """Estimate the tokens of a text by its characters and its language."""
    return round(len(text) / CHARACTERS_A_TOKEN[language_of([text])])


def read_texts(path: str, column: str, left_out: Counter[str] | None = None) -> Iterator[tuple[str, str, str]]:
    """Yield `(where, sha256, text)` of the texts at `path`, without those that are empty or equal to an earlier one.

    left_out: how many are left out, by reason, is added to this.
    """
    seen: set[str] = set()
    left_out = Counter[str]() if left_out is None else left_out
    for where, text in read_documents(path, "documents", column=column):
        sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        if sha256 in seen:
            left_out["the same as another"] += 1
        elif not has_text(text):
            left_out["empty"] += 1
        else:
            seen.add(sha256)
            yield where, sha256, text


def describe(where: str, sha256: str, text: str, measure: Measure, longest: int) -> Document:
    """Measure a text. Of one with more than `longest` tokens, the part up to an end of a sentence or paragraph is used.

    measure: counts tokens.
    """
    language = language_of([text])
    whole = length = measure(text)
    used = text
    while length > longest:
        used = shorten(used, int(len(used) * longest / length * 0.995))
        length = measure(used) if used else 0
    return Document(where, sha256, language, length, len(used), length < whole)


def shorten(text: str, characters: int) -> str:
    """The text up to the last end of a sentence or paragraph within so many characters; cut there if there is none."""
    start = max(0, characters - 5000)
    ends = [match.end() for match in _ENDS.finditer(text, start, characters)]
    return text[: ends[-1] if ends else characters].rstrip()


def count_reasons(documents: list[Document], ranges: list[LengthRange]) -> Counter[str]:
    """Count the documents that are left out or cut, by reason. ranges: those of the buckets, the shortest first."""
    counts: Counter[str] = Counter()
    for document in documents:
        inside = any(one.low <= document.length < (one.below or 0) for one in ranges)
        counts["shorter than the least bucket"] += document.length < ranges[0].low
        counts["between two buckets"] += document.length >= ranges[0].low and not inside
        counts["neither English nor Chinese"] += inside and document.language == "other"
        counts["cut to the longest bucket"] += document.cut
    return +counts
