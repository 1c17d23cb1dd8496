"""Splitting a conversation that is too long into several.

In: alternating messages and a limit in tokens. Out: conversations that each begin with a question, with the system
message in front if there is one. The rule is that of open-instruct's split_sharegpt_conversations: a conversation takes
as many exchanges (question and answer) as fit, and an exchange that does not fit by itself is left out. Lengths include
the chat format exactly as in training; open-instruct adds 6 tokens a turn instead.
"""

from collections.abc import Callable
from typing import Literal

from longalign.chat.messages import Message

TooLong = Literal["drop", "keep"]
Measure = Callable[[list[Message]], int]


def split(
    messages: list[Message], limit: int, measure: Measure, too_long: TooLong = "drop"
) -> tuple[list[tuple[int, list[Message]]], int]:
    """Split a conversation into parts of at most `limit` tokens.

    Args:
        measure: counts the tokens of a conversation; it is called about 2 log2(exchanges) times for each part.
        too_long: what to do with an exchange that exceeds the limit by itself: `drop` it, or `keep` it as a part of its
            own, to be handled by `data.overflow` in training.

    Returns:
        ([(number of the part's first turn, its messages)], number of exchanges that exceed the limit).
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
    """The largest n from 0 to `most` that fits, by bisection that starts near 1. If n fits, all smaller ones must."""
    good, bad = 0, 1
    while bad <= most and fits(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good
