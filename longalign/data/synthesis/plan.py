"""Which documents are asked about, and for what type of task: the same at each start, each document by itself.

In: documents, buckets, a seed. Out: `Pick`s. A document's tasks and draws depend on the seed and its own text alone, so
that more documents or a larger count add rows and change none, but where a bucket's order lets others come first.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from longalign.data.synthesis.buckets import Bucket, bucket_of, quotas
from longalign.data.synthesis.lengths import TokenEnds, cut
from longalign.data.synthesis.overlap import EvaluationTexts, NearDuplicates
from longalign.data.synthesis.prompts import TASKS
from longalign.data.synthesis.words import document_language
from longalign.errors import UserError


@dataclass(frozen=True)
class Document:
    """A document without its text: the first ``characters`` of it are used, which are ``length`` tokens."""

    where: str
    sha256: str  # of the whole text
    language: str
    length: int
    characters: int
    is_cut: bool
    bucket: str


@dataclass
class Survey:
    """The documents that can be used, and counts of those left out or changed, by reason."""

    documents: list[Document] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Pick:
    """One row to make. ``use`` is how often the document was picked before."""

    document: Document
    text: str
    use: int
    task: str
    seed: int

    def draw(self, what: str) -> random.Random:
        """Randomness for one decision on this row."""
        return random.Random(f"{self.seed}/{self.document.sha256}/{self.use}/{what}")

    @property
    def id(self) -> str:
        """The row's id."""
        return f"{self.document.sha256[:16]}-{self.use}"


def survey(
    texts: Iterable[tuple[str, str]],
    buckets: list[Bucket],
    ends: TokenEnds,
    duplicates: NearDuplicates | None,
    evaluation: EvaluationTexts,
) -> Survey:
    """Measure every document once; texts are not kept. Of documents that are alike the first one counts."""
    found, known = Survey(), set()
    for where, raw in texts:
        text = whole_characters(raw)
        digest = text_digest(text)
        if digest in known:
            found.left_out["equal to another"] += 1
            continue
        known.add(digest)
        document, reason = _measure(where, text, digest, buckets, ends)
        if document is not None:
            used = text[: document.characters]
            if evaluation.overlaps(used):
                reason = "overlap with --exclude"
            elif duplicates is not None and duplicates.seen(used):
                reason = "near duplicate of another"
        if document is None or reason:
            found.left_out[reason] += 1
            continue
        found.documents.append(document)
        found.changed["cut to the longest bucket"] += document.is_cut
        found.changed["with broken characters, now U+FFFD"] += text != raw
    return found


def pick(
    documents: list[Document], buckets: list[Bucket], count: int, max_uses: int, seed: int
) -> tuple[list[tuple[Document, int]], list[str]]:
    """``(document, use)`` for each row, bucket by bucket, and a line on each bucket: what it gives and what it lacks.

    A document is used again, for another type of task, only when all of its bucket are used.
    """
    found: list[tuple[Document, int]] = []
    lines = []
    for bucket, wanted in zip(buckets, quotas(buckets, count), strict=True):
        own = [document for document in documents if document.bucket == bucket.name]
        own.sort(key=lambda document: text_digest(f"{seed}/{document.sha256}"))
        rows = [(document, use) for use in range(max_uses) for document in own][:wanted]
        found += rows
        uses = rows[-1][1] + 1 if rows else 0
        line = f"{bucket.name}: {len(rows)} rows of {min(len(own), len(rows))} documents"
        line += f", used up to {uses} times" if uses > 1 else ""
        line += f"; {wanted - len(rows)} of {wanted} cannot be made" if len(rows) < wanted else ""
        lines.append(line + (f" ({len(own)} there, {max_uses} uses at most)" if len(rows) < wanted else ""))
    return found, lines


def load_picks(chosen: list[tuple[Document, int]], texts: Iterable[tuple[str, str]], seed: int) -> list[Pick]:
    """The picks with their texts, read a second time.

    Raises:
        UserError: a document is not there any more.
    """
    wanted = {document.sha256: document for document, _ in chosen}
    found: dict[str, str] = {}
    for _, raw in texts:
        text = whole_characters(raw)
        document = wanted.get(text_digest(text))
        if document is not None:
            found[document.sha256] = text[: document.characters]
    picks = []
    for document, use in chosen:
        if document.sha256 not in found:
            raise UserError(f"documents: {document.where} changed while it was read; start again")
        task = tasks(document.sha256, seed)[use]
        picks.append(Pick(document, found[document.sha256], use, task, seed))
    return picks


def tasks(sha256: str, seed: int) -> list[str]:
    """The types of task of a document by its uses, each once, in an order of its own."""
    return random.Random(f"{seed}/{sha256}/tasks").sample(TASKS, len(TASKS))


def whole_characters(text: str) -> str:
    """The text with U+FFFD for halves of surrogate pairs, which cannot be sent or written."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_digest(text: str) -> str:
    """sha256 of the text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def _measure(where: str, text: str, digest: str, buckets: list[Bucket], ends: TokenEnds) -> tuple[Document | None, str]:
    token_ends = ends(text)
    length, last = len(token_ends), buckets[-1]
    if length < buckets[0].low:
        return None, f"shorter than {buckets[0].low} tokens"
    is_cut = length >= last.high
    used = cut(text, token_ends, last.low, last.high) if is_cut else text
    length = min(max(len(ends(used)), last.low), last.high - 1) if is_cut else length
    bucket = last if is_cut else bucket_of(length, buckets)
    if bucket is None:
        return None, "between two buckets"
    return Document(where, digest, document_language(used), length, len(used), is_cut, bucket.name), ""
