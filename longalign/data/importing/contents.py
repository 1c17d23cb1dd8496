"""Reading the turns of a published conversation, whose keys and names of roles differ between data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from longalign.chat.messages import THOUGHT_KEYS, TOOL_KEYS, Message, first_given, is_learnt, unclear_weight
from longalign.data.importing.unusable import Unusable, kind

ROLES = {
    "user": ("user", "human", "prompter", "client", "customer", "instruction", "question"),
    "assistant": (
        *("assistant", "gpt", "chatgpt", "bing", "bard", "bot", "model", "ai", "claude", "gemini", "llama", "llm"),
        *("gpt4", "gpt-4", "gpt-3.5", "chatbot", "agent", "answer", "response", "output"),
    ),
    "system": ("system", "developer"),
}
TOOL_ROLES = ("tool", "tools", "function", "function_call", "function_response", "observation", "ipython", "tool_call")
ROLE_KEYS, CONTENT_KEYS = ("role", "from", "speaker", "author"), ("content", "value", "text", "utterance")

_ROLE_OF = {name: role for role, names in ROLES.items() for name in names}
_TEXT_PARTS = ("text", "input_text", "output_text", None)


def read_turns(turns: Any, columns: Mapping[str, str], drop_roles: Sequence[str] = ()) -> list[Message]:
    """Turn a list of turns into messages. Turns are objects with a role and a text, or texts of user and assistant.

    An answer that is not to be learnt (see `is_learnt`) keeps `weight` 0.

    Args:
        columns: the keys for `role` and `content`, if they are not the usual ones.
        drop_roles: lower-case names of roles as the data set has them, such as `bing`; a conversation with one of them
            is not wanted.

    Raises:
        Unusable: the turns are malformed, or have a role that is unknown or not wanted, a call of a tool, thoughts
            beside the content, or a weight that is neither 0 nor 1.
    """
    if isinstance(turns, Mapping) and is_columns(turns):
        turns = [dict(zip(turns, values, strict=True)) for values in zip(*turns.values(), strict=True)]
    if not isinstance(turns, list | tuple):
        raise Unusable("turns are no list", kind(turns))
    if not turns:
        raise Unusable("no turns")
    if all(isinstance(turn, str) for turn in turns):
        return [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns)]
    return [_read_turn(number, turn, columns, drop_roles) for number, turn in enumerate(turns, start=1)]


def is_columns(turns: Mapping[str, Any]) -> bool:
    """Whether turns are in columns, `{"role": [...], "content": [...]}`, as `datasets` stores lists of objects."""
    lists = [value for value in turns.values() if isinstance(value, list)]
    return len(lists) == len(turns) > 1 and len({len(values) for values in lists}) == 1


def _read_turn(number: int, turn: Any, columns: Mapping[str, str], drop_roles: Sequence[str]) -> Message:
    if not isinstance(turn, Mapping):
        raise Unusable("a turn is no object", f"turn {number}: {kind(turn)}")
    name = _first(turn, (columns["role"],) if "role" in columns else ROLE_KEYS)
    if isinstance(name, Mapping):  # {"author": {"role": "user"}}
        name = name.get("role")
    if name is None:
        raise Unusable("a turn has no role", f"turn {number}: keys {', '.join(map(str, list(turn)[:6])) or 'none'}")
    role_name = name.strip().lower() if isinstance(name, str) else name
    if role_name in drop_roles:
        raise Unusable("a role that is not wanted", f"turn {number}: {name}")
    if role_name in TOOL_ROLES or first_given(turn, TOOL_KEYS):
        raise Unusable("tool calls", f"turn {number}")
    if first_given(turn, THOUGHT_KEYS):
        raise Unusable("thoughts beside the content", f"turn {number}")
    role = _ROLE_OF.get(role_name) if isinstance(role_name, str) else None
    if role is None:
        raise Unusable("unknown role", f"turn {number}: {kind(name)}")
    keys = (columns["content"],) if "content" in columns else CONTENT_KEYS
    if not any(key in turn for key in keys):
        raise Unusable("a turn has no content", f"turn {number}: keys {', '.join(map(str, list(turn)[:6]))}")
    message = {"role": role, "content": read_text(_first(turn, keys), f"turn {number}")}
    if role != "assistant":
        return message
    if key := unclear_weight(turn):
        raise Unusable("a weight is neither 0 nor 1", f"turn {number}: {key} is {kind(turn[key])}")
    return message if is_learnt(turn) else message | {"weight": 0}


def read_text(value: Any, place: str) -> str:
    """Read a content: a text, or a list of parts, which are joined. Null is an empty text.

    place: where the content is, for the report.

    Raises:
        Unusable: it is another value, or a part is no text.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("parts"), list):  # ChatGPT's own export
        value = value["parts"]
    if not isinstance(value, list):
        raise Unusable("a content is no text", f"{place}: {kind(value)}")
    return "".join(_read_part(part, place) for part in value)


def _read_part(part: Any, place: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str):
        return part["text"]
    what = part.get("type") if isinstance(part, Mapping) else None
    raise Unusable("a part of a content is no text", f"{place}: {what or kind(part)}")


def _first(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value of the first of these keys whose value is not null; None if there is none."""
    return next((row[key] for key in keys if row.get(key) is not None), None)
