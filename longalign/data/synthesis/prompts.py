"""How questions are asked for, and how a reply is read; the frames in which a row shows its document."""

# ruff: noqa: E501 -- a prompt's sentence stays on its line

import json
import re
from collections.abc import Sequence

VERSION = 1  # of the wording: other words, other replies
ASKED = 5  # questions, of which one is drawn
_LONGEST = 1000  # characters of a question

_TASK = {
    "en": {
        "general": "questions that a careful reader would put to somebody who knows this document well, of any kind",
        "summary": "requests to summarise: the whole document, or one theme, person, section or development in it, "
        "each from another angle, with a word on the form (length, list, for whom)",
        "reasoning": "questions that need several places of the document to be brought together: causes, comparisons, "
        "contradictions, what follows, what changed between the beginning and the end",
        "extraction": "requests to take facts out of the document exactly: names, numbers, dates, terms or passages, "
        "some of them scattered over it, as a list or a small table",
    },
    "zh": {
        "general": "一位细心的读者会向熟悉这份文档的人提出的问题，类型不限",
        "summary": "概括类的要求：概括全文，或其中的一个主题、人物、章节或发展过程，角度各不相同，并说明形式（长短、列表、读者）",
        "reasoning": "需要把文档中几处内容联系起来才能回答的问题：原因、比较、矛盾、推论、前后的变化",
        "extraction": "要求准确摘取文档中的事实：姓名、数字、日期、术语或原文，其中一些分散在全文各处，用列表或小表格回答",
    },
}

_ASK = {
    "en": "Above is a document. Write five {task}. They must be answerable from the document alone, differ from each "
    "other, draw on different parts of it, its middle and end too, and make sense to somebody who has just been given "
    "it. Do not speak of a document above or below. Write them in English. Answer with the five, numbered 1. to 5., one a line, and nothing else.",
    "zh": "以上是一份文档。请写出五个{task}。它们必须只凭这份文档就能回答，彼此不同，涉及文档的不同部分（包括中间和结尾），"
    "并且对刚拿到这份文档的人来说意思清楚，不要说“上文”“以下文档”之类。请用中文写。只输出这五个，编号1.到5.，每行一个，不要写别的。",
}

FRAMES = {  # the first is the one of most rows: servers keep what they have read of a document
    "en": (
        "{document}\n\n{question}",
        "{question}\n\n{document}",
        "Read the following document, then do what is asked below it.\n\n{document}\n\n{question}",
        "<document>\n{document}\n</document>\n\n{question}",
    ),
    "zh": (
        "{document}\n\n{question}",
        "{question}\n\n{document}",
        "请阅读下面的文档，然后完成文末的要求。\n\n{document}\n\n{question}",
        "<文档>\n{document}\n</文档>\n\n{question}",
    ),
}
FRAME_WEIGHTS = (6, 1, 2, 1)

_NUMBER = re.compile(r"\s*(?:\*\*)?(\d{1,2})\s*[.)、．）:：]\s*(?:\*\*)?\s*(.*)")


def ask_for_questions(document: str, task: str, language: str) -> str:
    """The prompt for five questions about a document."""
    return f"{document}\n\n---\n\n{_ASK[language].format(task=_TASK[language][task])}"


def parse_questions(reply: str) -> list[str] | None:
    """The five questions of a reply, numbered lines or a JSON list; None if they cannot be told for sure."""
    questions = _json_list(reply) or _numbered(reply)
    whole = [" ".join(question.split()) for question in questions]
    if len(whole) != ASKED or len(set(whole)) != ASKED or not all(0 < len(text) <= _LONGEST for text in whole):
        return None
    return whole


def _json_list(reply: str) -> Sequence[str]:
    start, end = reply.find("["), reply.rfind("]")
    if start < 0 or end < start:
        return ()
    try:
        found = json.loads(reply[start : end + 1])
    except ValueError:
        return ()
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else ()


def _numbered(reply: str) -> list[str]:
    """Items 1 to 5 in order; a line without a number goes on with the one before, but for what follows the last."""
    items: list[str] = []
    over = False
    for line in reply.splitlines():
        match = _NUMBER.fullmatch(line)
        if match and int(match[1]) == len(items) + 1:
            items.append(match[2])
        elif not line.strip():
            over = len(items) == ASKED
        elif items and not over:
            items[-1] += " " + line.strip()
    return items
