"""``longalign longbench-chat predict``: a model's answers to LongBench-Chat's questions, or to the built-in ones."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from longalign.api.budget import Budget, Prices
from longalign.api.client import ChatClient, Endpoint
from longalign.api.loop import run_loop
from longalign.commands.interrupt import interruptible
from longalign.commands.longbench_chat import load_cases
from longalign.commands.parse import call, check_positive, check_temperature
from longalign.errors import UserError
from longalign.evaluation.fingerprint import fingerprint
from longalign.evaluation.longbench_chat.cases import Case
from longalign.evaluation.longbench_chat.fit import Meter, Prompt, meter, rough_meter
from longalign.evaluation.longbench_chat.predict import (
    Answer,
    Setup,
    failures,
    fit_all,
    predict_here,
    predict_there,
    summary,
    to_do,
)
from longalign.evaluation.longbench_chat.suite import LENGTH
from longalign.records import Records

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and get the answers."""
    with interruptible():
        call(predict, name, args)


def predict(
    out: str,
    model: str | None = None,
    api_model: str | None = None,
    base_url: str | None = None,
    test_cases: str | None = None,
    suite_length: int = LENGTH,
    suite_seed: int = 0,
    max_length: int | None = None,
    max_new_tokens: int = 1024,
    temperature: float | None = 0.0,
    seed: int = 0,
    chat_format: Literal["auto", "template", "chatglm3", "llama2"] = "auto",
    device: str = "auto",
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto",
    tokenizer: str | None = None,
    price_in: float | None = None,
    price_out: float | None = None,
    max_cost: float | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    timeout_s: float = 600,
    max_retries: int = 6,
) -> None:
    """Answer questions about long documents, in the model's own chat format.

    The answers go into predictions.jsonl in --out. The same command again answers the questions that are missing.

    Args:
        out: folder of the run.
        model: folder (exported, converted, or in ChatGLM3's own format) or hub name of a model to run here.
        api_model: name of a model behind an OpenAI-compatible API, in place of --model.
        base_url: address of the API, such as http://localhost:8000/v1; OpenAI's own by default.
        test_cases: the published test_cases.json; without it twelve built-in questions about generated documents.
        suite_length: characters of the longest English document of the built-in questions.
        suite_seed: seed of the documents of the built-in questions.
        max_length: most tokens of prompt and answer together; the model's own context by default. If a document is too
            long, its middle is cut out; the question is never cut.
        max_new_tokens: most tokens of an answer.
        temperature: 0 takes the likeliest token; null leaves it to the model's generation config or to the server.
        seed: seed of the sampling.
        chat_format: chat format of a model run here; auto is the one in its longalign.json, else its chat template.
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.
        dtype: dtype of the weights; auto is bfloat16 on a GPU, and on a CPU float32 unless it is fast in bfloat16.
        tokenizer: folder of the API model's tokenizer, which counts tokens; without it they are estimated.
        price_in: price of a million tokens read by an API model; with both prices the cost is shown before the first
            call.
        price_out: price of a million tokens written.
        max_cost: stop before a call that might make this run cost more; a request without an answer counts in full.
        api_key_env: name of the environment variable with the API key.
        concurrency: most requests at a time.
        timeout_s: seconds after which a request has failed.
        max_retries: how often a request is repeated whose failure may be temporary.
    """
    if (model is None) == (api_model is None):
        raise UserError("give --model for a model to run here, or --api_model for one behind an API")
    if model is not None:
        _belong_to("--api_model", base_url=base_url, tokenizer=tokenizer, max_cost=max_cost)
    else:
        _belong_to("--model", chat_format=chat_format, device=device, dtype=dtype)
    check_positive(max_new_tokens=max_new_tokens, max_length=max_length)
    check_temperature(temperature)
    model = model and os.path.expanduser(model)
    cases, source = load_cases(test_cases, None, suite_length, suite_seed)
    with Records(Path(out).expanduser() / "predictions.jsonl") as records:
        records.claim()
        if model is not None:
            place, config, kind = _where(model, device, dtype)
            weights = fingerprint(model)
            setup = Setup(model, max_length, max_new_tokens, temperature, seed, chat_format, weights, kind)
            if todo := _missing(cases, records, setup):
                _predict_here(todo, records, setup, source, place, config)
        else:
            assert api_model is not None
            cut_by = tokenizer and max_length and (fingerprint(os.path.expanduser(tokenizer)) or tokenizer)
            setup = Setup(api_model, max_length, max_new_tokens, temperature, seed, tokenizer=cut_by or None)
            endpoint = Endpoint(api_model, base_url, api_key_env, concurrency, timeout_s, max_retries)
            endpoint.check()
            budget = Budget(Prices(price_in, price_out), max_cost)
            if todo := _missing(cases, records, setup):
                prompts = fit_all(todo, setup, _meter(tokenizer))
                tokens_in = sum(prompt.tokens for _, prompt in prompts)
                tokens_out = max_new_tokens * len(prompts)
                log.info("%s", budget.announce(api_model, endpoint.url, len(prompts), tokens_in, tokens_out))
                run_loop(_predict_there(prompts, records, setup, source, endpoint, budget))
                log.info("%s", budget)
        log.info("%s", summary(records, setup))
        print(out)
        if failures(records, setup):
            raise SystemExit(1)


def _belong_to(other: str, **options: Any) -> None:
    """Refuse options that only mean something with the option `other`, if they have another value than their default.

    Raises:
        UserError: one has.
    """
    given = [name for name, value in options.items() if value not in (None, "auto")]
    if given:
        raise UserError(f"{', '.join(given)}: is for {other}, which is not given; leave it out")


def _missing(cases: Sequence[Case], records: Records, setup: Setup) -> list[Case]:
    todo = to_do(cases, records, setup)
    if len(todo) < len(cases):
        log.info("there already: %d of %d answers", len(cases) - len(todo), len(cases))
    return todo


def _meter(tokenizer: str | None) -> Meter:
    if tokenizer is None:
        return rough_meter()
    from longalign.chat import load_tokenizer

    found = load_tokenizer(tokenizer)
    return meter(found, "template" if found.chat_template else "llama2")


async def _predict_there(
    prompts: Sequence[tuple[Case, Prompt]],
    records: Records,
    setup: Setup,
    source: str,
    endpoint: Endpoint,
    budget: Budget,
) -> None:
    async with ChatClient(endpoint) as client:
        await predict_there(prompts, records, setup, source, client, budget)


def _where(model: str, device: str, dtype: Any) -> tuple[Any, Any, str]:
    """The device, the model's config, and the name of the dtype that it will have there."""
    from longalign.commands.model_loading import find_device, find_dtype, quiet_transformers
    from longalign.model.loading import load_config

    quiet_transformers()
    place, config = find_device(device), load_config(model, packed=False)
    return place, config, str(find_dtype(dtype, place, config)).removeprefix("torch.")


def _predict_here(cases: Sequence[Case], records: Records, setup: Setup, source: str, place: Any, config: Any) -> None:
    import torch

    from longalign.chat import answer_ends, load_tokenizer
    from longalign.commands.model_loading import find_format, load_network
    from longalign.model.generate import Generator, generation_settings

    tokenizer = load_tokenizer(setup.model)
    kind = find_format(setup.model, setup.chat_format or "auto", tokenizer)
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    if setup.max_length and context and setup.max_length > context:
        raise UserError(f"max_length: got {setup.max_length}, the model has room for {context}")
    max_length = setup.max_length or context
    if max_length is not None and setup.max_new_tokens >= max_length:
        raise UserError(f"max_new_tokens: got {setup.max_new_tokens}, the model has room for {max_length} in all")
    ends = answer_ends(tokenizer, kind)
    network = load_network(setup.model, config, place, getattr(torch, str(setup.dtype)))
    log.info("%s: %s on %s, chat format %s, %s tokens", setup.model, network.dtype, place, kind, f"{max_length or 0:,}")
    settings = generation_settings(
        network.generation_config, ends, max_new_tokens=setup.max_new_tokens, temperature=setup.temperature
    )
    generate = _generate(tokenizer, Generator(network, settings))
    predict_here(cases, records, setup, source, meter(tokenizer, kind), generate, max_length)


def _generate(tokenizer: Any, generator: Any) -> Callable[[list[int], int], Answer]:
    import torch

    def answer(ids: list[int], seed: int) -> Answer:
        torch.manual_seed(seed)  # each answer has its own seed: a resumed run gives the same answers
        started = time.monotonic()
        found = generator.generate(ids)
        text = tokenizer.decode(found.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Answer(text.strip(), found.ended, len(found.ids), time.monotonic() - started)

    return answer
