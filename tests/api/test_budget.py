"""A limit on cost is never passed, whatever the server counts, by a real server's bills."""

import asyncio
import json
import random

import pytest

from longalign.api.budget import Budget, Call, Prices, ask_within, most_tokens
from longalign.api.client import ChatClient, Endpoint, RequestFailed
from longalign.errors import UserError
from longalign.testing import FakeOpenAIServer, Reply, error


def ask(server, budget, texts, **endpoint):
    options = {"max_retries": 3, "timeout_s": 5, **endpoint}
    results = {}

    async def run():
        async with ChatClient(Endpoint("m", server.base_url, **options), backoff_s=0.001) as client:
            calls = [
                Call(n, [{"role": "user", "content": text}], {"max_tokens": 50}, 50) for n, text in enumerate(texts)
            ]
            await ask_within(budget, client, calls, results.__setitem__)

    try:
        asyncio.run(run())
    except UserError as stop:
        return results, str(stop)
    return results, ""


class Meter:
    """Answers, and counts a token for every byte and 50 of output: as much as there can be."""

    def __init__(self) -> None:
        self.billed = 0

    def __call__(self, body) -> Reply:
        usage = {"prompt_tokens": len(body["messages"][0]["content"].encode()), "completion_tokens": 50}
        self.billed += sum(usage.values())
        choice = {"message": {"content": "x"}, "finish_reason": "stop"}
        return Reply(body=json.dumps({"choices": [choice], "usage": usage}).encode(), delay_s=0.01)


@pytest.mark.parametrize("alphabet", ["0123456789", "灯塔", "a ", "😀"])
def test_the_limit_holds_where_every_byte_is_a_token_and_is_used_up_to_the_last_call(alphabet):
    draw = random.Random(alphabet)
    texts = ["".join(draw.choices(alphabet, k=draw.randint(100, 3000))) for _ in range(60)]
    meter, budget = Meter(), Budget(Prices(1e6, 1e6), 40_000)
    with FakeOpenAIServer(meter) as server:
        _, said = ask(server, budget, texts)
    assert "stopped before a call" in said and budget.spent == meter.billed <= 40_000
    next_call = most_tokens([{"content": texts[len(server.requests)]}]) + 50
    assert meter.billed + next_call > 40_000, "calls that were open when there was no room have given theirs back"


@pytest.mark.parametrize(
    "trouble", [Reply(drop=True), Reply("late", delay_s=2), error(504, "upstream"), Reply(body=b"<html>")]
)
def test_attempts_without_an_answer_count_in_full(trouble):
    each = most_tokens([{"content": "hello"}]) + 50
    budget = Budget(Prices(1e6, 1e6), 2.5 * each)
    with FakeOpenAIServer(lambda body: trouble) as server:
        results, said = ask(server, budget, ["hello"] * 4, timeout_s=0.4, concurrency=2)
    assert len(server.requests) == 2 and budget.lost == 2 and budget.spent == 2 * each
    assert "2 attempts without an answer counted in full" in said
    assert all(isinstance(result, RequestFailed) for result in results.values())


@pytest.mark.parametrize("usage", [{}, {"completion_tokens": 0}, {"completion_tokens": None}])
def test_an_answer_whose_tokens_were_not_counted_counts_in_full(usage):
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 7} | usage}).encode()
    budget = Budget(Prices(1e6, 1e6), None)
    with FakeOpenAIServer(lambda _: Reply(body=body)) as server:
        ask(server, budget, ["hello"])
    assert budget.spent == 7 + 50


def test_what_was_refused_or_never_sent_costs_nothing():
    budget = Budget(Prices(1, 1), 1)
    with FakeOpenAIServer(lambda body: error(500, "oops")) as server:
        ask(server, budget, ["hello"])
        assert len(server.requests) == 4
    assert isinstance(ask(server, budget, ["hello"])[0][0], RequestFailed)  # nobody is there any more
    assert budget.spent == budget.lost == 0


def test_a_server_that_takes_no_limit_on_a_reply_is_not_asked_where_the_cost_has_one():
    names = ["max_tokens", "max_completion_tokens"]
    with FakeOpenAIServer("x", refuses=names) as server:
        answers, said = ask(server, Budget(Prices(1, 1), 10), ["hello"] * 9)
    assert not answers and "max_cost: m refuses max_" in said and "Unsupported parameter" in said
    with FakeOpenAIServer("x", refuses=names) as server:
        answers, said = ask(server, Budget(Prices(1, 1), None), ["hello"] * 9)
    assert len(answers) == 9 and not said
