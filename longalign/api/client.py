"""Chat completions from any OpenAI-compatible endpoint, several at a time, with retries.

In: messages and parameters. Out: a `Completion`; or `RequestFailed` if this one request failed; or `UserError` if no
request can succeed. The openai client's own retries are not used: they repeat requests after `insufficient_quota`, and
they cannot make all requests wait when the server asks one of them to.
"""

import asyncio
import functools
import logging
import random
import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from longalign.api.endpoint import Endpoint
from longalign.api.loop import each
from longalign.api.replies import (
    Complaint,
    read_complaint,
    read_completion,
    refused_parameter,
    retry_after_s,
    well_formed,
)
from longalign.counted import counted
from longalign.errors import UserError

__all__ = ["ChatClient", "Completion", "Endpoint", "RequestFailed", "ask_all"]

log = logging.getLogger(__name__)

Messages = list[dict[str, str]]
Job = tuple[Any, Messages, Mapping[str, Any]]
"""(key, messages, parameters) of a request; the key is handed back with its result."""

MAX_BACKOFF_S = 30.0
MAX_PAUSE_S = 300.0
"""If a server asks for a longer pause than this, the run ends; the user can continue it later."""

_MAY_HAVE_WORKED = (408, 502, 504, 524)
"""Statuses of a proxy whose server took too long or broke off: it may have done the work, and charge for it."""

_NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")
"""httpx's exceptions for failures before the request was sent."""

MIN_WITNESSES = 4
"""Requests that must have failed, and none succeeded, before the server counts as unreachable."""


@dataclass(frozen=True)
class Completion:
    """What a model answered. Tokens are as the server counted them, 0 where it did not. seconds: time of the call."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    served_model: str
    seconds: float
    system_fingerprint: str | None = None


class RequestFailed(Exception):
    """One request got no answer. The message is one line.

    Attributes:
        unreachable: the server did not answer, or not as one of models does. final: asking again would give the same.
        lost: the server may have worked on the request, and charge for it.
    """

    def __init__(self, message: str, *, unreachable: bool = False, final: bool = False, lost: bool = False) -> None:
        super().__init__(message)
        self.unreachable, self.final, self.lost = unreachable, final, lost


class _TryAgain(Exception):
    """An attempt failed, but another one may succeed.

    Attributes:
        after_s: seconds that the server asked to wait, None if it did not. unreachable, lost: as of `RequestFailed`.
    """

    def __init__(
        self, message: str, after_s: float | None = None, *, unreachable: bool = False, lost: bool = False
    ) -> None:
        super().__init__(message)
        self.after_s, self.unreachable, self.lost = after_s, unreachable, lost


class ChatClient:
    """``async with ChatClient(endpoint) as client: await client.complete(messages, max_tokens=100)``.

    At most ``endpoint.concurrency`` requests are open at a time. After a timeout, a dropped connection, a status 408,
    409, 429 or 5xx, or a body that is no completion, a request is repeated up to ``max_retries`` times; the pause
    before it is ``backoff_s`` at first and doubles each time. If the server says how long to wait, all requests wait.
    """

    def __init__(self, endpoint: Endpoint, backoff_s: float = 0.5) -> None:
        endpoint.check()
        self.endpoint, self._backoff_s = endpoint, backoff_s
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._resume_at = 0.0  # time.monotonic
        self._said_trouble = False
        self._renamed: dict[str, str] = {}
        self._dropped: set[str] = set()
        self.limits_cost = False  # set by a budget: then no request goes out without a limit on its reply
        self.is_ending = False  # set after an error: then no request is repeated
        self.under_way: set[asyncio.Task[Any] | None] = set()  # tasks whose request is at the server

    async def __aenter__(self) -> "ChatClient":
        import openai  # slow to import, and only commands that ask a server need it

        self._openai = openai
        try:
            connections = openai.DefaultAsyncHttpxClient()
        except (ImportError, ValueError) as error:  # it reads the environment's proxies, and needs socksio for SOCKS
            raise UserError(
                "the proxy that ALL_PROXY, HTTPS_PROXY or HTTP_PROXY names cannot be used; pip install socksio for one "
                f"of SOCKS, or unset the variable: {str(error).partition('. ')[0]}"
            ) from error
        self._client = openai.AsyncOpenAI(
            api_key=self.endpoint.key(),
            base_url=self.endpoint.url,
            timeout=self.endpoint.timeout_s,
            max_retries=0,
            http_client=connections,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def complete(
        self, messages: Messages, on_lost: Callable[[], bool] = lambda: True, **parameters: Any
    ) -> Completion:
        """Ask for the answer to ``messages``.

        Args:
            on_lost: called after each attempt without an answer that the server may have worked on; returns whether
                the request may be repeated.
            parameters: go into the request's body as they are (temperature, seed, …). A parameter that the server
                refuses is left out of all later requests (``max_tokens`` is renamed), with one warning.

        Raises:
            RequestFailed: there was no answer after all retries, or ``on_lost`` forbade another; or the server's
                filter refused the request, or the request is one that the server cannot serve.
            UserError: a status 401, 403, 404 or 405, an account without credit, or a server that asks for a pause of
                more than five minutes.
        """
        messages = [message | {"content": well_formed(message["content"])} for message in messages]
        async with self._slots:
            failures = 0
            while True:
                await self._wait()
                try:
                    with self._under_way():
                        return await self._attempt(messages, self._accepted(parameters))
                except RequestFailed as failure:
                    if failure.lost:
                        on_lost()
                    raise
                except _TryAgain as problem:
                    failures += 1
                    may_repeat = (not problem.lost or on_lost()) and not self.is_ending
                    if failures > self.endpoint.max_retries or not may_repeat:
                        tries = f" ({failures} tries)" if failures > 1 else ""
                        raise RequestFailed(f"{problem}{tries}", unreachable=problem.unreachable) from None
                    await self._pause(problem, failures)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        task = asyncio.current_task()
        self.under_way.add(task)
        try:
            yield
        finally:
            self.under_way.remove(task)

    def _accepted(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        renamed = {self._renamed.get(name, name): value for name, value in parameters.items()}
        return {name: value for name, value in renamed.items() if name not in self._dropped}

    async def _attempt(self, messages: Messages, parameters: dict[str, Any]) -> Completion:
        """Send one request. If the server refuses a parameter, send it again at once without that."""
        openai, started = self._openai, time.monotonic()
        try:
            async with asyncio.timeout(self.endpoint.timeout_s):  # the client's own limits each read alone
                create: Any = self._client.chat.completions.with_raw_response.create
                response = await create(model=self.endpoint.model, messages=messages, extra_body=parameters)
        except (openai.APITimeoutError, TimeoutError) as error:
            said = f"no answer within {self.endpoint.timeout_s:g} s"
            raise _TryAgain(said, unreachable=True, lost=_was_sent(error)) from None
        except openai.APIStatusError as error:
            complaint = read_complaint(error.status_code, error.body, error.response.text)
            if self._mended(complaint, parameters):
                return await self._attempt(messages, self._accepted(parameters))
            raise self._judged(complaint, retry_after_s(error.response.headers)) from None
        except openai.APIConnectionError as error:
            cause = self.endpoint.hide_key(str(error.__cause__ or error)) or type(error.__cause__).__name__
            raise _TryAgain(f"connection failed: {cause}", unreachable=True, lost=_was_sent(error)) from None
        reply = read_completion(response.content)
        if reply.problem:
            problem = self.endpoint.hide_key(reply.problem)
            if reply.is_final:
                raise RequestFailed(problem, final=True, lost=True)
            raise _TryAgain(problem, unreachable=True, lost=True)
        return Completion(
            reply.text,
            reply.finish_reason,
            reply.prompt_tokens,
            reply.completion_tokens,
            reply.served_model,
            time.monotonic() - started,
            reply.system_fingerprint,
        )

    def _mended(self, complaint: Complaint, parameters: dict[str, Any]) -> bool:
        """If the complaint is about a parameter, have it left out or renamed from now on, and return True."""
        name = refused_parameter(complaint, parameters)
        if name is None:
            return False
        known = name in self._dropped or name in self._renamed  # another request met this at the same time
        if name == "max_tokens" and "max_completion_tokens" in complaint.text:
            self._renamed[name], what = "max_completion_tokens", "called max_completion_tokens"
        elif self.limits_cost and name in ("max_tokens", "max_completion_tokens"):
            said = self.endpoint.hide_key(complaint.text)[:200]
            raise UserError(
                f"max_cost: {self.endpoint.model} refuses {name}, so the length of a reply and its cost "
                f"have no limit; leave max_cost out, or ask another server: {said}"
            )
        else:
            self._dropped.add(name)
            what = "left out"
        if not known:
            said = self.endpoint.hide_key(complaint.text)[:200]
            log.warning("%s refuses %s, which is %s from now on: %s", self.endpoint.model, name, what, said)
        return True

    def _judged(self, complaint: Complaint, after_s: float | None) -> Exception:
        """The exception for an error status: it fails this attempt, this request, or the run."""
        endpoint, status = self.endpoint, complaint.status
        said = endpoint.hide_key(complaint.text)[:300]
        if "insufficient_quota" in complaint.code or status == 402:
            return UserError(f"{endpoint.url}: the account has no credit left (HTTP {status}): {said}")
        if status in (401, 403):
            remedy = f"the key is taken from the environment variable {endpoint.api_key_env}"
            return UserError(f"{endpoint.url} refuses the API key (HTTP {status}); {remedy}: {said}")
        if status in (404, 405):  # 405: a web server, or one that redirects to https
            remedy = "check --base_url, which often ends in /v1, and the model's name"
            return UserError(f"{endpoint.url} does not know {endpoint.model!r} (HTTP {status}); {remedy}: {said}")
        if status == 429 and after_s is not None and after_s > MAX_PAUSE_S:
            again = "start the same command again then, it goes on where it stopped"
            return UserError(f"{endpoint.url} asks for a pause of {after_s / 60:.0f} minutes; {again}: {said}")
        if status in (408, 409, 429) or status >= 500:
            lost = status in _MAY_HAVE_WORKED
            return _TryAgain(f"HTTP {status}: {said}", after_s, unreachable=status >= 500, lost=lost)
        return RequestFailed(f"HTTP {status}: {said}", final=True)

    async def _pause(self, problem: _TryAgain, failures: int) -> None:
        """Wait before a request is repeated. If the server said for how long, all requests wait that long."""
        pause = min(self._backoff_s * 2 ** (failures - 1), MAX_BACKOFF_S) * random.uniform(0.75, 1)
        if problem.after_s is None:
            if not self._said_trouble:
                most = counted(self.endpoint.max_retries, "time")
                log.info("%s; trying again, at most %s a request", problem, most)
                self._said_trouble = True
        else:
            resume_at = time.monotonic() + min(problem.after_s, MAX_PAUSE_S)
            if resume_at > self._resume_at + 1:  # many requests get a 429 at once: log the first
                log.info("waiting %.0f s, as the server asks: %s", problem.after_s, problem)
            self._resume_at = max(self._resume_at, resume_at)
        await asyncio.sleep(pause)  # at least this long, or "Retry-After: 0" would use up all tries at once

    async def _wait(self) -> None:
        while (seconds := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(seconds)


def _was_sent(error: BaseException) -> bool:
    return type(error.__cause__).__name__ not in _NOT_SENT


async def ask_all(
    client: ChatClient,
    jobs: Iterable[Job] | AsyncIterable[Job],
    on_done: Callable[[Any, Completion | RequestFailed], None],
    on_lost: Callable[[Any], bool] = lambda key: True,
) -> None:
    """Ask for all jobs, ``concurrency`` at a time.

    A job is taken from the iterable only when it can be sent, so prompts can be built one by one.

    Args:
        on_done: called with (key, result) of each job when it is over, in the order in which they end.
        on_lost: called with the key; see `ChatClient.complete`.

    Raises:
        UserError: as `ChatClient.complete`; or none of the first requests could reach the server. `on_done` was called
            for the requests that were under way at that time, as their answers may have to be paid for.
    """
    pending, turn, crew = each(jobs), asyncio.Lock(), client.endpoint.concurrency
    answered = unreachable = 0

    async def take() -> Job | None:
        async with turn:  # an asynchronous generator cannot be advanced by two tasks at once
            return await anext(pending, None)

    async def work() -> None:
        nonlocal answered, unreachable
        while not client.is_ending and (job := await take()):
            key, messages, parameters = job
            result: Completion | RequestFailed
            try:
                result = await client.complete(messages, functools.partial(on_lost, key), **parameters)
            except RequestFailed as failure:
                result = failure
            on_done(key, result)
            unreachable += isinstance(result, RequestFailed) and result.unreachable
            answered += not (isinstance(result, RequestFailed) and result.unreachable)
            if not answered and unreachable >= max(crew, MIN_WITNESSES):
                raise UserError(
                    f"{client.endpoint.url}: none of {counted(unreachable, 'request')} was answered: {result}"
                )

    workers = [asyncio.create_task(work()) for _ in range(crew)]
    try:
        await asyncio.gather(*workers)
    except UserError:
        await _let_finish(client, workers)
        raise
    finally:
        await _cancel(workers)


async def _let_finish(client: ChatClient, workers: list[asyncio.Task[None]]) -> None:
    """Wait for the requests that are at the server, and cancel those that are not."""
    client.is_ending = True
    under_way = [worker for worker in workers if worker in client.under_way]
    await _cancel([worker for worker in workers if worker not in under_way])
    if under_way:
        log.info("ending, after an error, with the answers to %s under way", counted(len(under_way), "request"))
        await asyncio.wait(under_way)


async def _cancel(workers: list[asyncio.Task[None]]) -> None:
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
