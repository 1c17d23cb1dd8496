"""Turning conversations into tokens: messages in, `input_ids` and `labels` out."""

from longalign.chat.encode import (
    ChatFormat,
    EncodedRow,
    answer_ends,
    chat_encoder,
    encode_conversation,
    encode_prompt,
    encode_row,
)
from longalign.chat.messages import Message, check_messages, parse_messages
from longalign.chat.overflow import Overflow
from longalign.chat.plain_template import PlainTemplate, plain_chat_template
from longalign.chat.tokenizer import load_tokenizer, save_tokenizer

__all__ = [
    "ChatFormat",
    "EncodedRow",
    "Message",
    "Overflow",
    "PlainTemplate",
    "answer_ends",
    "chat_encoder",
    "check_messages",
    "encode_conversation",
    "encode_prompt",
    "encode_row",
    "load_tokenizer",
    "parse_messages",
    "plain_chat_template",
    "save_tokenizer",
]
