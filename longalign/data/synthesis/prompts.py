"""The prompts that ask a model for questions, the reading of its replies, and the frames around a row's document."""

# ruff: noqa: E501 -- a prompt's sentence stays on its line

import json
import re
from collections.abc import Sequence

VERSION = 1  # of the wording of the prompts; replies to another version are not used
ASKED = 5  # questions that a prompt asks for, of which one is drawn
_LONGEST = 1000  # characters of a question at most

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

FRAMES = {  # most rows use the first, which begins with the document: servers cache the prefix that prompts share
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

_DIGIT = r"(?P<number>\d{1,2}|[一二三四五六①②③④⑤⑥])"
_HEAD = re.compile(  # "1.", "- (1)", "**1)**", "1\\.", "Q1:", "### Question 1", "一、", "问题1：", "①"
    r"(?P<indent>\s*)(?:[#>*•-]+\s+)*(?:\*\*)?\s*(?:"
    rf"(?:Q|Question|问题|第)\s*{_DIGIT}(?:个?问题|题)?\s*(?:[.)、．）:：]|(?=\*\*|$))"
    rf"|[（(\[]?{_DIGIT.replace('number', 'plain')}(?:\*\*)?\s*(?:\\?[.)、．）:：\]]|\s[-–—]\s|(?<=[①-⑥]))"
    r")\s*(?P<rest>.*)"
)
_NO_WORDS = re.compile(r"\s*(?:`{3,}\w*|-{3,}|\*{3,})?\s*")  # an empty line, a code fence, or a horizontal rule
_QUOTES = (('"', '"'), ("“", "”"), ("「", "」"), ("'", "'"))


def ask_for_questions(document: str, task: str, language: str) -> str:
    """The prompt that asks for five questions about a document, of a type of task and in a language (en, zh)."""
    return f"{document}\n\n---\n\n{_ASK[language].format(task=_TASK[language][task])}"


def parse_questions(reply: str) -> list[str] | None:
    """Read the five questions of a reply, from JSON or numbered lines; None if it is not certain what they are."""
    questions = _in_json(reply) or _numbered(reply)
    whole = [_bare(" ".join(question.split())) for question in questions]
    if len(whole) != ASKED or len(set(whole)) != ASKED or not all(0 < len(text) <= _LONGEST for text in whole):
        return None
    return whole


def _in_json(reply: str) -> Sequence[str]:
    """The first JSON list or object in a reply that has five texts, or five objects with a `question`; else ()."""
    for mark in re.finditer(r"[\[{]", reply):
        try:
            found, _ = json.JSONDecoder().raw_decode(reply, mark.start())
        except (ValueError, RecursionError):
            continue
        items = [*found.values()] if isinstance(found, dict) else found
        texts = [one.get("question") if isinstance(one, dict) else one for one in items]
        if len(texts) == ASKED and all(isinstance(text, str) for text in texts):
            return [str(text) for text in texts]
    return ()


def _numbered(reply: str) -> list[str]:
    """The texts of numbered items. [] if the numbers do not count up from 1; text behind the last item is left out.

    A line without a number, or with a number that is indented more than the first item's, belongs to the item before.
    """
    items: list[list[str]] = []
    indent, over = 0, False
    for line in reply.splitlines():
        head = _HEAD.fullmatch(line)
        if head and (not items or len(head["indent"]) <= indent):
            if _value(head["number"] or head["plain"]) == len(items) + 1:
                items.append([head["rest"]])
                indent = len(head["indent"]) if len(items) == 1 else indent
            elif items and not over:
                return []
        elif _NO_WORDS.fullmatch(line):
            over = len(items) == ASKED and any(items[-1])
        elif items and not over:
            items[-1].append(line.strip())
    if len(items) == ASKED and all(len(item) == 1 for item in items[:-1]) and not items[-1][0].endswith((":", "：")):
        items[-1] = items[-1][:1]  # all others are one line: what follows the last one is a closing remark
    return [" ".join(item) for item in items]


def _value(numeral: str) -> int:
    found = "一二三四五六①②③④⑤⑥".find(numeral)
    return int(numeral) if found < 0 else found % 6 + 1


def _bare(question: str) -> str:
    """A question without bold marks or quotes around the whole of it, and without a bold mark that has no other."""
    if question.count("**") % 2:
        question = question.replace("**", "", 1)
    elif question.count("**") == 2 and question.startswith("**") and question.endswith("**"):
        question = question[2:-2]
    for opening, closing in _QUOTES:
        inner = question[1:-1]
        if question[:1] == opening and question[-1:] == closing and opening not in inner and closing not in inner:
            return inner.strip()
    return question.strip()
