"""What calls cost, estimated before them and counted during them, and a limit on it.

Prices are given by the user, since those of providers change.
"""

import asyncio
import math
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longalign.api.client import ChatClient, Completion, Job, Messages, RequestFailed, ask_all
from longalign.api.loop import each
from longalign.counted import counted
from longalign.errors import UserError

_CHARACTERS_A_TOKEN = 3.5  # of ASCII text; most tokenizers reach more, so token counts are overestimated
_MESSAGE_TOKENS = 5  # that a chat template adds to a message
_TEMPLATE_TOKENS = 200  # that a server's chat template adds to a whole prompt at most
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True)
class Prices:
    """Prices per million tokens read and written, in any currency; None where the user gave none."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def check(self, max_cost: float | None) -> None:
        """Check the prices and a limit on the cost.

        Raises:
            UserError: only one of the two prices is given, a number is negative, or there is a limit without prices.
        """
        for name, value in (("price_in", self.tokens_in), ("price_out", self.tokens_out), ("max_cost", max_cost)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UserError(f"{name}: got {value}, expected 0 or more")
        if (self.tokens_in is None) != (self.tokens_out is None):
            raise UserError("price_in and price_out go together: money per million tokens read and written")
        if max_cost is not None and self.tokens_in is None:
            raise UserError("max_cost needs --price_in and --price_out, per million tokens")

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """The cost of so many tokens; 0 without prices."""
        return (tokens_in * (self.tokens_in or 0) + tokens_out * (self.tokens_out or 0)) / 1e6


def estimate_tokens(messages: Iterable[dict[str, str]]) -> int:
    """Estimate the tokens of a prompt from its characters; the server's tokenizer is not at hand. Mostly too high."""
    total = 0.0
    for message in messages:
        others = len(_NOT_ASCII.findall(message["content"]))
        total += _MESSAGE_TOKENS + others + (len(message["content"]) - others) / _CHARACTERS_A_TOKEN
    return math.ceil(total)


def most_tokens(messages: Iterable[dict[str, str]]) -> int:
    """An upper bound of the tokens of a prompt: with any tokenizer a token stands for at least one byte."""
    return _TEMPLATE_TOKENS + sum(len(message["content"].encode(errors="replace")) for message in messages)


class Budget:
    """Keeps the cost of calls within a limit.

    A call may begin only if its highest possible cost fits into the limit beside what is spent and beside the highest
    possible cost of all calls that are open. When it ends, the tokens that the server counted are charged, or the
    highest possible cost if it counted none. An attempt without an answer (a timeout, a dropped connection) is charged
    in full too, because some servers charge for it. A request that is refused with an error status costs nothing.

    Attributes:
        spent: money so far. calls: those that were answered. tokens_in, tokens_out: of these calls.
        lost: attempts without an answer.
    """

    def __init__(self, prices: Prices, max_cost: float | None) -> None:
        prices.check(max_cost)
        self.prices, self.max_cost = prices, max_cost
        self.spent = self._open = 0.0
        self.calls = self.tokens_in = self.tokens_out = self.lost = 0

    def announce(self, model: str, url: str, calls: int, tokens_in: int, tokens_out: int, note: str = "") -> str:
        """A line for the log before the first call: the number of calls, their tokens, and what they may cost.

        Args:
            tokens_in, tokens_out: of all calls together, as estimated.
            note: appended to the line.

        Raises:
            UserError: the calls may cost more than the limit.
        """
        cost = self.prices.cost(tokens_in, tokens_out)
        if self.max_cost is not None and cost > self.max_cost:
            raise UserError(
                f"max_cost: {counted(calls, 'call')} with about {tokens_in:,} tokens in and up to {tokens_out:,} out "
                f"may cost {cost:.4f}, more than {self.max_cost:g}; raise it, or ask for less"
            )
        money = "no prices given (--price_in, --price_out)"
        if self.prices.tokens_in is not None:
            money = f"at most about {cost:.4f} at your prices"
        read, written = f"about {tokens_in:,} tokens in", f"up to {tokens_out:,} out"
        return f"{model} at {url}: {counted(calls, 'call')}, {read}, {written}; {money}{note}"

    def stopped(self) -> UserError:
        """The error to raise when `begin` has returned False and no open call can make room."""
        return UserError(
            f"max_cost: stopped before a call that might bring the cost above {self.max_cost:g} ({self}); all replies "
            "are kept: the same command goes on where this one stopped"
        )

    def begin(self, tokens_in: int, tokens_out: int) -> bool:
        """Ask for a call of at most so many tokens. True: it may be made, and is open until `end`; False: no room."""
        worst = self.prices.cost(tokens_in, tokens_out)
        if not self._has_room(worst):
            return False
        self._open += worst
        return True

    def lose(self, tokens_in: int, tokens_out: int) -> bool:
        """Charge an attempt of an open call that got no answer; returns whether the call may be tried again."""
        self.lost += 1
        self.spent += self.prices.cost(tokens_in, tokens_out)
        return self._has_room(0)

    def _has_room(self, cost: float) -> bool:
        return self.max_cost is None or self.spent + self._open + cost <= self.max_cost * (1 + 1e-9)

    def end(self, most: tuple[int, int], usage: tuple[int, int] | None) -> None:
        """Close an open call.

        Args:
            most: the tokens in and out that it began with.
            usage: those that the server counted, 0 for each that it did not; None if the call failed.
        """
        self._open -= self.prices.cost(*most)
        if usage is None:
            return
        used = (usage[0] or most[0], usage[1] or (0 if usage[0] else most[1]))
        self.calls += 1
        self.tokens_in += used[0]
        self.tokens_out += used[1]
        self.spent += self.prices.cost(*used)

    def __str__(self) -> str:
        money = "" if self.prices.tokens_in is None else f", cost {self.spent:.4f}"
        lost = f", {counted(self.lost, 'attempt')} without an answer counted in full" if self.lost and money else ""
        return f"{counted(self.calls, 'call')}, {self.tokens_in:,} tokens in, {self.tokens_out:,} out{money}{lost}"


@dataclass(frozen=True)
class Call:
    """A request to make. ``key`` is handed back with its result; the reply has at most ``tokens_out`` tokens."""

    key: Any
    messages: Messages
    parameters: Mapping[str, Any]
    tokens_out: int

    @property
    def most(self) -> tuple[int, int]:
        """Upper bounds of the tokens in and out."""
        return most_tokens(self.messages), self.tokens_out


async def ask_within(
    budget: Budget,
    client: ChatClient,
    calls: Iterable[Call] | AsyncIterable[Call],
    on_done: Callable[[Any, Completion | RequestFailed], None],
) -> None:
    """Do `ask_all` within a budget. A call without room in the budget waits until open calls have ended.

    Raises:
        UserError: no call is open and the next one has no room; or as `ask_all`.
    """
    client.limits_cost = budget.max_cost is not None
    stopped, open_calls, ended = False, 0, asyncio.Event()

    async def affordable() -> AsyncIterator[Job]:
        nonlocal stopped, open_calls
        async for call in each(calls):
            while not budget.begin(*call.most):
                if not open_calls:
                    stopped = True
                    return
                ended.clear()
                await ended.wait()
            open_calls += 1
            yield call, call.messages, call.parameters

    def done(call: Call, result: Completion | RequestFailed) -> None:
        nonlocal open_calls
        usage = None
        if not isinstance(result, RequestFailed):
            written = result.completion_tokens or (call.tokens_out if result.text else 0)
            usage = result.prompt_tokens, written
        budget.end(call.most, usage)
        open_calls -= 1
        ended.set()
        on_done(call.key, result)

    await ask_all(client, affordable(), done, lambda call: budget.lose(*call.most))
    if stopped:
        raise budget.stopped()
