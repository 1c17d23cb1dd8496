"""Keeping the part of a conversation that can be trained on: an optional system message, then alternating turns.

In: messages in any order. Out: the messages from the first question up to where user and assistant no longer alternate,
and the names of the repairs. This follows what open-instruct does with ShareGPT: answers in front of the first question
and a last question without an answer are removed. A conversation whose turns do not alternate is dropped there; here by
default the part in front of the first mistake is kept.
"""

from typing import Literal

from longalign.api.replies import well_formed
from longalign.chat.messages import Message
from longalign.chat.raw_text import has_text
from longalign.data.importing.unusable import Unusable

Broken = Literal["cut", "drop"]


def mend(messages: list[Message], broken: Broken = "cut") -> tuple[list[Message], list[str]]:
    """Mend a conversation; returns (messages, names of the repairs).

    The result alternates from a user's message to an assistant's, and no message is empty.

    Raises:
        Unusable: no exchange is left, or the turns do not alternate and `broken` is "drop".
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
    """Replace lone surrogates, which UTF-8 cannot hold, by U+FFFD; returns (messages, whether there were any)."""
    whole = [message | {"content": well_formed(message["content"])} for message in messages]
    return whole, whole != messages


def _is_empty(message: Message) -> bool:
    return not has_text(message["content"])


def _first_question(turns: list[Message]) -> int:
    """The number of turns (answers and empty ones) in front of the first question."""
    for number, turn in enumerate(turns):
        if turn["role"] != "assistant" and not _is_empty(turn):
            return number
    return len(turns)


def _good_turns(turns: list[Message]) -> tuple[int, str]:
    """(how many turns are in order from the start, why the next one is not; "" if all are)."""
    for number, turn in enumerate(turns):
        if turn["role"] == "system":
            return number, "system message inside the conversation"
        if turn["role"] != ("user", "assistant")[number % 2]:
            return number, "two turns of one role in a row"
        if _is_empty(turn):
            return number, "empty turn"
    return len(turns), ""
