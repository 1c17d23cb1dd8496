"""Texts that are nearly those of before, by MinHash; and passages that an evaluation set has, by n-grams.

A passage is 13 words in a row, as GPT-3 was decontaminated with (Brown et al. 2020, appendix C), or 20 Han characters.
"""

import re
from collections.abc import Iterable, Iterator

WORDS, CHARACTERS = 13, 20
PERMUTATIONS = 128
_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")


class NearDuplicates:
    """`seen(text)` tells whether a text like it came before, and remembers it if not.

    threshold: of the Jaccard similarity of the texts' shingles: 5 words, or 8 Han characters.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._count = 0

    def seen(self, text: str) -> bool:
        """Whether a text like this came before; a text too short for a shingle is like none."""
        from datasketch import MinHash

        shingles = {piece.encode(errors="surrogatepass") for piece in _grams(text, 5, 8)}
        if not shingles:
            return False
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch(list(shingles))
        if self._index.query(sketch):
            return True
        self._index.insert(str(self._count), sketch)
        self._count += 1
        return False


class Passages:
    """The passages of evaluation sets, of which no row may have one."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._known = {hash(passage) for text in texts for passage in _grams(text, WORDS, CHARACTERS)}

    def __len__(self) -> int:
        return len(self._known)

    def in_text(self, text: str) -> bool:
        """Whether the text has one of them."""
        return bool(self._known) and any(hash(passage) in self._known for passage in _grams(text, WORDS, CHARACTERS))


def _grams(text: str, words: int, characters: int) -> Iterator[str]:
    spoken = [word for word in _WORD.findall(_HAN.sub(" ", text.lower()))]
    for n in range(len(spoken) - words + 1):
        yield " ".join(spoken[n : n + words])
    for run in _HAN.findall(re.sub(r"[\s\W_]+", "", text)):
        for n in range(len(run) - characters + 1):
            yield run[n : n + characters]
