"""``longalign chat``: ask a model questions in its own chat format, also about long documents."""

import os
from typing import Literal

import torch

from longalign.api.replies import well_formed
from longalign.chat import answer_ends, load_tokenizer
from longalign.commands.chat_session import Session, log, show_document
from longalign.commands.conversation import Conversation, read_document
from longalign.commands.model_loading import (
    Dtype,
    find_device,
    find_dtype,
    find_format,
    load_network,
    quiet_transformers,
)
from longalign.commands.parse import call, check_positive, check_temperature
from longalign.errors import UserError
from longalign.model.generate import Generator, generation_settings
from longalign.model.loading import load_config


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and start the conversation."""
    call(chat, name, args)


def chat(
    model: str,
    file: str | None = None,
    prompt: str = "",
    system: str = "",
    chat_format: Literal["auto", "template", "chatglm3", "llama2"] = "auto",
    overflow: Literal["error", "shorten_document"] = "error",
    max_new_tokens: int = 1024,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    device: str = "auto",
    dtype: Dtype = "auto",
    gguf_file: str | None = None,
) -> None:
    """Ask a model one question with --prompt, else talk to it in the terminal, or pipe it a question on each line.

    Args:
        model: folder (exported, converted, or in ChatGLM3's own format) or hub name of the model.
        file: a UTF-8 text file, the document that is put in front of the first question.
        prompt: one question; its answer goes to stdout. Without it there is a conversation.
        system: system message, none by default.
        chat_format: format of the prompts; auto is the one in the folder's longalign.json, else the tokenizer's chat
            template.
        overflow: what happens if a prompt leaves no room for the answer: error, or shorten_document, which cuts the
            middle out of the document.
        max_new_tokens: most tokens of an answer.
        temperature: 0 takes the likeliest token; by default the model's generation config decides.
        top_p: sample from the likeliest tokens whose probabilities add up to this.
        seed: seed of the sampling.
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.
        dtype: dtype of the weights; auto is bfloat16 on a GPU, and on a CPU float32 unless it is fast in bfloat16.
        gguf_file: a GGUF file in the model's folder.
    """
    _check_numbers(max_new_tokens, temperature, top_p)
    _check_texts(prompt, system)
    model = os.path.expanduser(model)
    document = None if file is None else read_document(file)
    place = find_device(device)
    quiet_transformers()
    config = load_config(model, gguf_file=gguf_file, packed=False)
    tokenizer = load_tokenizer(model, gguf_file=gguf_file)
    kind = find_format(model, chat_format, tokenizer)
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    conversation = Conversation(
        tokenizer,
        kind,
        context=context,
        max_new_tokens=max_new_tokens,
        system=system,
        overflow=overflow,
        goes_on=not prompt,
    )
    if file is not None:
        show_document(file, conversation.load(document))
    asked = conversation.ask(prompt) if prompt else None  # before the weights are read, as it may be too long
    network = load_network(model, config, place, find_dtype(dtype, place, config), gguf_file)
    numbers, room = str(network.dtype).removeprefix("torch."), f", {context:,} tokens" if context else ""
    log.info("%s: %s, %s on %s, chat format %s%s", model, type(network).__name__, numbers, place, kind, room)
    if seed is not None:
        torch.manual_seed(seed)
    settings = generation_settings(
        network.generation_config,
        answer_ends(tokenizer, kind),
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
    )
    session = Session(conversation, Generator(network, settings), tokenizer)
    if asked is None:
        session.talk()
    elif not session.answer(asked):
        raise KeyboardInterrupt


def _check_numbers(max_new_tokens: int, temperature: float | None, top_p: float | None) -> None:
    check_positive(max_new_tokens=max_new_tokens)
    check_temperature(temperature)
    if top_p is not None and not 0 < top_p <= 1:
        raise UserError(f"top_p: got {top_p}, expected more than 0 and at most 1")


def _check_texts(prompt: str, system: str) -> None:
    if prompt and not prompt.strip():
        raise UserError("prompt: got white space, expected a question; leave --prompt out for a conversation")
    for option, text in (("prompt", prompt), ("system", system)):
        if well_formed(text) != text:
            raise UserError(f"{option}: not UTF-8 text")
