"""Removing the texts of buttons and counters that remain in text which others have made from ChatGPT's pages.

ShareGPT's published HTML_cleaned_raw_dataset is such text, in Markdown.
"""

import re

from longalign.chat.messages import Message
from longalign.data.importing.page import COPY_CODE

_WORD = r"[\w+#.-]{0,20}?"  # bounded, as the blanks below are, so that long texts are searched in linear time
_FENCED = re.compile(  # ```\npythonCopy code\nimport … and its variants
    rf"^([ \t]*`{{3,}})[ \t]{{0,8}}({_WORD})[ \t]{{0,8}}\n?[ \t]{{0,8}}({_WORD}){COPY_CODE}[ \t]*\n?", re.MULTILINE
)
_LINE = re.compile(rf"^{COPY_CODE}[ \t]*(?:\n|\Z)", re.MULTILINE)
_COUNTER = re.compile(r"Copy\d+ chars / \d+ words")


def remove_remnants(messages: list[Message]) -> tuple[list[Message], bool]:
    """Remove such texts; returns (messages, whether anything was removed).

    A line `Copy code` is kept in questions, and in answers with fenced code, of which it may be a part.
    """
    cleaned = [message | {"content": _remove(message)} for message in messages]
    return cleaned, cleaned != messages


def _remove(message: Message) -> str:
    text = message["content"]
    if "Copy" not in text:
        return text
    text = _FENCED.sub(lambda match: f"{match[1]}{match[2] or match[3]}\n", text)
    if message["role"] == "assistant" and "```" not in text:
        text = _LINE.sub("", text)
    return _COUNTER.sub("", text)
