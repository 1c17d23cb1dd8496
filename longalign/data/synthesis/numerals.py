"""Reading numbers in Chinese numerals: 二百一十七 is 217, 一九〇三 is 1903, 3万5千 is 35000, 三点五亿 is 350000000.

In: a text. Out: its numerals, each with all values that it may have: 一万二 is 12000, but 10002 in old texts; 三四百
("three or four hundred") has no certain value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_OF_EACH = ("零〇○", "一壹", "二贰貳两兩", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
_DIGITS = {digit: value for value, digits in enumerate(_OF_EACH) for digit in digits}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_LARGE = [*"百佰千仟", *_MYRIADS]
_HAN = "(?:[{}]|[两兩](?=[{}]))".format(  # 两 is a digit only before a unit: 五十两 are 50 taels
    "".join([*_DIGITS.keys() - {*"两兩"}, *_UNITS, *_MYRIADS]), "".join(_LARGE)
)
_RUN = re.compile(
    rf"(?:(?:(?<![\d.,])\d[\d.,]*+)?{_HAN})+(?:\d++(?![.,]\d))?"
    rf"(?:点(?P<decimals>[{''.join(_DIGITS)}]+)(?P<times>[万萬亿億]?)(?![十百千]))?"
)
_TOKEN = re.compile(r"\d[\d.,]*|\D")
_DIGITS_OF_A_NUMBER = 3  # a numeral with fewer digits is often a phrase: 万一, 千万, 一千零一夜


@dataclass(frozen=True)
class Numeral:
    """A numeral in the characters from `start` to `end` of a text.

    Attributes:
        values: what it may mean; empty if that cannot be told.
        is_sure: it has a single value and is no phrase, that is, it is a year or has units and three digits.
    """

    start: int
    end: int
    values: tuple[Decimal, ...]
    is_sure: bool


def numerals(text: str) -> Iterator[Numeral]:
    """Yield the numerals of a text, without words that look like one: units alone (百万, 千千万万), 万一, 十七八."""
    for found in _RUN.finditer(text):
        tokens = _TOKEN.findall(text[found.start() : found.start("decimals") - 1 if found["decimals"] else found.end()])
        values = _values(tokens, found["decimals"], found["times"])
        has_digit = any(token not in _UNITS and token not in _MYRIADS for token in tokens)
        if values or (has_digit and len(tokens) > 2 and any(unit in tokens for unit in _LARGE)):
            digits = sum(_DIGITS.get(token, 0) > 0 for token in tokens)
            is_number = text[found.end() : found.end() + 1] == "年" or not _DIGITS.keys() >= {*tokens}
            sure = len(values) == 1 and digits >= _DIGITS_OF_A_NUMBER and is_number
            yield Numeral(found.start(), found.end(), values, sure)


def _values(tokens: list[str], decimals: str | None, times: str | None) -> tuple[Decimal, ...]:
    if _DIGITS.keys() >= {*tokens}:
        whole: tuple[Decimal, ...] = (Decimal("".join(str(_DIGITS[token]) for token in tokens)),)
    else:
        whole = _with_units(tokens)
    if decimals is None:
        return whole
    more = Decimal("0." + "".join(str(_DIGITS[digit]) for digit in decimals))
    return tuple((value + more) * _MYRIADS.get(times or "", 1) for value in whole)


def _with_units(tokens: list[str]) -> tuple[Decimal, ...]:
    """The values of a numeral with units; empty if it is not well formed.

    It consists of sections with falling units, each followed by 亿 or 万 or nothing: in 一亿二千万 the sections are 一
    (times 10**8) and 二千 (times 10**4).
    """
    total = section = Decimal(0)
    digit: Decimal | None = None
    unit, myriad, zero = 10**4, 0, False  # the last unit, the last 万 or 亿, and whether a 零 followed
    for token in tokens:
        if token in _UNITS or token in _MYRIADS:
            if token in _UNITS:
                if _UNITS[token] >= unit or (digit is None and (_UNITS[token] > 10 or section)):
                    return ()
                unit = _UNITS[token]
                section += (1 if digit is None else digit) * unit
            else:
                before = section + (digit or 0)
                myriad = _MYRIADS[token]
                if not total + before or (total >= myriad if myriad == 10**8 else total % 10**8):
                    return ()
                total = (total + before) * myriad if myriad == 10**8 else total + before * myriad
                section, unit = Decimal(0), 10**4
            digit, zero = None, False
        elif digit is not None:  # 三五百, 二〇百
            return ()
        elif _DIGITS.get(token) == 0:
            zero = True
        else:
            digit = _number(token)
            if digit is None:
                return ()
    if digit is None:
        return () if zero else (total + section,)
    last = unit if unit < 10**4 else myriad
    if zero or last == 10 or digit >= 10:
        return (total + section + digit,)
    return total + section + digit * last / 10, total + section + digit


def _number(token: str) -> Decimal | None:
    if token in _DIGITS:
        return Decimal(_DIGITS[token])
    whole = token.replace(",", "")
    return Decimal(whole) if re.fullmatch(r"\d+(?:\.\d+)?", whole) else None
