"""Telling the language of a conversation by its letters: Chinese, English, or another one."""

from typing import Literal

import numpy as np

Language = Literal["zh", "en", "other"]

CHINESE_SHARE = 0.2  # of the letters: an English word has about five letters, a Chinese one about two
LATIN_SHARE = 0.7  # of the letters
ACCENT_SHARE = 0.015  # of Latin letters: French has 0.04, Spanish 0.025, German 0.017

_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_KANA = ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D))
_ACCENTED = ((0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x24F), (0x1E00, 0x1EFF))
_OTHER = ((0x370, 0x1DFF), (0x1F00, 0x1FFF), (0xAC00, 0xD7AF))  # Greek, Cyrillic, Arabic, Indic, Thai, …, Hangul


def language_of(texts: list[str]) -> Language:
    """The language of some texts together.

    zh: at least a fifth of the letters are Han characters, and there is hardly any Japanese kana. en: the letters are
    Latin with few accents. other: anything else, also texts without letters. Only scripts are told apart, not words, so
    Dutch or Italian, which have few accents, count as English.
    """
    if all(text.isascii() for text in texts):
        return "en" if any(any(map(str.isalpha, text)) for text in texts) else "other"
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), np.uint32)
    ascii_letters = _count(codes, ((0x41, 0x5A), (0x61, 0x7A)))
    han, kana, accented, other = (_count(codes, ranges) for ranges in (_HAN, _KANA, _ACCENTED, _OTHER))
    latin = ascii_letters + accented
    letters = latin + han + kana + other
    if han and han >= CHINESE_SHARE * letters and kana <= 0.1 * (han + kana):
        return "zh"
    if latin and latin >= LATIN_SHARE * letters and accented <= max(2, ACCENT_SHARE * latin):
        return "en"
    return "other"


def _count(codes: np.ndarray, ranges: tuple[tuple[int, int], ...]) -> int:
    return sum(int(np.count_nonzero((codes >= low) & (codes <= high))) for low, high in ranges)
