"""The client against a real server that misbehaves in every known way."""

import asyncio
import email.utils
import itertools
import json
import logging
import socket
import struct
import sys
import threading
import time

import pytest

from longalign.api.client import ChatClient, Completion, Endpoint, RequestFailed, ask_all
from longalign.api.loop import taken_aside
from longalign.errors import UserError
from longalign.testing import FakeOpenAIServer, Reply, empty_choices, error, garbage
from tests.conftest import KEY

HELLO = [{"role": "user", "content": "Hello\nthere"}]


def ask(server, *, backoff_s=0.005, timeout_s=5.0, max_retries=6, base_url=None, **parameters):
    endpoint = Endpoint("judge", base_url or server.base_url, timeout_s=timeout_s, max_retries=max_retries)

    async def run():
        async with ChatClient(endpoint, backoff_s) as client:
            return await client.complete(HELLO, **parameters)

    return asyncio.run(run())


def ask_many(server, count, on_done=None, *, concurrency=4, max_retries=6, backoff_s=0.005, **parameters):
    results = {}
    endpoint = Endpoint("judge", server.base_url, concurrency=concurrency, max_retries=max_retries, timeout_s=5)
    jobs = ((i, [{"role": "user", "content": str(i)}], parameters) for i in range(count))

    async def run():
        async with ChatClient(endpoint, backoff_s) as client:
            await ask_all(client, jobs, on_done or results.__setitem__)

    asyncio.run(run())
    return results


def test_a_completion_has_what_the_server_said():
    with FakeOpenAIServer("two\nlines\r\n") as server:
        answer = ask(server, temperature=0, max_tokens=7, top_k=3)
    assert isinstance(answer, Completion)
    assert (answer.text, answer.finish_reason, answer.served_model) == ("two\nlines\r\n", "stop", "judge-2026-01-01")
    assert (answer.prompt_tokens, answer.completion_tokens) == (2, 2) and answer.seconds > 0
    body = server.requests[0].body
    assert body == {"model": "judge", "messages": HELLO, "temperature": 0, "max_tokens": 7, "top_k": 3}
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_retry_after_is_kept_by_all_requests():
    with FakeOpenAIServer("x", script=[error(429, "slow down", retry_after=0.6)]) as server:
        results = ask_many(server, 9, concurrency=1)
    times = [request.at for request in server.requests]
    assert len(results) == 9 and len(times) == 10 and times[1] - times[0] >= 0.6
    with FakeOpenAIServer(lambda body: Reply("x", delay_s=0.1), script=[error(429, "slow", retry_after=0.6)]) as server:
        ask_many(server, 12, concurrency=3)
    times = sorted(request.at for request in server.requests)
    pause_began = times[0]
    assert len([at for at in times if at < pause_began + 0.5]) <= 3  # those that were under way; then nobody asks


def test_a_server_that_says_to_ask_again_at_once_is_given_time_all_the_same():
    with FakeOpenAIServer("x", script=[error(429, "slow", retry_after=0)] * 3) as server:
        ask(server, backoff_s=0.1)
    assert server.requests[3].at - server.requests[0].at >= 0.75 * (0.1 + 0.2 + 0.4)


def test_half_a_surrogate_pair_is_a_replacement_character_in_what_is_sent_and_what_comes():
    body = b'{"choices": [{"message": {"content": "a \\ud83d b \\ud83d\\ude00"}, "finish_reason": "stop"}]}'
    with FakeOpenAIServer(lambda _: Reply(body=body)) as server:

        async def run():
            async with ChatClient(Endpoint("m", server.base_url)) as client:
                return await client.complete([{"role": "user", "content": "x\udc00"}])

        assert asyncio.run(run()).text == "a \ufffd b \U0001f600"
    assert server.requests[0].body["messages"] == [{"role": "user", "content": "x\ufffd"}]


def test_a_content_in_parts_is_its_text():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    with FakeOpenAIServer(lambda _: Reply(body=json.dumps(body).encode())) as server:
        assert ask(server).text == "Yes."


@pytest.mark.parametrize("kind", [{"type": "output_text"}, {}])
def test_parts_of_text_may_be_called_otherwise(kind):
    body = {"choices": [{"message": {"content": [kind | {"text": "Yes, "}, kind | {"text": "he did."}]}}]}
    with FakeOpenAIServer(lambda _: Reply(body=json.dumps(body).encode())) as server:
        assert ask(server).text == "Yes, he did."


@pytest.mark.parametrize("header", ["Retry-After", "retry-after-ms"])
def test_retry_after_as_a_date_and_in_milliseconds(header):
    value = email.utils.formatdate(time.time() + 2, usegmt=True) if header == "Retry-After" else "300"
    with FakeOpenAIServer("x", script=[Reply(status=429, body=b"{}", headers={header: value})]) as server:
        ask(server)
    assert server.requests[1].at - server.requests[0].at >= 0.3


def test_a_pause_of_an_hour_ends_the_run():
    with FakeOpenAIServer("x", script=[error(429, "daily limit", retry_after=3600)]) as server:
        with pytest.raises(UserError, match="60 minutes; start the same command again"):
            ask(server)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "problem",
    [
        error(500, "oops"),
        error(503, "overloaded"),
        error(408, "timeout"),
        error(429, "slow down"),
        Reply(drop=True),
        garbage(),
        empty_choices(),
        Reply(body=b""),
        Reply(body=b"[1, 2]"),
        Reply(body=b'{"choices": ["x"]}'),
        Reply(body=b'{"choices": [{"message": {"content": 7}}]}'),
        Reply(body=b'{"choices": [{"message": null}]}'),
        Reply(body=b"[" * 100_000),
        *(Reply("half of", finish_reason=reason) for reason in ("error", "abort", "insufficient_system_resource")),
        Reply("late", delay_s=3),
    ],
)
def test_what_may_pass_is_tried_again(problem):
    with FakeOpenAIServer("fine", script=[problem, problem]) as server:
        assert ask(server, timeout_s=0.2).text == "fine"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "problem, said",
    [
        (error(500, "oops\nagain"), r"HTTP 500: oops again \(3 tries\)"),
        (Reply(drop=True), r"connection failed: .*\(3 tries\)"),
        (garbage(), "no JSON: '<html>upstream error</html>'"),
        (empty_choices(), "no choices"),
        (Reply("late", delay_s=3), r"no answer within 0.2 s \(3 tries\)"),
    ],
)
def test_what_does_not_pass_fails_this_request_in_one_line(problem, said):
    with (
        FakeOpenAIServer(lambda body: problem) as server,
        pytest.raises(RequestFailed, match=said) as failure,
    ):
        ask(server, max_retries=2, timeout_s=0.2)
    assert len(server.requests) == 3 and "\n" not in str(failure.value)


def test_pauses_double():
    with FakeOpenAIServer("x", script=[error(500, "oops")] * 3) as server:
        ask(server, backoff_s=0.1)
    times = [request.at for request in server.requests]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[0] >= 0.07 and pauses[1] >= 0.15 and pauses[2] >= 0.3 and pauses[2] < 1


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(None, refusal="I cannot\nhelp"),
        Reply("", finish_reason="content_filter"),
        Reply("", finish_reason="sensitive"),
    ],
)
def test_a_refusal_fails_without_another_try(refusal):
    with FakeOpenAIServer(lambda body: refusal) as server, pytest.raises(RequestFailed, match="refused"):
        ask(server)
    assert len(server.requests) == 1


def test_an_answer_cut_by_its_length_is_an_answer():
    with FakeOpenAIServer(lambda body: Reply("half of", finish_reason="length")) as server:
        assert (ask(server).text, ask(server).finish_reason) == ("half of", "length")
    with FakeOpenAIServer(lambda body: Reply("half of", finish_reason="model_context_window_exceeded")) as server:
        assert ask(server).finish_reason == "length"
    with FakeOpenAIServer(lambda body: Reply(None, finish_reason="length")) as server:  # all spent on thinking
        assert (ask(server).text, ask(server).finish_reason) == ("", "length")


def test_a_refused_parameter_is_left_out_for_the_whole_run_with_one_warning(caplog):
    with FakeOpenAIServer("x", refuses=["temperature", "max_tokens"]) as server:
        results = ask_many(server, 12, concurrency=4, temperature=0, max_tokens=9, seed=1)
    assert all(isinstance(result, Completion) for result in results.values()) and len(results) == 12
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert any("refuses temperature, which is left out" in text for text in warnings)
    assert any("max_tokens, which is called max_completion_tokens" in text for text in warnings)
    last = server.requests[-1].body
    assert "temperature" not in last and last["max_completion_tokens"] == 9 and last["seed"] == 1
    assert len(server.requests) <= 12 + 2 * 4  # only those that were under way asked twice


@pytest.mark.parametrize(
    "status, message, param",
    [
        (400, "This model's maximum context length is 8192 tokens, max_tokens is too large", "max_tokens"),
        (400, "max_tokens is unsupported: maximum context length exceeded", "max_tokens"),
        (400, "Unsupported content in messages", "messages"),
        (413, "Request too large", None),
    ],
)
def test_a_request_that_cannot_be_served_fails_alone(status, message, param):
    with (
        FakeOpenAIServer("x", script=[error(status, message, param=param)]) as server,
        pytest.raises(RequestFailed, match=f"HTTP {status}"),
    ):
        ask(server, max_tokens=5)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}',
        b'{"object": "error", "message": "unknown field `seed`"}',
        b"unexpected keyword: seed",
    ],
)
def test_other_servers_say_it_in_other_ways(body):
    with FakeOpenAIServer("x", script=[Reply(status=422, body=body)]) as server:
        assert ask(server, seed=1, temperature=0).text == "x"
    assert "seed" not in server.requests[1].body and server.requests[1].body["temperature"] == 0


@pytest.mark.parametrize(
    "problem, said",
    [
        (error(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (error(403, "country not supported"), "HTTP 403"),
        (error(404, "The model does not exist"), "does not know 'judge'"),
        (Reply(status=405, body=b"<html>Not allowed</html>"), r"does not know 'judge' \(HTTP 405\); check --base_url"),
        (error(402, "pay"), "no credit"),
        (error(429, "You exceeded your current quota", code="insufficient_quota", retry_after=1), "no credit"),
    ],
)
def test_what_no_request_can_pass_ends_the_run_at_once(problem, said, caplog):
    caplog.set_level(logging.DEBUG)
    done = []
    with FakeOpenAIServer(lambda body: problem) as server, pytest.raises(UserError, match=said) as stop:
        ask_many(server, 50, lambda key, result: done.append(key), concurrency=2)
    assert len(server.requests) <= 2 and not done
    assert KEY not in str(stop.value) and KEY not in caplog.text


def test_a_server_that_answers_nobody_is_given_up(caplog):
    with (
        FakeOpenAIServer(lambda body: error(500, "oops")) as server,
        pytest.raises(UserError, match="none of 4 requests was answered: HTTP 500"),
    ):
        ask_many(server, 1000, concurrency=2, max_retries=0)
    with (
        FakeOpenAIServer(lambda body: garbage()) as server,
        pytest.raises(UserError, match="none of 4 requests was answered: the reply is no JSON: '<html>"),
    ):
        ask_many(server, 1000, concurrency=2, max_retries=0)
    with pytest.raises(UserError, match="none of 4 requests was answered: connection failed"):  # it is gone now
        ask_many(server, 1000, concurrency=2, max_retries=0)


def test_a_connection_that_is_reset_in_the_middle_of_an_answer_says_what_failed():
    def reset(listener):
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST in place of FIN
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=reset, args=(listener,), daemon=True).start()
        with pytest.raises(RequestFailed, match=r"connection failed: \w+"):
            ask(None, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", max_retries=0)


def test_one_failed_request_leaves_the_others():
    def answer(body):
        return error(500, "oops") if body["messages"][0]["content"] == "3" else "fine"

    with FakeOpenAIServer(answer) as server:
        results = ask_many(server, 10, max_retries=1)
    assert [isinstance(results[i], RequestFailed) for i in range(10)] == [i == 3 for i in range(10)]


def test_no_more_requests_are_open_than_allowed_and_as_many_as_allowed():
    with FakeOpenAIServer(lambda body: Reply("x", delay_s=0.05)) as server:
        ask_many(server, 20, concurrency=3)
    assert server.max_in_flight == 3 and len(server.requests) == 20


def test_jobs_are_taken_when_there_is_room():
    taken, done = [], []

    def jobs():
        for i in range(30):
            taken.append(i)
            assert len(taken) - len(done) <= 3
            yield i, HELLO, {}

    async def run(server):
        async with ChatClient(Endpoint("m", server.base_url, concurrency=3)) as client:
            await ask_all(client, jobs(), lambda key, result: done.append(key))

    with FakeOpenAIServer() as server:
        asyncio.run(run(server))
    assert len(done) == 30


def test_jobs_that_take_long_to_come_hold_up_no_request():
    done: list[float] = []

    def jobs():
        yield 0, HELLO, {}
        time.sleep(1)
        yield 1, HELLO, {}

    async def run(server):
        async with ChatClient(Endpoint("m", server.base_url, concurrency=2)) as client:
            await client.complete(HELLO)  # what is slow at first
            began = time.monotonic()
            await ask_all(client, taken_aside(jobs()), lambda key, result: done.append(time.monotonic() - began))

    with FakeOpenAIServer() as server:
        asyncio.run(run(server))
    assert done[0] < 0.9 < 1 <= done[1]


def test_a_server_of_ones_own_needs_no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with FakeOpenAIServer("x") as server:
        assert ask(server, base_url=server.base_url + "/").text == "x"
    assert server.requests[0].headers["authorization"] == "Bearer EMPTY"
    with pytest.raises(UserError, match="set the environment variable OPENAI_API_KEY"):
        Endpoint("m").check()


@pytest.mark.parametrize(
    "endpoint, said",
    [
        (Endpoint(""), "api_model"),
        (Endpoint("m", "localhost:8000"), "base_url"),
        (Endpoint("m", "http://[::1"), "base_url"),
        (Endpoint("m", " http://host/v1"), "base_url"),
        (Endpoint("m", "http://host/v1\x7f"), "base_url"),
        (Endpoint("m", "https://me:secret@host/v1"), "base_url: holds a user"),
        (Endpoint("m", "https://host/v1?key=secret"), "base_url: holds a user"),
        (Endpoint("m", api_key_env="sk-secret-12345"), "NAME of an environment variable"),
        (Endpoint("m", concurrency=0), "concurrency: got 0"),
        (Endpoint("m", max_retries=-1), "max_retries: got -1"),
        (Endpoint("m", timeout_s=0), "timeout_s"),
    ],
)
def test_an_endpoint_is_checked_before_the_first_call_and_shows_no_secret(endpoint, said):
    with pytest.raises(UserError, match=said) as mistake:
        ChatClient(endpoint)
    assert "secret" not in str(mistake.value)


def test_a_wrong_address_in_the_environment_is_named_as_such(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(UserError, match="OPENAI_BASE_URL: got 'localhost:8000', expected an address"):
        Endpoint("m").check()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "socks4://127.0.0.1:1080"])
def test_a_proxy_that_cannot_be_used_is_a_mistake_in_one_line(proxy, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with FakeOpenAIServer("x") as server, pytest.raises(UserError, match=r"the proxy that ALL_PROXY, .*; pip install"):
        ask(server)
    assert not capfd.readouterr().err


def test_the_key_is_hidden_in_every_complaint_and_not_in_the_endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "abcdefgh")
    endpoint = Endpoint("m")
    assert "abcdefgh" not in repr(endpoint)
    said = endpoint.hide_key("Incorrect key abcdefgh, or sk-abc1********wxyz\n(bad)")
    assert said == "Incorrect key ***, or *** (bad)"


def test_the_answers_on_done_gets_an_error_out_of_it_stops_everything():
    def full(key, result):
        raise OSError(28, "No space left on device")

    with FakeOpenAIServer("x") as server, pytest.raises(OSError, match="No space"):
        ask_many(server, 100, full)
    assert len(server.requests) <= 8
