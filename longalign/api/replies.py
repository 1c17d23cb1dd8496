"""Parsing what OpenAI-compatible servers send: completions, errors, headers. Any field may be missing or malformed."""

import email.utils
import json
import math
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 120  # characters of an unexpected body that an error message quotes

_UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra (?:inputs|fields)"
    r"|deprecated|incompatible",
    re.IGNORECASE,
)
_HALF = re.compile("[\ud800-\udfff]")
_TOO_LONG = re.compile(r"context.{0,10}length|maximum context|too (?:large|long)|exceed", re.IGNORECASE)

_FILTERED = ("content_filter", "sensitive")
_CUT = ("length", "max_tokens", "model_context_window_exceeded")
_BROKEN_OFF = ("error", "abort", "network_error", "insufficient_system_resource")
"""Reasons for which servers end a completion that is no answer: those of OpenRouter, vLLM, GLM and DeepSeek."""


@dataclass(frozen=True)
class Reply:
    """A completion's fields; or, where it has none, the ``problem``. is_final: asking again would give the same."""

    text: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    served_model: str = ""
    system_fingerprint: str | None = None
    problem: str = ""
    is_final: bool = False


@dataclass(frozen=True)
class Complaint:
    """An error status with the server's message. code: the error's code and type, with a blank between."""

    status: int
    text: str
    code: str = ""
    param: str = ""


def read_completion(body: bytes) -> Reply:
    """Read the first choice of a chat completion. If the model wrote no text, ``text`` is empty.

    The finish_reason of an answer that was cut is always "length".
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Reply(problem=f"the reply is no JSON: {_shown(body)}")
    if not isinstance(value, dict) or not isinstance(value.get("choices"), list):
        return Reply(problem=f"the reply is no chat completion: {_shown(body)}")
    if not value["choices"]:
        return Reply(problem="the reply has no choices")
    choice: Any = value["choices"][0]
    message: Any = choice.get("message") if isinstance(choice, dict) else None
    text = _content(message.get("content")) if isinstance(message, dict) else 0
    if not isinstance(text, str | None):
        return Reply(problem=f"the reply is no chat completion: {_shown(body)}")
    reason = str(choice.get("finish_reason") or "")
    if message.get("refusal") or reason in _FILTERED:
        return Reply(problem=f"refused: {str(message.get('refusal') or reason)[:_SHOWN]}", is_final=True)
    if reason in _BROKEN_OFF:
        return Reply(problem=f"the server broke off its answer (finish_reason {reason})")
    usage: Any = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    return Reply(
        well_formed(text or ""),
        "length" if reason in _CUT else reason,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        str(value.get("model") or ""),
        value.get("system_fingerprint") and str(value["system_fingerprint"]),
    )


def read_complaint(status: int, body: Any, text: str) -> Complaint:
    """Read an error's message, code and parameter; servers put them in different places."""
    value = body if isinstance(body, dict) else {}
    value = value["error"] if isinstance(value.get("error"), dict) else value
    said = value.get("message") or value.get("detail") or value.get("error") or text or "no message"
    said = said if isinstance(said, str) else json.dumps(said)
    code = " ".join(str(value.get(name) or "") for name in ("code", "type"))
    return Complaint(status, " ".join(said.split()), code, str(value.get("param") or ""))


def refused_parameter(complaint: Complaint, parameters: Collection[str]) -> str | None:
    """The name of the parameter that the server does not accept; None if the complaint is about something else.

    Some servers name ``max_tokens`` when the prompt is too long. That is no reason to leave the parameter out.
    """
    text = f"{complaint.code} {complaint.text}"
    if complaint.status not in (400, 422) or _TOO_LONG.search(text) or not _UNSUPPORTED.search(text):
        return None
    named = complaint.param.rpartition(".")[2]
    if named in parameters:
        return named
    return next((name for name in parameters if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)), None)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``retry-after`` (seconds or a date); None if neither can be used."""
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return max(date.timestamp() - time.time(), 0.0)


def well_formed(text: str) -> str:
    """``text`` with each lone surrogate, which JSON can express and UTF-8 cannot, replaced by U+FFFD."""
    return _HALF.sub("\ufffd", text)


def _content(value: Any) -> Any:
    """The joined text of a content that is a list of parts, as some thinking models give; other values unchanged."""
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        return value
    texts = [part.get("text") for part in value if part.get("type", "text") in ("text", "output_text")]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else value


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _shown(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return repr(text[:_SHOWN]) if text else "it is empty"
