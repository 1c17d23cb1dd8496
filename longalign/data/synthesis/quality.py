"""Checks that an answer must pass to be trained on. Each has a name, under which failures are counted."""

import re
import unicodedata
from functools import lru_cache

from longalign.data.importing.language import language_of
from longalign.data.synthesis.numerals import numerals

GROUNDED = {"extraction": 0.7, "summary": 0.5, "reasoning": 0.45, "general": 0.45}
"""By task, the share of an answer's content that must be in the document. Our own values, low on purpose.

Content is words of at least four letters, numbers, and pairs of Han characters.
"""

_REFUSALS = (
    r"as an ai\b|as a language model",
    r"\A\W*(?:i(?:'m| am) (?:very |so )?)?sorry\b|\bi(?:'m| am) (?:unable|not able) to|i (?:do not|don't) have access",
    r"\bi (?:cannot|can't|can not) (?:help|assist|answer|provide|find|see|access)",
    r"the (?:document|text|passage) (?:does not|doesn't) (?:mention|say|contain|provide|state|specify)",
    r"(?:no|not enough|insufficient) information (?:is |was )?(?:given|provided|available)",
    r"作为一?[个名]?(?:人工智能|AI|语言模型)|\A\W*(?:很|非常|十分)?(?:抱歉|对不起)|我无法(?:回答|提供|访问|获取|协助)",
    r"(?:文档|文章|文中|原文|资料)(?:中|里)?(?:并)?(?:没有|未)(?:提到|提及|说明|提供|给出|涉及|包含)",
)
_REFUSAL = re.compile("|".join(_REFUSALS), re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{4,}|\d+(?:[.,:]\d+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_LIST_MARK = re.compile(r"^\s*\d{1,3}\s*[.)、．]", re.MULTILINE)
_TO_TELL_A_LANGUAGE = 20  # letters that an answer needs for its language to be checked
_ACCENTED = re.compile(r"\w*[À-ɏ]\w*")
_LONG = 3  # digits of a number that is looked for in the document


def problem(
    document: str, question: str, answer: str, finish_reason: str, task: str, grounded: float | None
) -> str | None:
    """The name of the check that an answer fails, None if it passes all.

    Args:
        finish_reason: why the model stopped, as the server says: "length" means at the limit of tokens.
        grounded: a share for `grounding`, in place of the task's in `GROUNDED`.
    """
    if not answer.strip():
        return "empty"
    if finish_reason == "length":
        return "not ended"
    if _REFUSAL.search(answer[:300].replace("’", "'")):
        return "refusal"
    own, asked = (_without_names(text, document) for text in (answer, question))
    if sum(map(str.isalpha, own)) >= _TO_TELL_A_LANGUAGE and language_of([own]) != language_of([asked]):
        return "another language than the question"
    answer = _LIST_MARK.sub("", answer)  # the numbers of list items are not taken from the document
    if task == "extraction" and _has_made_up_number(document, question, answer):
        return "a number that is not in the document"
    if grounding(document, question, answer) < (GROUNDED[task] if grounded is None else grounded):
        return "not grounded in the document"
    return None


def grounding(document: str, question: str, answer: str) -> float:
    """The share (0-1) of an answer's content that is in the document or in the question; 1 if it has no content."""
    said = _pieces(answer)
    known = _content(document)[0] | _pieces(question)
    return sum(piece in known for piece in said) / len(said) if said else 1.0


def _without_names(text: str, document: str) -> str:
    """The text without accented words that the document has, too: in an English text these are names."""
    return _ACCENTED.sub(lambda word: "" if word[0] in document else word[0], text)


def _has_made_up_number(document: str, question: str, answer: str) -> bool:
    """Whether an answer has a number of three digits or more that is neither in the document nor in the question.

    Numbers in digits and in Chinese numerals are compared by value. Smaller numbers are not checked, since the document
    may have them as words. The result is False if the document has a numeral that cannot be read.
    """
    _, known, is_sure = _content(document)
    known |= _numbers(question)[0]
    text = unicodedata.normalize("NFKC", answer)
    found = list(numerals(text))
    for match in _NUMBER.finditer(text):
        number = _plain(match[0])
        may_be = {_plain(f"{value:f}") for one in found if one.start <= match.start() < one.end for value in one.values}
        if sum(map(str.isdigit, number)) >= _LONG and known.isdisjoint({number, *may_be}):
            return is_sure
    return is_sure and any(one.is_sure and _plain(f"{one.values[0]:f}") not in known for one in found)


@lru_cache(maxsize=8)
def _content(document: str) -> tuple[frozenset[str], frozenset[str], bool]:
    """(content, numbers, whether all numerals could be read) of a document."""
    return frozenset(_pieces(document)), *_numbers(document)


def _numbers(text: str) -> tuple[frozenset[str], bool]:
    """(all numbers of a text, whether each of its Chinese numerals could be read)."""
    text = unicodedata.normalize("NFKC", text)
    in_digits, in_numerals = map(_plain, _NUMBER.findall(text)), list(numerals(text))
    values = (_plain(f"{value:f}") for one in in_numerals for value in one.values)
    return frozenset((*in_digits, *values)), all(one.values for one in in_numerals)


def _plain(number: str) -> str:
    """A number without commas and without zeros at the end of its decimals: "1,200.50" is "1200.5"."""
    number = number.replace(",", "").rstrip(".")
    return number.rstrip("0").rstrip(".") if "." in number else number


def _pieces(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text)}
    stems = {word[:-1] for word in words if word.endswith("s") and len(word) > 4}  # plurals count as their singulars
    pairs = {run[n : n + 2] for run in _HAN.findall(text) for n in range(len(run) - 1)}
    return words - {stem + "s" for stem in stems} | stems | pairs
