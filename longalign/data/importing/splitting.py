"""A conversation that is too long to several that are not.

In: alternating messages and a limit in tokens. Out: conversations that each begin with a question (and the system
message, if there is one). The rule is that of open-instruct's split_sharegpt_conversations: exchanges are put together
as long as they fit, and an exchange that alone does not fit is left out. Lengths are those of training, chat format
included, where open-instruct adds 6 tokens a turn.
"""

from collections.abc import Callable
from typing import Literal

from longalign.chat.messages import Message

TooLong = Literal["drop", "keep"]
Measure = Callable[[list[Message]], int]


def split(
    messages: list[Message], limit: int, measure: Measure, too_long: TooLong = "drop"
) -> tuple[list[tuple[int, list[Message]]], int]:
    """([(number of its first turn, conversation)], exchanges that alone exceed the limit).

    Those are left out, or with `too_long` keep conversations of their own, which `data.overflow` treats later.
    `measure` is called about 2 log2(exchanges) times a conversation.
    """
    if measure(messages) <= limit:
        return [(0, messages)], 0
    system = [message for message in messages[:1] if message["role"] == "system"]
    turns = messages[len(system) :]
    pieces: list[tuple[int, list[Message]]] = []
    start = exceeding = 0
    while start < len(turns):

        def fits(exchanges: int, start: int = start) -> bool:
            return measure(system + turns[start : start + 2 * exchanges]) <= limit

        taken = _most(fits, (len(turns) - start) // 2)
        if taken or too_long == "keep":
            pieces.append((start, system + turns[start : start + 2 * max(taken, 1)]))
        exceeding += not taken
        start += 2 * max(taken, 1)
    return pieces, exceeding


def _most(fits: Callable[[int], bool], most: int) -> int:
    """The largest n from 0 to `most` that fits, if all smaller ones do; looks near 1 first."""
    good, bad = 0, 1
    while bad <= most and fits(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good
