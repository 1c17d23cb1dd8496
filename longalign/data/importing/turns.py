"""What of a conversation can be trained on: a system message if there is one, then user and assistant in turn.

In: messages in any order. Out: the longest good part from the first question on, and what was done, in words that are
counted. It does in substance what open-instruct does to ShareGPT: a leading answer and a trailing question go, and a
conversation whose turns do not alternate is broken; it drops these, we by default keep what comes before the break.
"""

import re
from typing import Literal

from longalign.chat.messages import Message
from longalign.chat.raw_text import has_text
from longalign.data.importing.unusable import Unusable

Broken = Literal["cut", "drop"]

_HALF = re.compile("[\ud800-\udfff]")


def mend(messages: list[Message], broken: Broken = "cut") -> tuple[list[Message], list[str]]:
    """(messages, repairs): alternating from a user to an assistant, none empty.

    Raises:
        Unusable: nothing is left; or something is broken and `broken` is drop.
    """
    repairs: list[str] = []
    system = [message for message in messages[:1] if message["role"] == "system"]
    turns = messages[len(system) :]
    if system and _is_empty(system[0]):
        system = []
        repairs.append("empty system message removed")
    start = _first_question(turns)
    if start:
        repairs.append("turns before the first question removed")
    turns = turns[start:]
    end, reason = _good_turns(turns)
    if reason and broken == "drop":
        raise Unusable(reason)
    if end % 2:
        end -= 1
        if not reason:
            repairs.append("last question without answer removed")
    if reason:
        repairs.append(f"cut: {reason}")
    if not end:
        raise Unusable(reason or ("no answer" if turns else "no question"))
    return system + turns[:end], repairs


def replace_halves(messages: list[Message]) -> tuple[list[Message], bool]:
    """Halves of characters (lone surrogates), which no file can hold, become U+FFFD; whether there were any."""
    if not any(_HALF.search(message["content"]) for message in messages):
        return messages, False
    return [message | {"content": _HALF.sub("\ufffd", message["content"])} for message in messages], True


def _is_empty(message: Message) -> bool:
    return not has_text(message["content"])


def _first_question(turns: list[Message]) -> int:
    """How many answers and empty turns come before it."""
    for number, turn in enumerate(turns):
        if turn["role"] != "assistant" and not _is_empty(turn):
            return number
    return len(turns)


def _good_turns(turns: list[Message]) -> tuple[int, str]:
    """How many turns are in order, and why the next one is not."""
    for number, turn in enumerate(turns):
        if turn["role"] == "system":
            return number, "system message inside the conversation"
        if turn["role"] != ("user", "assistant")[number % 2]:
            return number, "two turns of one role in a row"
        if _is_empty(turn):
            return number, "empty turn"
    return len(turns), ""
