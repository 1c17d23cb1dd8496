"""Whether an answer is worth training on: each check has a reason that is counted, and a threshold that can be set."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longalign.data.synthesis.grounding import Ground
from longalign.data.synthesis.language import language_of
from longalign.data.synthesis.ngrams import units
from longalign.data.synthesis.prompts import NOT_ANSWERED
from longalign.data.synthesis.questions import refers_to_prompt

GROUNDED = {"general": 0.5, "summary": 0.6, "reasoning": 0.5, "extraction": 0.75}
"""Least share of an answer's units that stand in document or question. See tests/data/test_synthesis_quality.py."""

_OPENING = 300  # characters in which a refusal stands
_LEAST_UNITS = 6  # of an answer, to tell its language
_THING = r"(?:document|text|passage|article|excerpt|context|story|book|paper|report|material|source)"
_MODEL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b(?! \w+(?:er|or|ist)\b)"
    r"|\bi(?:['’]m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b"
    r"|作为(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型|大模型)(?:助手|模型|语言模型)?[，,]|我(?:是|只是)(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\bi(?:['’]m| am)? (?:(?:cannot|can['’]?t|can not|am unable to|unable to|won['’]t|will not|am not able to|not able to)"
    r" (?:\w+ )?(?:answer|assist|help|provide|comply|fulfil|fulfill|complete|do that|determine|summari[sz]e|access|find))"
    r"|\bi(?:['’]m| am) (?:very )?(?:sorry|afraid)\b|\bi apologi[sz]e\b|^\s*(?:i['’]m )?sorry\b|\bmy apologies\b"
    r"|(?:很|非常)?抱歉|对不起，(?:我|本)|(?:我|本助手)?(?:无法|不能|没有办法)(?:回答|提供|协助|帮助|完成|满足)|恕(?:我)?(?:无法|不能)",
    re.IGNORECASE,
)
_NOT_THERE = re.compile(
    rf"\b(?:the|this) (?:\w+ )?{_THING} (?:\w+ )?(?:does not|doesn['’]t|do not|did not|didn['’]t) (?:\w+ )?"
    r"(?:mention|provide|contain|include|specify|state|say|give|answer|address|discuss|indicate)"
    rf"|\b(?:is|are|was|were) not (?:\w+ )?(?:mentioned|stated|specified|provided|given|discussed|addressed|found) in (?:the|this) (?:\w+ )?{_THING}"
    rf"|\b(?:there is|the {_THING} (?:has|contains|gives|provides)) no (?:\w+ )?(?:information|mention|indication|data|details?) "
    r"|(?:文档|文章|文本|文中|原文|材料|文件|书中|资料)(?:中|里|内)?(?:并)?(?:没有|未|并未|没)(?:有)?(?:明确)?(?:地)?(?:提及|提到|说明|给出|提供|涉及|包含|指出|写明|相关)"
    r"|无法(?:从|根据|确定|得知)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Limits:
    """grounded: least share by task. new_numbers: most numbers from ten on that the document has not, in extraction."""

    grounded: Mapping[str, float] = field(default_factory=lambda: dict(GROUNDED))
    new_numbers: int = 0


@dataclass(frozen=True)
class Verdict:
    """``reason`` why an answer is dropped, None if it is kept; ``detail`` for people; ``scores`` for the row."""

    reason: str | None
    detail: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)


def check(answer: str, finish_reason: str, question: str, task: str, ground: Ground, limits: Limits) -> Verdict:
    """The verdict on an answer by itself, without comparison to other rows."""
    if finish_reason in ("length", "max_tokens"):
        return Verdict("cut at max_tokens", _tail(answer))
    if not answer.strip():
        return Verdict("empty")
    try:
        answer.encode()
    except UnicodeEncodeError:
        return Verdict("half a character")
    phrase = _phrase(answer)
    if phrase is not None:
        return phrase
    language, asked = language_of(answer), language_of(question)
    if language != asked and len(units(answer)) >= _LEAST_UNITS:
        return Verdict("another language than the question", f"{language or 'another'}, asked in {asked}")
    found = ground.check(answer, question)
    scores = {
        "grounded": None if found.share is None else round(found.share, 4),
        "units": found.units,
        "new_numbers": list(found.new_numbers),
        "new_names": list(found.new_names),
    }
    if found.share is not None and found.share < limits.grounded[task]:
        least = f"{found.share:.2f} of {found.units} units, least {limits.grounded[task]:g}"
        return Verdict("not grounded", least, scores)
    if task == "extraction" and len(found.new_numbers) > limits.new_numbers:
        return Verdict("numbers that the document has not", ", ".join(found.new_numbers[:5]), scores)
    return Verdict(None, "", scores)


def _phrase(answer: str) -> Verdict | None:
    """A verdict by what the answer says of itself, its prompt or its document."""
    opening = answer[:_OPENING]
    for reason, found in (
        ("not answered by the document", re.search(NOT_ANSWERED, answer) or _NOT_THERE.search(opening)),
        ("refusal", _REFUSAL.search(opening) or _MODEL.search(answer)),
    ):
        if found:
            return Verdict(reason, _tail(answer[max(found.start() - 20, 0) : found.end() + 40]))
    return Verdict("speaks of its prompt", _tail(opening)) if refers_to_prompt(answer) else None


def _tail(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 100 else "…" + text[-100:]
