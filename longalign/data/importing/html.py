"""Turning conversations that were saved as web pages, such as ShareGPT's, from HTML into Markdown.

In: the messages of a row. Out: the messages, with the HTML of pages as Markdown. Text that is no HTML stays exactly as
it is, `a < b` and `List<int>` too; so does HTML that is itself the subject of a question or an answer.
"""

import html
import re
from typing import Literal

from longalign.chat.messages import Message
from longalign.data.importing.page import to_markdown

Html = Literal["auto"] | bool

_NAME = (  # names of HTML elements, and of MathML, which pages use for formulas
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

# How HTML that a Markdown renderer wrote is told from HTML that a person wrote: it begins and ends with a block, has
# hardly an attribute, and is not indented.
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

_ARROWS = re.compile(r"\A\s*\d{1,2} / \d{1,2}(?=[^\W\d_])")  # "2 / 3", a page's switch between versions of a turn


def convert(messages: list[Message], setting: Html, page_like: bool) -> tuple[list[Message], bool]:
    """Turn HTML in messages into Markdown; returns (messages, whether anything changed).

    Args:
        setting: False: nothing is HTML. True: every message is. `auto`: a row is a saved page if an answer begins as
            on ChatGPT's pages or, with `page_like`, if an answer is HTML as Markdown renderers write it. Of a page all
            answers are HTML, and a question is if it looks like such HTML, as pages have questions as plain text.
        page_like: the format of the rows is one in which pages are published (sharegpt).

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
