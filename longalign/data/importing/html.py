"""Answers as web pages hold them, to Markdown, by the library markdownify: for ShareGPT's saved pages.

In: the messages of a row. Out: the same with pages' HTML turned into Markdown. Text that is no HTML stays as it is to
the letter, `a < b` and `List<int>` included; so does HTML that somebody asked or answered as code.
"""

import html
import re
from typing import Literal

from longalign.chat.messages import Message
from longalign.data.importing.page import to_markdown

Html = Literal["auto"] | bool

_NAME = (  # of the elements that pages have, and of MathML, in which their formulas are
    "a|abbr|article|aside|b|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|details|"
    "dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h1|h2|h3|h4|h5|h6|head|header|hr|html|i|iframe|img|"
    "input|ins|kbd|label|li|link|main|mark|math|meta|nav|nobr|ol|optgroup|option|p|path|picture|pre|q|s|samp|script|"
    "section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|"
    "thead|time|title|tr|tt|u|ul|var|video|"
    "semantics|annotation|mrow|mi|mn|mo|ms|mtext|mspace|mfrac|msqrt|mroot|msup|msub|msubsup|munder|mover|"
    "munderover|mtable|mtr|mtd|mstyle|mpadded|mphantom|menclose"
)
_TAG = re.compile(rf"</?(?:{_NAME})(?=[\s/>])[^<>]*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d+|#x[\da-f]+|[a-z]\w+);", re.IGNORECASE)
_OTHER_MARK = re.compile(rf"<(?!/?(?:{_NAME})(?=[\s/>])|!--)", re.IGNORECASE)

# What a renderer of Markdown writes: blocks at both ends, hardly an attribute, and no indented source.
_RENDERED_START = re.compile(r"<(p|ol|ul|pre|h[1-6]|table|blockquote|div|hr)[\s/>]", re.IGNORECASE)
_RENDERED_BLOCK = re.compile(r"<(p|ol|ul|pre|h[1-6]|table|blockquote)[\s>]", re.IGNORECASE)
_WRITTEN = re.compile(
    r"<(?:html|head|body|form|input|label|select|script|style|link|meta|nav|header|footer|section|main|iframe)[\s/>]"
    r"|<(?!td|th|h[1-6]|span|math)\w{1,30}\b[^<>]*\s(?:id|style|on\w+)\s*="
    r"|>[ \t]*\n[ \t]+<",
    re.IGNORECASE,
)
_PRE = re.compile(r"<pre[\s>](?:(?!<pre[\s>]).)*?</pre>", re.IGNORECASE | re.DOTALL)
_PAGE_START = re.compile(r"""<div [^<>]*class\s*=\s*["'][^"'<>]*\b(?:markdown|prose|whitespace-pre-wrap)\b""")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)

_ARROWS = re.compile(r"\A\s*\d{1,2} / \d{1,2}(?=[^\W\d_])")  # "2 / 3" beside a turn with other versions, then its text


def convert(messages: list[Message], setting: Html, page_like: bool) -> tuple[list[Message], bool]:
    """(messages, whether anything was HTML). `page_like`: the rows' shape is that of saved pages (sharegpt).

    With `auto` a row counts as a page where an answer begins as ChatGPT's pages do, or (`page_like`) where answers are
    what a renderer of Markdown writes. Then all its answers are HTML, and a question is if it looks like it: pages give
    questions as text. With True every turn is HTML.

    Raises:
        Unusable: the HTML cannot be read.
    """
    if setting is False or (setting == "auto" and not _is_page(messages, page_like)):
        return messages, False
    converted = []
    for message in messages:
        text = message["content"]
        if setting is True or message["role"] == "assistant" or _starts_page(text) or _is_rendered(text):
            text = _convert_text(text)
        elif message["role"] == "user":
            text = _ARROWS.sub("", text)
        converted.append(message | {"content": text})
    return converted, converted != messages


def _is_page(messages: list[Message], page_like: bool) -> bool:
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    if any(map(_starts_page, answers)):
        return True
    return page_like and any(map(_is_rendered, answers)) and not any(map(_FENCE.search, answers))


def _starts_page(text: str) -> bool:
    return bool(_PAGE_START.match(text.lstrip()[:2000]))


def _is_rendered(text: str) -> bool:
    text = text.strip()
    if not (_RENDERED_START.match(text) and text.endswith(">") and _RENDERED_BLOCK.search(text)):
        return False
    return not _WRITTEN.search(_PRE.sub("", text))


def _convert_text(text: str) -> str:
    if _TAG.search(text):
        return to_markdown(_OTHER_MARK.sub("&lt;", text))
    return html.unescape(text) if _ENTITY.search(text) else text
