"""Finding texts that nearly equal an earlier one, by MinHash, and texts with passages of evaluation sets, by n-grams.

A passage is 13 words in a row, as in GPT-3's decontamination (Brown et al. 2020, appendix C), or 20 Han characters.
"""

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

WORDS, CHARACTERS = 13, 20  # of a passage
SHORTEST = 6, 10  # words or Han characters of a text that is shorter than a passage, but still compared
PERMUTATIONS, BANDS = 128, 32  # four numbers a band: two texts of similarity 0.7 almost certainly share a band
_WORD = re.compile(r"[^\W_]+")
_NO_LETTER = re.compile(r"[\s\W_]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")


class NearDuplicates:
    """`seen(text)` tells whether an earlier text was similar, and remembers the text if not.

    Args:
        threshold: Jaccard similarity (0-1) of two texts' shingles from which they are similar. A shingle is 5 words or
            8 Han characters in a row.
        every: use one in so many shingles, chosen by a hash so that it is the same ones in all texts. Long texts have
            enough of them.
    """

    def __init__(self, threshold: float, every: int = 1) -> None:
        from rensa import RMinHashDeduplicator

        self._kept: Any = RMinHashDeduplicator(threshold, PERMUTATIONS, use_lsh=True, num_bands=BANDS)
        self._every = every

    def seen(self, text: str) -> bool:
        """Whether an earlier text was similar. A text that is too short for a shingle is similar to none."""
        from rensa import RMinHash

        encoded = (piece.encode(errors="surrogatepass") for piece in _grams(text, 5, 8))
        shingles = {piece for piece in encoded if self._every == 1 or zlib.crc32(piece) % self._every == 0}
        if not shingles:
            return False
        sketch = RMinHash(PERMUTATIONS, seed=42)
        sketch.update(list(shingles))
        return not self._kept.add(str(self._kept.len()), sketch)


class Passages:
    """The passages of evaluation sets, none of which may be in training data.

    A whole text of 6 to 12 words, or of 10 to 19 Han characters, such as a short question, counts as one passage.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._known: dict[tuple[int, int], set[int]] = {}
        for text in texts:
            words, characters = min(_num_words(text), WORDS), min(_num_characters(text), CHARACTERS)
            for size in ((words, 0), (0, characters)):
                if size[0] >= SHORTEST[0] or size[1] >= SHORTEST[1]:
                    self._known.setdefault(size, set()).update(map(hash, _grams(text, *size)))

    def in_text(self, text: str) -> bool:
        """Whether the text contains one of the passages."""
        return any(hash(gram) in known for size, known in self._known.items() for gram in _grams(text, *size))


def _grams(text: str, words: int, characters: int) -> Iterator[str]:
    """Yield all runs of so many words, and of so many Han characters; 0: none of this kind."""
    spoken = _WORD.findall(_HAN.sub(" ", text.lower()))
    for n in range(len(spoken) - words + 1 if words else 0):
        yield " ".join(spoken[n : n + words])
    for run in _HAN.findall(_NO_LETTER.sub("", text)) if characters else ():
        for n in range(len(run) - characters + 1):
            yield run[n : n + characters]


def _num_words(text: str) -> int:
    return len(_WORD.findall(_HAN.sub(" ", text)))


def _num_characters(text: str) -> int:
    return max(map(len, _HAN.findall(_NO_LETTER.sub("", text))), default=0)
