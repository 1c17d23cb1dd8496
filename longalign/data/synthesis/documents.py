"""Documents to ask about: measured, cut to the longest bucket, and told by language; no text is held here."""

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
"""Where no tokenizer is given: about what the vocabularies of Llama 3 and Qwen make of such texts."""

_ENDS = re.compile(r"\n\s*\n|[.!?][\"')\]]*\s|[。！？][”’」』）]*|\n")


@dataclass(frozen=True)
class Document:
    """A text, but for the text. sha256: of its bytes before it was cut. characters: of what is used of it.

    length: tokens, by the tokenizer or estimated.
    """

    where: str
    sha256: str
    language: Language
    length: int
    characters: int
    cut: bool


def estimate(text: str) -> int:
    """Tokens of a text, by its language alone."""
    return round(len(text) / CHARACTERS_A_TOKEN[language_of([text])])


def read_texts(path: str, column: str) -> Iterator[tuple[str, str, str]]:
    """`(where, sha256, text)` of each text behind `path`; one that comes again, or is empty, is left out."""
    seen: set[str] = set()
    for where, text in read_documents(path, "documents", column=column):
        sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        if sha256 not in seen and has_text(text):
            seen.add(sha256)
            yield where, sha256, text


def describe(where: str, sha256: str, text: str, measure: Measure, longest: int) -> Document:
    """What is known of a text: one of more than `longest` tokens is used up to the end of a sentence or paragraph."""
    language = language_of([text])
    whole = length = measure(text)
    used = text
    while length > longest:
        used = shorten(used, int(len(used) * longest / length * 0.995))
        length = measure(used) if used else 0
    return Document(where, sha256, language, length, len(used), length < whole)


def shorten(text: str, characters: int) -> str:
    """The text up to its last sentence or paragraph that ends within so many characters (or cut there)."""
    start = max(0, characters - 5000)
    ends = [match.end() for match in _ENDS.finditer(text, start, characters)]
    return text[: ends[-1] if ends else characters].rstrip()


def count_reasons(documents: list[Document], ranges: list[LengthRange]) -> Counter[str]:
    """How many documents are left out or cut, and why. ranges: of the buckets, by rising length."""
    counts: Counter[str] = Counter()
    for document in documents:
        inside = any(one.low <= document.length < (one.below or 0) for one in ranges)
        counts["shorter than the least bucket"] += document.length < ranges[0].low
        counts["between two buckets"] += document.length >= ranges[0].low and not inside
        counts["neither English nor Chinese"] += inside and document.language == "other"
        counts["cut to the longest bucket"] += document.cut
    return +counts
