"""Choosing the documents that are asked about, and their tasks: a seeded order of candidates for each length bucket.

First each document of a bucket comes once. If the quota needs more, each comes again with another task, and so on.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from longalign.data.buckets import LengthRange, length_range
from longalign.data.cache import content_key
from longalign.data.synthesis.documents import Document
from longalign.errors import UserError

TASKS = ("general", "summary", "reasoning", "extraction")
"""LongAlign's four types of task (section 3.1): any question, a summary, reasoning over several places of the document,
and extraction of facts."""

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Candidate:
    """A document with a task. use: how often the document came before; bucket: the name of its range of lengths."""

    document: Document
    task: str
    use: int
    bucket: str

    def draw(self, seed: int, purpose: str) -> random.Random:
        """A random generator for one purpose, which does not depend on what other candidates there are."""
        return random.Random(f"{seed}/{purpose}/{self.document.sha256}/{self.use}")

    def key(self, *parts: object) -> str:
        """The key under which a reply about this candidate is recorded. parts: whatever else the reply depends on."""
        document = [self.document.sha256, self.document.characters]
        return content_key({"document": document, "task": self.task, "use": self.use, "more": [*parts]})


def parse_buckets(text: str, count: int) -> dict[str, int]:
    """Parse `"8k-16k:0.25,16k-32k:0.75"` to the number of rows of each bucket, the shortest first.

    Args:
        count: rows of all buckets together.

    Raises:
        UserError: the text is malformed, ranges overlap or have no upper end, or the shares do not add up to 1.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, colon, share = part.strip().partition(":")
        try:
            shares[name] = float(share) if colon else -1
        except ValueError:
            shares[name] = -1
        if not 0 < shares[name] <= 1:
            raise UserError(f"buckets: got {part.strip()!r}, expected from-below:share such as 8k-16k:0.25")
    ordered = sorted(shares, key=lambda name: length_range(name, "buckets").low)
    ranges = [length_range(name, "buckets") for name in ordered]
    if any(one.below is None for one in ranges):
        raise UserError("buckets: the longest has no end; give one, such as 32k-64k, to which longer documents are cut")
    if any(after.low < (before.below or 0) for before, after in pairwise(ranges)):
        raise UserError(f"buckets: {text}: ranges overlap; a length belongs to one")
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UserError(f"buckets: the shares add up to {sum(shares.values()):g}, expected 1")
    return _quotas({name: shares[name] for name in ordered}, count)


def _quotas(shares: Mapping[str, float], count: int) -> dict[str, int]:
    """Shares of `count` as whole numbers that add up to it: rounded down, and the largest remainders one more."""
    quotas = {name: int(share * count) for name, share in shares.items()}
    rests = sorted(shares, key=lambda name: quotas[name] - shares[name] * count)
    for name in rests[: count - sum(quotas.values())]:
        quotas[name] += 1
    return quotas


def candidates(documents: Sequence[Document], quotas: Mapping[str, int], seed: int) -> dict[str, list[Candidate]]:
    """All candidates of each bucket, in the order in which they are asked about."""
    found: dict[str, list[Candidate]] = {}
    for bucket in quotas:
        span = length_range(bucket, "buckets")
        inside = [one for one in documents if _inside(one, span) and one.language in LANGUAGES]
        inside.sort(key=lambda one: random.Random(f"{seed}/order/{one.sha256}").random())
        orders = {one.sha256: random.Random(f"{seed}/tasks/{one.sha256}").sample(TASKS, len(TASKS)) for one in inside}
        found[bucket] = [
            Candidate(one, orders[one.sha256][use], use, bucket) for use in range(len(TASKS)) for one in inside
        ]
    return found


def _inside(document: Document, span: LengthRange) -> bool:
    assert span.below is not None
    return span.low <= document.length < span.below
