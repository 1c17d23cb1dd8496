"""Fit a case into a model's length: the middle of its document is cut out; the question is kept whole, and room is left
for the answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case

if TYPE_CHECKING:  # tokenizers and all that come with them are slow to import
    from longalign.chat import ChatFormat

Span = tuple[int, int]

_PIECE = re.compile(r"[^\x00-\x7f]|[\x00-\x7f]{1,3}", re.DOTALL)
_FRAME = 64  # tokens that a chat template is assumed to add


@dataclass(frozen=True)
class Prompt:
    """What the model gets. ``tokens`` of it, and ``cut_tokens`` that were cut out, are those of the `Meter`."""

    text: str
    ids: list[int]
    tokens: int
    cut_tokens: int


@dataclass(frozen=True)
class Meter:
    """Measures texts in tokens.

    encode: text of a user's message -> ids of the prompt in the chat format. offsets: text -> character span of each of
    its tokens.
    """

    encode: Callable[[str], list[int]]
    offsets: Callable[[str], list[Span]]


def meter(tokenizer: Any, chat_format: "ChatFormat") -> Meter:
    """A meter that counts with a tokenizer and a chat format."""
    from longalign.chat import chat_encoder

    encoder = chat_encoder(tokenizer, chat_format)
    return Meter(lambda text: encoder.prompt([{"role": "user", "content": text}]), encoder.text.offsets)


def rough_meter() -> Meter:
    """A meter for a server whose tokenizer is not known.

    It estimates too many tokens rather than too few: one for three ASCII characters, one for any other character.
    """

    def offsets(text: str) -> list[Span]:
        return [match.span() for match in _PIECE.finditer(text)]

    return Meter(lambda text: [0] * (len(offsets(text)) + _FRAME), offsets)


def fit_case(case: Case, how: Meter, max_length: int | None, max_new_tokens: int) -> Prompt:
    """The case's prompt in at most ``max_length - max_new_tokens`` tokens, with as much of the document as fits.

    Raises:
        UserError: the question is too long even without its document.
    """
    ids = how.encode(case.prompt)
    if max_length is None or len(ids) + max_new_tokens <= max_length:
        return Prompt(case.prompt, ids, len(ids), 0)
    from longalign.chat.overflow import shorten_document

    start, end = document_span(case)
    before, document, after = case.prompt[:start], case.prompt[start:end], case.prompt[end:]
    found = shorten_document(
        [{"role": "user", "content": document}],
        len(ids),
        max_length - max_new_tokens,
        encode=lambda shorter: (how.encode(before + shorter[0]["content"] + after), []),
        offsets=how.offsets,
    )
    if found is None:
        raise UserError(
            f"case {case.idx}: its question does not fit into max_length {max_length} with max_new_tokens "
            f"{max_new_tokens}; give a larger --max_length or a smaller --max_new_tokens"
        )
    text, tokens = before + found.messages[0]["content"] + after, len(found.input_ids)
    return Prompt(text, found.input_ids, tokens, len(ids) - tokens)


def document_span(case: Case) -> Span:
    """The characters of the prompt that are its document.

    If the prompt holds the query, the document is the longer part before or behind it; else everything before the last
    paragraph; and in a prompt of one paragraph, everything.
    """
    prompt, query = case.prompt, case.query.strip()
    at = prompt.rfind(query)
    if at >= 0:
        end = at + len(query)
        return (0, at) if at >= len(prompt) - end else (end, len(prompt))
    at = prompt.rstrip().rfind("\n\n")
    return (0, at) if at > 0 else (0, len(prompt))
