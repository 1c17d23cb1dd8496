"""An OpenAI-compatible server on 127.0.0.1 for tests and demonstrations, with answers and errors given in advance.

with FakeOpenAIServer(lambda body: "[[7]]", script=[error(429, "slow down", retry_after=1)]) as server:
    ChatClient(Endpoint("judge", server.base_url))
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    By default it sends a chat completion with ``text``. ``body`` is sent instead of the completion where it is given;
    ``drop`` closes the connection without an answer.
    """

    text: str | None = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0
    finish_reason: str = "stop"
    refusal: str | None = None
    body: bytes | None = None
    drop: bool = False


@dataclass(frozen=True)
class Request:
    """A request as the server received it. Header names are in lower case; ``at`` is ``time.monotonic()``."""

    path: str
    headers: dict[str, str]
    body: Body
    at: float


def error(
    status: int, message: str, *, code: str | None = None, param: str | None = None, retry_after: float | None = None
) -> Reply:
    """A reply with an error status and a body as OpenAI's API sends it. retry_after: seconds, in a header."""
    body = {"error": {"message": message, "type": "error", "code": code, "param": param}}
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers)


def empty_choices() -> Reply:
    """A reply with status 200 whose completion has no choices."""
    return Reply(body=b'{"id": "1", "object": "chat.completion", "model": "fake", "choices": []}')


def garbage() -> Reply:
    """A reply with status 200 that is an HTML page, as broken proxies send."""
    return Reply(body=b"<html>upstream error</html>", headers={"Content-Type": "text/html"})


class FakeOpenAIServer:
    """A real HTTP server in a thread, started and stopped by ``with``.

    Args:
        answer: what requests get: a text, or a function of the request's body that returns a text or a `Reply`.
        script: replies for the first requests, in the order in which they arrive; ``answer`` is for the later ones.
        refuses: names of parameters; a request that has one of them gets HTTP 400.

    Attributes:
        requests: all requests so far. max_in_flight: the most requests that were open at the same time.
    """

    def __init__(
        self,
        answer: str | Callable[[Body], str | Reply] = "OK",
        *,
        script: Iterable[Reply] = (),
        refuses: Iterable[str] = (),
    ) -> None:
        self._answer, self._script, self._refuses = answer, list(script), list(refuses)
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._in_flight = 0
        self.requests: list[Request] = []
        self.max_in_flight = 0

    def __enter__(self) -> "FakeOpenAIServer":
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._stopped.set()  # ends the replies' delays
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> tuple[Reply, bytes]:
        """The reply to a request, and the bytes of its body. The request counts as in flight until `finished`."""
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            reply: Reply | str | None = self._script.pop(0) if self._script else self._refusal(request)
        if reply is None:
            reply = self._answer if isinstance(self._answer, str) else self._answer(request.body)
        if isinstance(reply, str):
            reply = Reply(reply)
        if reply.delay_s:
            self._stopped.wait(reply.delay_s)
        return reply, reply.body if reply.body is not None else _completion(request.body, reply)

    def finished(self) -> None:
        """Count one request less as in flight."""
        with self._lock:
            self._in_flight -= 1

    def _refusal(self, request: Request) -> Reply | None:
        if request.path != "/v1/chat/completions":
            return error(404, f"no such path: {request.path}")
        for name in self._refuses:
            if name in request.body:
                hint = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                text = f"Unsupported parameter: '{name}' is not supported with this model.{hint}"
                return error(400, text, code="unsupported_parameter", param=name)
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: the only errors here are clients that have closed their connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeOpenAIServer

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with suppress(ValueError):
            raw = json.loads(raw)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body: Body = raw if isinstance(raw, dict) else {}
        try:
            reply, data = self.fake.answer(Request(self.path, headers, body, time.monotonic()))
        except Exception as problem:  # of the test's own function
            reply, data = Reply(status=500), repr(problem).encode()
        finally:
            self.fake.finished()  # before the bytes go out: the client's next request may come at once
        if reply.drop:
            self.close_connection = True
            return
        with suppress(ConnectionError):
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: the base class would print a line for each request."""


def _completion(body: Body, reply: Reply) -> bytes:
    asked = " ".join(str(message.get("content")) for message in body.get("messages", []))
    usage = {"prompt_tokens": len(asked.split()), "completion_tokens": len((reply.text or "").split())}
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    return json.dumps(
        {
            "id": "fake-1",
            "object": "chat.completion",
            "created": 0,
            "model": f"{body.get('model')}-2026-01-01",
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
            "usage": usage | {"total_tokens": sum(usage.values())},
        }
    ).encode()
