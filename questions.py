"""The model's list of questions, read strictly, and the one that is drawn."""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longalign.data.synthesis.language import Language, language_of
from longalign.data.synthesis.ngrams import units

MOST_CHARACTERS = 2000
_LEAST_UNITS = 3

_ITEM = re.compile(r"^[ \t]*(?:\*\*)?(\d{1,2})(?:[.)、:：．]|(?:\*\*)[.)、:：．])(?:\*\*)?[ \t]*(?!\d)(.*)$")
_FENCE = re.compile(r"^```(?:json)?\s*\n(.*?)\n?```$", re.DOTALL)
_REFERS = re.compile(
    r"\b(?:above|below|preceding|previous|provided|given|supplied|attached)[ -](?:document|text|passage|article|excerpt|"
    r"content|material|context|question)s?\b"
    r"|\b(?:document|text|passage|article|excerpt|content|material|context|question)s? (?:above|below|provided|given|supplied)\b"
    r"|上文|下文|上述(?:文|材料|内容|段)|以上(?:文|材料|内容|段)|以下(?:文|材料|内容|段)|所给|给定的?(?:文|材料|内容)|上一个?问题",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Drawn:
    """The question that was drawn, its ``index`` in the list from 0, and why others could not be: (index, reason)."""

    question: str
    index: int
    unusable: tuple[tuple[int, str], ...] = ()


def refers_to_prompt(text: str) -> bool:
    """Whether a text speaks of a text above, below or given: words about a prompt that a reader does not see."""
    return _REFERS.search(text) is not None


def read_questions(text: str, count: int) -> tuple[list[str], str]:
    """(questions, "") of a numbered list or a JSON list of exactly ``count``, or ([], what is wrong).

    One line that ends with a colon may stand before a numbered list, and nothing behind it.
    """
    text = text.strip()
    fenced = _FENCE.match(text)
    text = fenced[1].strip() if fenced else text
    found, problem = _read_json(text) if text.startswith("[") else _read_numbered(text)
    if problem:
        return [], problem
    if len(found) != count:
        return [], f"{len(found)} questions, expected {count}"
    if any(not question for question in found):
        return [], "an empty question"
    if len(set(found)) < count:
        return [], "a question twice"
    return found, ""


def draw_question(
    questions: Sequence[str], language: Language, draw: random.Random, refuse: Callable[[str], str | None]
) -> tuple[Drawn | None, tuple[tuple[int, str], ...]]:
    """One of the usable questions, each as likely; None if none is. ``refuse`` adds reasons to those of `problem`."""
    unusable = []
    for index in draw.sample(range(len(questions)), len(questions)):
        reason = problem(questions[index], language) or refuse(questions[index])
        if reason is None:
            return Drawn(questions[index], index, tuple(unusable)), tuple(unusable)
        unusable.append((index, reason))
    return None, tuple(unusable)


def problem(question: str, language: Language) -> str | None:
    """Why a question cannot be used, or None."""
    if len(question) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    if len(units(question)) < _LEAST_UNITS:
        return "hardly a word"
    if language_of(question) != language:
        return "not in the document's language"
    if refers_to_prompt(question):
        return "refers to its prompt"
    return None


def _read_json(text: str) -> tuple[list[str], str]:
    try:
        value = json.loads(text)
    except ValueError:
        return [], "a JSON list that is broken"
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return [], "JSON that is no list of texts"
    return [" ".join(item.split()) for item in value], ""


def _read_numbered(text: str) -> tuple[list[str], str]:
    """Items 1, 2, … in order; a line that opens none goes on with the item before, unless a blank line is between."""
    found: list[str] = []
    after_blank = False
    for line in text.splitlines():
        match = _ITEM.match(line)
        if not line.strip():
            after_blank = True
            continue
        if match and int(match[1]) == len(found) + 1:
            found.append(match[2])
        elif match and not found:
            return [], f"a list that begins with {match[1]}"
        elif found and after_blank:
            return [], "more than the list"
        elif found:
            found[-1] += f" {line.strip()}"
        elif not line.rstrip().rstrip("*").endswith((":", "：")):
            return [], "no numbered list"
        after_blank = False
    return [_bare(" ".join(item.split())) for item in found], "" if found else "no numbered list"


def _bare(item: str) -> str:
    """Without marks of bold print around the whole."""
    return item[2:-2].strip() if len(item) > 4 and item.startswith("**") and item.endswith("**") else item
