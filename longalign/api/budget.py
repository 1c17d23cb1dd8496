"""What calls will cost, before they are made and while they are: at the user's prices, as there are no lasting ones."""

import asyncio
import math
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longalign.api.client import ChatClient, Completion, Job, Messages, RequestFailed, ask_all
from longalign.api.loop import each
from longalign.errors import UserError

_CHARACTERS_A_TOKEN = 3.5  # of ASCII text; more for most tokenizers, so that estimates are rather too high
_MESSAGE_TOKENS = 5
_TEMPLATE_TOKENS = 200  # at most, of a server's chat template around the messages
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True)
class Prices:
    """Dollars (or any money) per million tokens; None where the user gave none."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def check(self, max_cost: float | None) -> None:
        """Raises UserError for half a price, a negative one, or a limit without prices."""
        for name, value in (("price_in", self.tokens_in), ("price_out", self.tokens_out), ("max_cost", max_cost)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UserError(f"{name}: got {value}, expected 0 or more")
        if (self.tokens_in is None) != (self.tokens_out is None):
            raise UserError("price_in and price_out go together: money per million tokens read and written")
        if max_cost is not None and self.tokens_in is None:
            raise UserError("max_cost needs --price_in and --price_out, per million tokens")

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """0 without prices."""
        return (tokens_in * (self.tokens_in or 0) + tokens_out * (self.tokens_out or 0)) / 1e6


def estimate_tokens(messages: Iterable[dict[str, str]]) -> int:
    """About how many tokens a server will count, rather too many: its tokenizer is not here."""
    total = 0.0
    for message in messages:
        others = len(_NOT_ASCII.findall(message["content"]))
        total += _MESSAGE_TOKENS + others + (len(message["content"]) - others) / _CHARACTERS_A_TOKEN
    return math.ceil(total)


def most_tokens(messages: Iterable[dict[str, str]]) -> int:
    """What no server counts more than: a token of any tokenizer stands for a byte at least."""
    return _TEMPLATE_TOKENS + sum(len(message["content"].encode(errors="replace")) for message in messages)


class Budget:
    """Keeps what calls cost within a limit: a call is begun only if its worst case fits beside what is spent and open.

    ``spent`` is by the tokens that the server counted, or by the worst case where it counted none. A request without an
    answer (a timeout, a dropped connection) counts as its worst case, too: some servers charge for it. What a server
    refuses in an error status costs nothing.
    """

    def __init__(self, prices: Prices, max_cost: float | None) -> None:
        prices.check(max_cost)
        self.prices, self.max_cost = prices, max_cost
        self.spent = self._open = 0.0
        self.calls = self.tokens_in = self.tokens_out = self.lost = 0

    def announce(self, model: str, url: str, calls: int, tokens_in: int, tokens_out: int, note: str = "") -> str:
        """The line to say before the first call.

        Raises:
            UserError: the calls may cost more than the limit.
        """
        cost = self.prices.cost(tokens_in, tokens_out)
        if self.max_cost is not None and cost > self.max_cost:
            raise UserError(
                f"max_cost: {calls} calls with about {tokens_in:,} tokens in and up to {tokens_out:,} out may cost "
                f"{cost:.4f}, more than {self.max_cost:g}; raise it, or ask for less"
            )
        money = "no prices given (--price_in, --price_out)"
        if self.prices.tokens_in is not None:
            money = f"at most about {cost:.4f} at your prices"
        read, written = f"about {tokens_in:,} tokens in", f"up to {tokens_out:,} out"
        return f"{model} at {url}: {calls} calls, {read}, {written}; {money}{note}"

    def stopped(self) -> UserError:
        """What to raise where `begin` said no."""
        return UserError(
            f"max_cost: stopped before a call that might bring the cost above {self.max_cost:g} ({self}); what there "
            "is, is kept: the same command goes on where this one stopped"
        )

    def begin(self, tokens_in: int, tokens_out: int) -> bool:
        """Whether a call of at most so many tokens may be made; if so it is open until `end`."""
        worst = self.prices.cost(tokens_in, tokens_out)
        if not self._has_room(worst):
            return False
        self._open += worst
        return True

    def lose(self, tokens_in: int, tokens_out: int) -> bool:
        """An attempt of an open call got no answer; whether there may be another one."""
        self.lost += 1
        self.spent += self.prices.cost(tokens_in, tokens_out)
        return self._has_room(0)

    def _has_room(self, cost: float) -> bool:
        return self.max_cost is None or self.spent + self._open + cost <= self.max_cost * (1 + 1e-9)

    def end(self, most: tuple[int, int], counted: tuple[int, int] | None) -> None:
        """A call is over: ``most`` is what it began with, ``counted`` what the server says, None if it failed."""
        self._open -= self.prices.cost(*most)
        if counted is None:
            return
        used = (counted[0] or most[0], counted[1] or (0 if counted[0] else most[1]))
        self.calls += 1
        self.tokens_in += used[0]
        self.tokens_out += used[1]
        self.spent += self.prices.cost(*used)

    def __str__(self) -> str:
        money = "" if self.prices.tokens_in is None else f", cost {self.spent:.4f}"
        lost = f", with {self.lost} attempts without an answer, counted in full" if self.lost and money else ""
        return f"{self.calls} calls, {self.tokens_in:,} tokens in, {self.tokens_out:,} out{money}{lost}"


@dataclass(frozen=True)
class Call:
    """One request to make: ``key`` is handed back with its result; ``tokens_out`` are those of the reply at most."""

    key: Any
    messages: Messages
    parameters: Mapping[str, Any]
    tokens_out: int

    @property
    def most(self) -> tuple[int, int]:
        """Tokens in and out, at most."""
        return most_tokens(self.messages), self.tokens_out


async def ask_within(
    budget: Budget,
    client: ChatClient,
    calls: Iterable[Call] | AsyncIterable[Call],
    on_done: Callable[[Any, Completion | RequestFailed], None],
) -> None:
    """`ask_all` for as long as the budget lasts; a call that it has no room for waits for those that are open.

    Raises:
        UserError: the next call might cost more than is left; or what `ask_all` raises.
    """
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
        counted = None if isinstance(result, RequestFailed) else (result.prompt_tokens, result.completion_tokens)
        budget.end(call.most, counted)
        open_calls -= 1
        ended.set()
        on_done(call.key, result)

    await ask_all(client, affordable(), done, lambda call: budget.lose(*call.most))
    if stopped:
        raise budget.stopped()
