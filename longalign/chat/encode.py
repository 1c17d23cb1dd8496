"""The functions that turn conversations into token ids and labels, in any of the chat formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, Protocol, get_args

from longalign.chat.formats import CHATGLM3, LLAMA2, DummyPrefix, PlainEncoder
from longalign.chat.messages import Message, check_messages, num_answered, parse_messages
from longalign.chat.overflow import Overflow, shorten_document
from longalign.chat.targets import IGNORE
from longalign.chat.template import TemplateEncoder
from longalign.chat.text import TextEncoder
from longalign.errors import UserError

ChatFormat = Literal["chatglm3", "llama2", "template"]


class ChatEncoder(Protocol):
    """A chat format bound to a tokenizer."""

    text: TextEncoder

    def encode(self, messages: list[Message], events: list[str]) -> tuple[list[int], list[int]]:
        """(input_ids, labels) of a conversation; what was repaired is appended to `events`."""

    def prompt(self, messages: list[Message]) -> list[int]:
        """The ids up to where the model answers the last message."""

    def rendered(self, messages: list[Message]) -> str:
        """The text of a prompt."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A row after encoding.

    Attributes:
        input_ids: empty if the row was dropped.
        labels: aligned with `input_ids` as in Hugging Face (unshifted; -100: no target).
        reason: why the row was dropped: `no_target`, `too_long`, or `no_text` (of a raw text); None if it was not.
        events: what was cut or repaired, each name once: `cut_document`, `cut_tail`, `document_split` (of a raw text),
            `trailing_user_dropped`, `messages_joined`, `answer_without_question`, `answer_without_text`,
            `answer_of_weight_0`, `zero_width_removed`, `control_token_as_text`, `system_text_left_out_by_template`,
            `user_text_left_out_by_template`.
    """

    input_ids: list[int]
    labels: list[int]
    reason: str | None = None
    events: tuple[str, ...] = ()

    @property
    def dropped(self) -> bool:
        return self.reason is not None


def encode_conversation(
    messages: list[Message],
    tokenizer: Any,
    chat_format: ChatFormat = "template",
    *,
    strip_whitespace: bool = True,
    dummy_prefix: DummyPrefix = "each",
) -> tuple[list[int], list[int]]:
    """Encode one conversation to (input_ids, labels); labels are aligned with the ids (unshifted), -100: no target.

    A last question without an answer is left out; without any answer both lists are empty. See the modules `formats`
    and `template` for what each format does with unusual conversations.

    Raises:
        UserError: the messages are malformed, or the format and the tokenizer do not fit each other or the messages.
    """
    encoder = chat_encoder(tokenizer, chat_format, strip_whitespace=strip_whitespace, dummy_prefix=dummy_prefix)
    return encoder.encode(check_messages(messages), [])


def encode_prompt(
    messages: list[Message],
    tokenizer: Any,
    chat_format: ChatFormat = "template",
    *,
    strip_whitespace: bool = True,
    dummy_prefix: DummyPrefix = "each",
) -> list[int]:
    """Encode a prompt: the ids that `encode_conversation` gives in front of the answer to the last message.

    Raises:
        UserError: the last message is an assistant's; or as `encode_conversation`.
    """
    messages = check_messages(messages)
    if messages[-1]["role"] == "assistant":
        raise UserError("a prompt must end with a user message, got an assistant's")
    encoder = chat_encoder(tokenizer, chat_format, strip_whitespace=strip_whitespace, dummy_prefix=dummy_prefix)
    return encoder.prompt(messages)


def answer_ends(tokenizer: Any, chat_format: ChatFormat = "template") -> set[int]:
    """The control tokens that end an answer in training: EOS, and the token that the format puts after an answer."""
    asked: Message = {"role": "user", "content": "a"}
    said: Message = {"role": "assistant", "content": "b"}
    try:
        _, labels = encode_conversation([asked, said, asked, said], tokenizer, chat_format)
    except UserError:  # the template can be used for prompts, but not for training
        labels = []
    ends = {label for label, after in pairwise([*labels, IGNORE]) if label >= 0 > after}
    return (ends & chat_encoder(tokenizer, chat_format).text.control_ids) | {tokenizer.eos_token_id}


def encode_row(
    row: Mapping[str, Any],
    tokenizer: Any,
    chat_format: ChatFormat = "template",
    *,
    max_length: int,
    overflow: Overflow = "shorten_document",
    strip_whitespace: bool = True,
    dummy_prefix: DummyPrefix = "each",
) -> EncodedRow:
    """Encode a data row `{"messages": [...]}` in at most `max_length` tokens.

    Args:
        overflow: what to do with a longer conversation; see the module `overflow`.

    Raises:
        UserError: as `encode_conversation`; or the row is too long and `overflow` is "error".
    """
    encoder = chat_encoder(tokenizer, chat_format, strip_whitespace=strip_whitespace, dummy_prefix=dummy_prefix)
    messages = parse_messages(row)
    events: list[str] = []
    input_ids, labels = encoder.encode(messages, events)
    if len(input_ids) <= max_length:
        return _row(input_ids, labels, events)
    if overflow == "error":
        raise UserError(f"the conversation has {len(input_ids)} tokens, data.max_length is {max_length}")
    if not _has_target(labels):
        return EncodedRow([], [], "no_target", _once(events))
    if overflow == "drop":
        return EncodedRow([], [], "too_long", _once(events))
    if overflow == "truncate":
        return _row(input_ids[:max_length], labels[:max_length], [*events, "cut_tail"])
    if overflow != "shorten_document":
        raise UserError(f"data.overflow {overflow!r} is unknown, expected one of {', '.join(get_args(Overflow))}")
    shortened = shorten_document(
        messages[: num_answered(messages)],
        len(input_ids),
        max_length,
        encode=lambda shorter: encoder.encode(shorter, []),
        offsets=encoder.text.offsets,
    )
    if shortened is None:
        return EncodedRow([], [], "too_long", _once(events))
    return _row(shortened.input_ids, shortened.labels, [*events, "cut_document"])


def chat_encoder(
    tokenizer: Any,
    chat_format: ChatFormat = "template",
    *,
    strip_whitespace: bool = True,
    dummy_prefix: DummyPrefix = "each",
) -> ChatEncoder:
    """The encoder behind `encode_conversation`, cached by tokenizer and format. Its first use takes up to a second."""
    state = (tokenizer.name_or_path, str(tokenizer.chat_template), len(tokenizer), tokenizer.eos_token_id)
    return _chat_encoder(tokenizer, chat_format, strip_whitespace, dummy_prefix, state)


@lru_cache(maxsize=16)
def _chat_encoder(
    tokenizer: Any, chat_format: str, strip_whitespace: bool, dummy_prefix: DummyPrefix, state: tuple[Any, ...]
) -> ChatEncoder:
    if chat_format == "template":
        return TemplateEncoder(tokenizer)
    plain = {"chatglm3": CHATGLM3, "llama2": LLAMA2}
    if chat_format not in plain:
        raise UserError(
            f"data.chat_format {chat_format!r} is unknown, expected one of {', '.join(get_args(ChatFormat))}"
        )
    return PlainEncoder(tokenizer, plain[chat_format], strip_whitespace=strip_whitespace, dummy_prefix=dummy_prefix)


def _row(input_ids: list[int], labels: list[int], events: list[str]) -> EncodedRow:
    if not _has_target(labels):
        return EncodedRow([], [], "no_target", _once(events))
    return EncodedRow(input_ids, labels, None, _once(events))


def _has_target(labels: list[int]) -> bool:
    return any(label != IGNORE for label in labels[1:])  # the first token has nothing before it to be predicted from


def _once(events: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(events))
