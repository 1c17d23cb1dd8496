"""What becomes of requests that are under way when an error ends everything."""

import asyncio
import threading
import time

import pytest

from longalign.api.budget import Budget, Call, Prices, ask_within, most_tokens
from longalign.api.client import ChatClient, Endpoint
from longalign.errors import UserError
from longalign.testing import FakeOpenAIServer, error


def ask(server, budget, count, *, concurrency=4):
    """The results of so many requests, whose messages are their numbers, until the key is refused."""
    results = {}
    endpoint = Endpoint("judge", server.base_url, concurrency=concurrency, timeout_s=5)
    calls = [Call(i, [{"role": "user", "content": str(i)}], {"max_tokens": 1}, 1) for i in range(count)]

    async def run():
        async with ChatClient(endpoint, backoff_s=20) as client:
            await ask_within(budget, client, calls, results.__setitem__)

    with pytest.raises(UserError, match="refuses the API key"):
        asyncio.run(run())
    return results


def refuse_the_first():
    """0 is refused, 1 is answered afterwards, 2 fails for now at the same time, and 3 waits to be asked again by then.

    Later numbers are answered at once.
    """
    refused = threading.Event()

    def answer(body):
        number = int(body["messages"][0]["content"])
        if number == 0:
            time.sleep(0.3)
            refused.set()
            return error(401, "no")
        if number in (1, 2):
            refused.wait()
            time.sleep(0.3)
        return error(503, "busy") if number in (2, 3) else "paid for"

    return answer


def test_answers_under_way_are_kept_and_nothing_more_is_asked(caplog):
    with FakeOpenAIServer(refuse_the_first()) as server, caplog.at_level("INFO"):
        results = ask(server, Budget(Prices(), None), 20)
        assert len(server.requests) == 4
    assert results[1].text == "paid for" and "busy" in str(results[2]) and set(results) == {1, 2}
    assert "with the answers to 2 requests under way" in caplog.text


def test_calls_that_wait_for_room_in_a_budget_wait_no_longer():
    room = 2 * (most_tokens([{"role": "user", "content": "0"}]) + 1) / 1e6
    with FakeOpenAIServer(refuse_the_first()) as server:
        budget = Budget(Prices(1, 1), room)
        results = ask(server, budget, 20)
        assert len(server.requests) == 2
    assert results[1].text == "paid for" and set(results) == {1} and budget.calls == 1
