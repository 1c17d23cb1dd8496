"""What answers the prompts: a local model, a server, or a fake that shows what a test's results look like.

All three are `Answerer`s: drafts of prompts go in, and a callback gets each finished prompt with its answer.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from typing import Any, Literal, Protocol

from longalign.api.client import ChatClient, Completion, Endpoint, RequestFailed, ask_all
from longalign.api.loop import run_loop
from longalign.errors import UserError
from longalign.evaluation.needle.build import Draft, Prompt, cuts
from longalign.evaluation.needle.encoders import Encoder, Message

Fake = Literal["perfect", "blind", "recency"]

RECENCY_TOKENS = 8000
"""Length of the prompt's end in which the fake `recency` finds needles, in tokens."""


@dataclass(frozen=True)
class Answer:
    """A model's answer to one prompt.

    ended: whether the model ended it, rather than `max_new_tokens`. tokens: its length. seconds: from the start of its
    batch, or the duration of its request. details: further columns of its row.
    """

    text: str
    ended: bool
    tokens: int
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)


Finish = Callable[[Draft], Prompt]
OnDone = Callable[[Prompt, Answer | str], None]
"""Called with a prompt and its answer, or with the reason for which there is none, in one line."""


class Answerer(Protocol):
    """Answers the prompts of drafts, in any order.

    `run` makes each prompt by `finish` and calls `on_done` once for it. `model_s` are the seconds in which the model
    worked or the server was waited for.
    """

    model_s: float

    def run(self, drafts: Sequence[Draft], finish: Finish, on_done: OnDone) -> None: ...


class _Watch:
    """A stopwatch: a context manager that adds up the seconds spent inside."""

    def __init__(self) -> None:
        self.seconds = self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.monotonic() - self._started


class FakeAnswerer:
    """`perfect` gives all answers, `blind` none, `recency` those in the last `RECENCY_TOKENS` tokens of the prompt."""

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
    """A `LocalModel` and its tokenizer. While the model answers a batch, a thread encodes the prompts of the next."""

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
        left = dict(enumerate(prompts))
        started, elsewhere, failed = time.monotonic(), _Watch(), ""

        def model_s() -> float:
            return time.monotonic() - started - elsewhere.seconds

        def done(n: int, ids: list[int], ended: bool) -> None:  # the GPU has finished: ids are on the host
            text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            answer = Answer(text, ended, len(ids), model_s())
            with elsewhere:
                on_done(left.pop(n), answer)

        try:
            self._model.answer([prompt.input_ids for prompt in prompts], self._max_new_tokens, done)
        except UserError as error:  # only this batch fails: others may fit
            failed = f"{error} (--lengths)"
        self.model_s += model_s()
        for prompt in left.values():
            on_done(prompt, failed)


def _ahead(
    pool: ThreadPoolExecutor, drafts: Sequence[Draft], sizes: Iterator[int], finish: Finish
) -> Iterator[list[Prompt]]:
    """Batches of finished prompts, of the given sizes. The pool makes the next batch while the caller uses this one."""
    edges = list(accumulate(sizes, initial=0))
    groups = (drafts[a:b] for a, b in pairwise(edges))
    jobs = (pool.submit(lambda some: [finish(draft) for draft in some], some) for some in groups)
    waiting = list(islice(jobs, 1))
    while waiting:
        batch = waiting.pop().result()
        waiting = list(islice(jobs, 1))
        yield batch


class ServerAnswerer:
    """A model behind an OpenAI-compatible endpoint. It gets messages, and writes them in its own chat format."""

    def __init__(self, endpoint: Endpoint, max_new_tokens: int) -> None:
        self._endpoint, self._max_new_tokens = endpoint, max_new_tokens
        self.model_s = 0.0

    def run(self, drafts: Sequence[Draft], finish: Finish, on_done: OnDone) -> None:
        parameters = {"max_tokens": self._max_new_tokens, "temperature": 0}
        here = _Watch()

        def jobs() -> Iterator[tuple[Prompt, list[Message], dict[str, Any]]]:
            for draft in drafts:
                with here:
                    prompt = finish(draft)
                yield prompt, prompt.messages, parameters

        def done(prompt: Prompt, result: Completion | RequestFailed) -> None:
            with here:
                on_done(prompt, str(result) if isinstance(result, RequestFailed) else _served(result))

        async def ask() -> None:
            async with ChatClient(self._endpoint) as client:
                await ask_all(client, jobs(), done)

        started = time.monotonic()
        run_loop(ask())
        self.model_s += time.monotonic() - started - here.seconds


def _served(result: Completion) -> Answer:
    served = {"served_model": result.served_model, "served_prompt_tokens": result.prompt_tokens}
    return Answer(result.text, result.finish_reason != "length", result.completion_tokens, result.seconds, served)
