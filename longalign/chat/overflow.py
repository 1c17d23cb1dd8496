"""What to do with a conversation of more than `max_length` tokens.

shorten_document   cut out the middle of the longest user turn; its start and end, where questions are, and all answers
                   stay
truncate           keep the first max_length tokens, as LongAlign does: of a long document the answer is lost
drop               leave the row out
error              stop with an error
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from longalign.chat.messages import Message

Overflow = Literal["shorten_document", "truncate", "drop", "error"]

CUT_MARK = "\n\n[...]\n\n"
MIN_KEPT_TOKENS = 64  # no user turn is cut to less: 32 at its start, 32 at its end
_SLACK_TOKENS = 8  # a result may be this much shorter than max_length
_MAX_PASSES = 6

Encoded = tuple[list[int], list[int]]
Span = tuple[int, int]


class Shortened(NamedTuple):
    """The messages of a shortened conversation, and their ids and labels."""

    messages: list[Message]
    input_ids: list[int]
    labels: list[int]


class _Turn(NamedTuple):
    message: int
    offsets: list[Span]  # the span of characters of each token


def shorten_document(
    messages: list[Message],
    length: int,
    max_length: int,
    *,
    encode: Callable[[list[Message]], Encoded],
    offsets: Callable[[str], list[Span]],
    cut_mark: str = CUT_MARK,
) -> Shortened | None:
    """Shorten a conversation to at most `max_length` tokens, and close to it, by cutting out the middle of user turns.

    The longest user turn is cut until it is as long as the next one, then both are cut, and so on. Of a turn that keeps
    n tokens, the first and the last n/2 stay, with `cut_mark` between them. How many tokens the result has is only
    known when it is encoded, so this is repeated with a corrected number: two passes as a rule, each of about
    `max_length` tokens, and at most `_MAX_PASSES`.

    Args:
        length: tokens of the whole conversation.
        encode: gives (input_ids, labels) of messages.
        offsets: gives the span of characters of each token of a text.

    Returns:
        The longest result that fits; None if the user turns are too short to be cut by enough.
    """
    turns = [
        _Turn(index, offsets(message["content"])) for index, message in enumerate(messages) if message["role"] == "user"
    ]
    mark_tokens = len(offsets(cut_mark))
    excess = length - max_length
    best: Shortened | None = None
    for _ in range(_MAX_PASSES):
        kept = _budgets([len(turn.offsets) for turn in turns], excess, mark_tokens)
        if kept is None:
            break
        shorter = _cut(messages, turns, kept, cut_mark)
        found = Shortened(shorter, *encode(shorter))
        missing = max_length - len(found.input_ids)
        if missing >= 0 and (best is None or len(found.input_ids) > len(best.input_ids)):
            best = found
        if 0 <= missing <= _SLACK_TOKENS:
            break
        excess -= missing - _SLACK_TOKENS // 2
    return best


def _budgets(lengths: list[int], excess: int, mark_tokens: int) -> list[int] | None:
    """How many tokens each turn keeps: all turns above a level are cut to it, so that `excess` tokens are saved.

    The level is as high as the excess and the marks allow; None if it were below `MIN_KEPT_TOKENS`.

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
