"""Who answers the prompts: a local model, a server, or a fake that shows how a test looks. All under one protocol."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from typing import Any, Literal, Protocol

from longalign.api.client import ChatClient, Completion, Endpoint, RequestFailed, ask_all
from longalign.errors import UserError
from longalign.evaluation.needle.build import Draft, Prompt, cuts
from longalign.evaluation.needle.encoders import Encoder

Fake = Literal["perfect", "blind", "recency"]

RECENCY_TOKENS = 8000
"""How far back the fake `recency` remembers."""


@dataclass(frozen=True)
class Answer:
    """What came of a prompt. `ended`: by itself, not by the limit. `seconds`: of its batch, or of its request."""

    text: str
    ended: bool
    tokens: int
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)


Finish = Callable[[Draft], Prompt]
OnDone = Callable[[Prompt, Answer | str], None]
"""Gets an answer, or in one line why there is none."""


class Answerer(Protocol):
    """Answers drafts, in any order. `model_s` is how long a model was at work."""

    model_s: float

    def run(self, drafts: Sequence[Draft], finish: Finish, on_done: OnDone) -> None: ...


class FakeAnswerer:
    """`perfect` finds everything, `blind` nothing, `recency` what is in the last 8,000 tokens."""

    def __init__(self, kind: Fake, encoder: Encoder) -> None:
        self._kind, self._encoder, self.model_s = kind, encoder, 0.0

    def run(self, drafts: Sequence[Draft], finish: Finish, on_done: OnDone) -> None:
        for draft in drafts:
            prompt = finish(draft)
            text = self._text(prompt)
            on_done(prompt, Answer(text, True, len(self._encoder.tokens(text)[0]), 0.0))

    def _text(self, prompt: Prompt) -> str:
        item = prompt.item
        seen = [answer for answer in item.answers if self._kind == "perfect" or self._remembers(prompt, answer)]
        return "The text says: " + ", ".join(seen) if seen and self._kind != "blind" else "The text does not say."

    def _remembers(self, prompt: Prompt, answer: str) -> bool:
        behind = 0.0
        draft = prompt.draft
        characters = sum(end - start for start, end, _ in cuts(draft)) or len(draft.texts[0])
        for start, end, text in reversed(cuts(draft)):
            if answer in text:
                return behind / characters * draft.tokens <= RECENCY_TOKENS
            behind += end - start
        return False


class LocalAnswerer:
    """A `LocalModel` and its tokenizer. Prompts of a batch are encoded while the model answers the one before."""

    def __init__(self, model: Any, tokenizer: Any, max_new_tokens: int) -> None:
        self._model, self._tokenizer, self._max_new_tokens = model, tokenizer, max_new_tokens
        self.model_s = 0.0

    def run(self, drafts: Sequence[Draft], finish: Finish, on_done: OnDone) -> None:
        sizes = self._model.batches((draft.tokens for draft in drafts), self._max_new_tokens)
        with ThreadPoolExecutor(1) as pool:
            batches = _ahead(pool, drafts, sizes, finish)
            for batch in batches:
                self._answer(batch, on_done)

    def _answer(self, prompts: list[Prompt], on_done: OnDone) -> None:
        started = time.monotonic()
        left = dict(enumerate(prompts))

        def done(n: int, ids: list[int], ended: bool) -> None:
            text = self._tokenizer.decode(ids, skip_special_tokens=True)
            on_done(left.pop(n), Answer(text, ended, len(ids), time.monotonic() - started))

        try:
            self._model.answer([prompt.input_ids for prompt in prompts], self._max_new_tokens, done)
        except UserError as error:  # this batch's; a shorter one may fit
            for prompt in left.values():
                on_done(prompt, str(error))
        self.model_s += time.monotonic() - started


def _ahead(
    pool: ThreadPoolExecutor, drafts: Sequence[Draft], sizes: Iterator[int], finish: Finish
) -> Iterator[list[Prompt]]:
    """Batches of finished prompts; the next one is made while the caller has this one."""
    edges = list(accumulate(sizes, initial=0))
    groups = (drafts[a:b] for a, b in pairwise(edges))
    jobs = (pool.submit(lambda some: [finish(draft) for draft in some], some) for some in groups)
    waiting = list(islice(jobs, 1))
    while waiting:
        batch = waiting.pop().result()
        waiting = list(islice(jobs, 1))
        yield batch


class ServerAnswerer:
    """A model behind an OpenAI-compatible endpoint; it makes its own prompt of the messages."""

    def __init__(self, endpoint: Endpoint, max_new_tokens: int) -> None:
        self._endpoint, self._max_new_tokens = endpoint, max_new_tokens
        self.model_s = 0.0

    def run(self, drafts: Sequence[Draft], finish: Finish, on_done: OnDone) -> None:
        parameters = {"max_tokens": self._max_new_tokens, "temperature": 0}
        prompts = (finish(draft) for draft in drafts)
        jobs = ((prompt, prompt.messages, parameters) for prompt in prompts)

        def done(prompt: Prompt, result: Completion | RequestFailed) -> None:
            if isinstance(result, RequestFailed):
                on_done(prompt, str(result))
                return
            served = {"served_model": result.served_model, "served_prompt_tokens": result.prompt_tokens}
            ended = result.finish_reason == "stop"
            on_done(prompt, Answer(result.text, ended, result.completion_tokens, result.seconds, served))

        async def ask() -> None:
            async with ChatClient(self._endpoint) as client:
                await ask_all(client, jobs, done)

        started = time.monotonic()
        asyncio.run(ask())
        self.model_s += time.monotonic() - started
