"""Checking conversations: a decoded row in, its messages out; errors name the message by its number."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from longalign.errors import UserError

Message: TypeAlias = dict[str, Any]
"""`role` and `content`, both strings; `weight` 0 where an answer is context only."""

ROLES = ("system", "user", "assistant")
LEARNT_KEYS = ("train", "training", "loss")
TOOLS = ("tools", "functions")
MEDIA = ("images", "videos", "audios")
BAD_ANSWER = ("label", "kto_tag")  # keys that are false where a row's answer is a bad one, as KTO learns from
TOOL_KEYS = ("tool_calls", "function_call", *TOOLS)
THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking")
_OTHER_NAMES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "developer": "system"}


def parse_messages(row: Any) -> list[Message]:
    """Check a row `{"messages": [{"role", "content"}, ...]}` and return its messages with role and content only.

    A content is a string, or a list of `{"type": "text", "text": ...}` parts, which are joined. An assistant's message
    that is not to be learnt (see `is_learnt`) keeps `"weight": 0`. Tools and calls of them, images, and thoughts
    beside the content are refused, since the model would not see what its answers come from, and so is a row for KTO
    whose answer is a bad one. Other keys are ignored.

    Raises:
        UserError: a message is malformed. The text has its number (from 1) and what is expected; the caller adds the
            file and the line.
    """
    if not isinstance(row, Mapping):
        raise UserError(f"expected an object with a key 'messages', got {_kind(row)}")
    if "messages" not in row:
        keys = ", ".join(repr(key) for key in list(row)[:5]) or "no key at all"
        if "text" in row:
            raise UserError(f"expected the key 'messages', got {keys}; raw text is given as data.text")
        raise UserError(f"expected the key 'messages', got {keys}; `longalign data import` turns other formats into it")
    if tools := first_given(row, TOOLS):
        raise UserError(f"{tools!r} cannot be trained on: write them into a system message, or leave the row out")
    if media := first_given(row, MEDIA):
        raise UserError(f"{media!r} cannot be trained on: leave the row out")
    if bad := marked_bad(row):
        raise UserError(
            f"{bad!r} is false, which marks a bad answer: leave the row out, as `longalign data import` does"
        )
    return check_messages(row["messages"])


def check_messages(messages: Any) -> list[Message]:
    """Check a list of messages and return it; see `parse_messages`."""
    if isinstance(messages, str | bytes) or not isinstance(messages, Sequence):
        raise UserError(f"'messages' must be a list of objects with role and content, got {_kind(messages)}")
    if not messages:
        raise UserError("'messages' is empty: a conversation needs at least a question and an answer")
    return [_check_message(number, message) for number, message in enumerate(messages, start=1)]


def first_given(values: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """The first of some keys of a row or message whose value is not empty (as JSON in a text, too); None if all are."""
    return next((key for key in keys if values.get(key) and values[key] not in ("[]", "{}", "null")), None)


def marked_bad(row: Mapping[str, Any]) -> str | None:
    """The key of `BAD_ANSWER` that is false in a row; None if none is."""
    return next((key for key in BAD_ANSWER if row.get(key) is False), None)


def is_learnt(message: Mapping[str, Any]) -> bool:
    """Whether an assistant's message is a target, and not only context for those after it.

    It is context if it has `"weight": 0`, as in OpenAI's format, or false (or 0) in one of `LEARNT_KEYS`.
    """
    return not any(message.get(key) == 0 for key in ("weight", *LEARNT_KEYS))


def unclear_weight(message: Mapping[str, Any]) -> str | None:
    """The key of an answer that should say whether it is learnt, but is neither a yes nor a no; None if all are."""
    return next((key for key in ("weight", *LEARNT_KEYS) if message.get(key) not in (None, 0, 1)), None)


def num_answered(messages: Sequence[Message]) -> int:
    """The number of messages up to the last answer."""
    return max((n for n, message in enumerate(messages, start=1) if message["role"] == "assistant"), default=0)


def _check_message(number: int, message: Any) -> Message:
    if not isinstance(message, Mapping):
        raise UserError(f"message {number} must be an object with role and content, got {_kind(message)}")
    role = message.get("role")
    if role not in ROLES:
        hint = f" (for {role!r} write {_OTHER_NAMES[role]!r})" if isinstance(role, str) and role in _OTHER_NAMES else ""
        got = "no role" if "role" not in message else f"role {role!r}"
        raise UserError(f"message {number} has {got}, expected one of {', '.join(ROLES)}{hint}")
    if beside := first_given(message, (*TOOL_KEYS, *THOUGHT_KEYS)):
        raise UserError(
            f"message {number} ({role}): {beside!r} cannot be trained on: write it into the content, "
            "or leave the row out"
        )
    if "content" not in message:
        raise UserError(f"message {number} ({role}) has no content")
    content = message["content"]
    if isinstance(content, list):
        content = "".join(_text_part(number, role, part) for part in content)
    if not isinstance(content, str):
        remedy = "; leave the row out, or write an empty string" if content is None else ""
        raise UserError(f"message {number} ({role}): content must be a string, got {_kind(content)}{remedy}")
    if role == "assistant" and (key := unclear_weight(message)):
        expected = "0 or 1" if key == "weight" else "true or false"
        raise UserError(f"message {number} (assistant): {key} must be {expected}, got {_kind(message[key])}")
    checked = {"role": role, "content": content}
    return checked if role != "assistant" or is_learnt(message) else checked | {"weight": 0}


def _text_part(number: int, role: str, part: Any) -> str:
    if isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return part["text"]
    kind = repr(part.get("type")) if isinstance(part, Mapping) else _kind(part)
    raise UserError(f"message {number} ({role}): content parts must be of type 'text', got {kind}")


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
