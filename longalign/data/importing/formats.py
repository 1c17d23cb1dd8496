"""The formats of published rows: how each is recognised by its keys, and how it is turned into messages.

In: a decoded row. Out: messages with the roles system, user, assistant; their order is checked later (turns.py).
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from longalign.chat.messages import MEDIA, TOOLS, Message, first_given, marked_bad
from longalign.data.importing.contents import CONTENT_KEYS, ROLE_KEYS, is_columns, read_text, read_turns
from longalign.data.importing.unusable import Unusable, kind
from longalign.errors import UserError

TURNS = ("messages", "conversations", "conversation", "items", "dialog", "dialogue", "turns", "chat", "data")
INSTRUCTION, INPUT, OUTPUT = ("instruction",), ("input", "context"), ("output", "response", "completion")
PROMPT, COMPLETION = ("prompt",), ("completion", "response", "output", "answer")
DOCUMENT = ("document", "context", "passage", "article")
QUESTION = ("question", "query", "problem", "input")
ANSWER = ("answer", "answers", "response", "solution", "output")
SYSTEM, HISTORY = ("system", "system_prompt", "system_message"), ("history",)

_FIELDS = {  # the fields that --columns can name, each with the keys that it usually has
    "messages": TURNS,
    "role": ROLE_KEYS,
    "content": CONTENT_KEYS,
    "system": SYSTEM,
    "instruction": INSTRUCTION,
    "input": INPUT,
    "output": OUTPUT,
    "history": HISTORY,
    "prompt": PROMPT,
    "completion": COMPLETION,
    "document": DOCUMENT,
    "question": QUESTION,
    "answer": ANSWER,
    "id": ("id", "_id", "prompt_id", "conversation_id", "conversation_hash"),
    "source": ("source", "dataset"),
}


@dataclass(frozen=True)
class Reading:
    """How to read rows. columns: our name of a field -> its key in the rows; drop_roles: see `contents.read_turns`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    drop_roles: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if name not in _FIELDS:
                raise UserError(f"columns: got {name!r}, expected one of {', '.join(_FIELDS)}")
            if not isinstance(column, str):
                raise UserError(f"columns: {name} should name a key of the rows, got {kind(column)}")

    def has(self, row: Mapping[str, Any], name: str) -> bool:
        """Whether a row has a key of the field `name`."""
        return any(key in row for key in self._keys(name))

    def get(self, row: Mapping[str, Any], name: str) -> Any:
        """The first value that is not null under the keys of the field `name`; None if there is none.

        A list of messages may be written as a string of JSON, as some tables have it.
        """
        value = next((row[key] for key in self._keys(name) if row.get(key) is not None), None)
        if name == "messages" and isinstance(value, str) and value.lstrip().startswith("["):
            with suppress(ValueError, RecursionError):
                return json.loads(value)
        return value

    def text(self, row: Mapping[str, Any], name: str) -> str:
        """The text of the field `name`, empty if the row has none."""
        return read_text(self.get(row, name), name)

    def _keys(self, name: str) -> Sequence[str]:
        return (self.columns[name],) if name in self.columns else _FIELDS[name]


Row = Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """A format of rows: the fields that a row of it must have, and the function that makes messages of a row."""

    needs: tuple[str, ...]
    read: Callable[[Row, Reading], list[Message]]

    def matches(self, row: Row, reading: Reading) -> bool:
        return all(reading.has(row, name) for name in self.needs)


def _read_messages(row: Row, reading: Reading) -> list[Message]:
    return read_turns(reading.get(row, "messages"), reading.columns, reading.drop_roles)


def _read_alpaca(row: Row, reading: Reading) -> list[Message]:
    question = _paragraphs(reading.text(row, "instruction"), reading.text(row, "input"))
    return _exchange(question, reading.text(row, "output"))


def _read_prompt(row: Row, reading: Reading) -> list[Message]:
    """Read rows with a prompt and a completion, each of them a text or a list of messages."""
    messages = []
    for role, name in (("user", "prompt"), ("assistant", "completion")):
        value = reading.get(row, name)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            messages += read_turns(value, reading.columns, reading.drop_roles)
        else:
            messages.append({"role": role, "content": read_text(value, name)})
    return messages


def _read_question(row: Row, reading: Reading) -> list[Message]:
    return _exchange(reading.text(row, "question"), _read_answer(reading.get(row, "answer")))


def _read_document(row: Row, reading: Reading) -> list[Message]:
    value = reading.get(row, "document")
    passages = [[passage] for passage in value] if isinstance(value, list) else [value]  # a list of parts is joined
    question = _paragraphs(*(read_text(one, "document") for one in passages), reading.text(row, "question"))
    return _exchange(question, _read_answer(reading.get(row, "answer")))


_TURN_FORMAT = Format(("messages",), _read_messages)

FORMATS = {  # in the order in which they are tried; the first three differ in `_name_turns` only
    "longalign": _TURN_FORMAT,
    "openai": _TURN_FORMAT,
    "sharegpt": _TURN_FORMAT,
    "alpaca": Format(("instruction", "output"), _read_alpaca),
    "prompt": Format(("prompt", "completion"), _read_prompt),
    "document": Format(("document", "question", "answer"), _read_document),
    "question": Format(("question", "answer"), _read_question),
}


def read_row(row: Any, name: str, reading: Reading) -> list[Message]:
    """Turn a row of the format `name` into messages, behind the system message and the history of its own keys, if any.

    Raises:
        Unusable: a key is missing, a value is not what the format has there, the row has tools or images, or its answer
            is one of the bad ones of a set for KTO.
    """
    if not isinstance(row, Mapping):
        raise Unusable("the row is no object", kind(row))
    if tools := first_given(row, TOOLS):
        raise Unusable("tools", f"{kind(row[tools])}; answers that use them cannot be learnt without them")
    if media := first_given(row, MEDIA):
        raise Unusable("images or sound", f"{media}: {kind(row[media])}")
    bad = marked_bad(row)
    if bad and name not in ("document", "question"):  # there it may be the label of a question
        raise Unusable("a bad answer", f"{bad} is false")
    chosen = FORMATS[name]
    missing = [field for field in chosen.needs if not reading.has(row, field)]
    if missing:
        keys = ", ".join(map(str, list(row)[:8])) or "none"
        raise Unusable("a key is missing", f"{name} rows need {', '.join(missing)}; keys: {keys}")
    messages = chosen.read(row, reading)
    if chosen is not _TURN_FORMAT:
        messages = [*_read_history(reading.get(row, "history")), *messages]
    system = reading.text(row, "system") if messages[0]["role"] != "system" else ""
    return [{"role": "system", "content": system}, *messages] if system.strip() else messages


def detect(rows: Sequence[Any], reading: Reading) -> str | None:
    """The name of the format that most of the rows have; None if no row has a known one."""
    found = Counter(filter(None, (_format_of(row, reading) for row in rows)))
    return found.most_common(1)[0][0] if found else None


def seen_keys(rows: Sequence[Any]) -> list[str]:
    """All keys of some rows, in the order in which they first appear."""
    return list(dict.fromkeys(str(key) for row in rows if isinstance(row, Mapping) for key in row))


def _format_of(row: Any, reading: Reading) -> str | None:
    if not isinstance(row, Mapping):
        return None
    named = [name for name in ("messages", "instruction", "prompt", "document", "question") if name in reading.columns]
    for name, known in FORMATS.items():
        if (not named or named[0] == known.needs[0]) and known.matches(row, reading):
            if known is not _TURN_FORMAT:
                return name
            turns = reading.get(row, "messages")
            if turns is None or isinstance(turns, list | tuple) or (isinstance(turns, Mapping) and is_columns(turns)):
                return _name_turns(row, turns)
    return None


def _name_turns(row: Row, turns: Any) -> str:
    """Which of the formats with turns a row has. They are read alike, but only sharegpt rows may be saved web pages."""
    first = turns[0] if turns and isinstance(turns, list | tuple) else turns
    if (isinstance(first, Mapping) and "from" in first) or "messages" not in row:
        return "sharegpt"
    return "longalign" if "length" in row else "openai"


def _exchange(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text.strip())


def _read_answer(value: Any) -> str:
    """Read an answer. Of several alternative answers the first is taken; SQuAD has them under the key `text`."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return read_text(value, "answer")


def _read_history(value: Any) -> list[Message]:
    if value is None or value == "":
        return []
    if not isinstance(value, list | tuple) or any(not isinstance(p, list | tuple) or len(p) != 2 for p in value):
        raise Unusable("the history is no list of pairs", kind(value))
    return [message for q, a in value for message in _exchange(read_text(q, "history"), read_text(a, "history"))]
