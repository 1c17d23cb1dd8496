"""What to do with a conversation longer than `max_length` tokens.

shorten_document   cut the middle out of the longest user turn, keep the question (its start and end) and the answer
truncate           keep the first max_length tokens (LongAlign's way: the answer is what gets lost)
drop, error        leave the row out, stop
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from longalign.chat.messages import Message

Overflow = Literal["shorten_document", "truncate", "drop", "error"]

CUT_MARK = "\n\n[...]\n\n"
MIN_KEPT_TOKENS = 64  # of a user turn: 32 at its start, 32 at its end
_SLACK_TOKENS = 8
_MAX_PASSES = 6

Encoded = tuple[list[int], list[int]]
Span = tuple[int, int]


class _Turn(NamedTuple):
    message: int
    offsets: list[Span]  # characters of each token


def shorten_document(
    messages: list[Message],
    length: int,
    max_length: int,
    *,
    encode: Callable[[list[Message]], Encoded],
    offsets: Callable[[str], list[Span]],
    cut_mark: str = CUT_MARK,
) -> Encoded | None:
    """The conversation in at most `max_length` tokens and close to it, or None where the user turns cannot give enough.

    `length` is its length in tokens. The longest user turn is cut until the next one is as long, then both, and so on:
    n tokens of a turn become (n-cut)/2, the mark, (n-cut)/2. Each pass encodes at most about max_length tokens; there
    are two as a rule, `_MAX_PASSES` at most.
    """
    turns = [
        _Turn(index, offsets(message["content"])) for index, message in enumerate(messages) if message["role"] == "user"
    ]
    mark_tokens = len(offsets(cut_mark))
    excess = length - max_length
    best: Encoded | None = None
    for _ in range(_MAX_PASSES):
        kept = _budgets([len(turn.offsets) for turn in turns], excess, mark_tokens)
        if kept is None:
            break
        encoded = encode(_cut(messages, turns, kept, cut_mark))
        missing = max_length - len(encoded[0])
        if missing >= 0 and (best is None or len(encoded[0]) > len(best[0])):
            best = encoded
        if 0 <= missing <= _SLACK_TOKENS:
            break
        excess -= missing - _SLACK_TOKENS // 2
    return best


def _budgets(lengths: list[int], excess: int, mark_tokens: int) -> list[int] | None:
    """Tokens kept of each turn: all are brought down to one level, as high as the excess and the marks allow.

    lengths [100, 900, 700], excess 400, mark 0 -> [100, 600, 600]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    total = 0
    for count, i in enumerate(order, start=1):
        total += lengths[i]
        level = (total - excess) // count - mark_tokens
        following = lengths[order[count]] if count < len(order) else 0
        if level < MIN_KEPT_TOKENS and following < MIN_KEPT_TOKENS:
            return None
        if level >= following:
            return [min(length, level) if k in order[:count] else length for k, length in enumerate(lengths)]
    return None


def _cut(messages: list[Message], turns: list[_Turn], kept: list[int], cut_mark: str) -> list[Message]:
    result = list(messages)
    for turn, keep in zip(turns, kept, strict=True):
        if keep >= len(turn.offsets):
            continue
        text = messages[turn.message]["content"]
        head, tail = keep - keep // 2, keep // 2
        left = text[: turn.offsets[head - 1][1]]
        right = text[turn.offsets[len(turn.offsets) - tail][0] :]
        result[turn.message] = messages[turn.message] | {"content": left + cut_mark + right}
    return result
