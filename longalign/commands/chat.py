"""``longalign chat``: ask a model questions in its own chat format, also about long documents."""

import sys
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import transformers
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from transformers import PreTrainedConfig, PreTrainedModel

from longalign.chat import ChatFormat, load_tokenizer
from longalign.commands.chat_session import Session, log, show_document
from longalign.commands.conversation import Conversation, read_document
from longalign.commands.parse import call, check_positive
from longalign.errors import UserError
from longalign.model.generate import Generator, generation_settings
from longalign.model.loading import load_config, load_model, weights_folder
from longalign.model.record import NAME, read_record

Dtype = Literal["auto", "bfloat16", "float16", "float32"]


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and start the conversation."""
    try:
        call(chat, name, args)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


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
    if prompt and not prompt.strip():
        raise UserError("prompt: got white space, expected a question; leave --prompt out for a conversation")
    for option, text in (("prompt", prompt), ("system", system)):
        if text is not None and any("\ud800" <= character <= "\udfff" for character in text):
            raise UserError(f"{option}: not UTF-8 text")
    model = str(Path(model).expanduser()) if model.startswith("~") else model
    document = None if file is None else read_document(file)
    place = find_device(device)
    transformers.utils.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
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
    room = f", {context:,} tokens" if context else ""
    log.info(
        "%s: %s, %s on %s, chat format %s%s",
        model,
        type(network).__name__,
        str(network.dtype).removeprefix("torch."),
        place,
        kind,
        room,
    )
    if seed is not None:
        torch.manual_seed(seed)
    settings = generation_settings(
        network.generation_config,
        conversation.answer_ends(),
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
    )
    session = Session(conversation, Generator(network, settings), tokenizer)
    if asked is None:
        session.talk()
    elif not session.answer(asked):
        raise KeyboardInterrupt


def find_format(model: str, chat_format: str, tokenizer: Any) -> ChatFormat:
    """The chat format of a model: the option's, else (auto) that in its longalign.json, else its chat template.

    Raises:
        UserError: longalign.json names an unknown format, or there is neither a format nor a chat template.
    """
    found = chat_format if chat_format != "auto" else _record(model).get("chat_format", "template")
    if found not in get_args(ChatFormat):
        raise UserError(f"{model}: {NAME} has chat_format {found!r}, expected one of {', '.join(get_args(ChatFormat))}")
    if found == "template" and not tokenizer.chat_template:
        raise UserError(
            f"{model} has no chat template and no other format in {NAME}; give --chat_format chatglm3 or llama2, "
            "the one that it was trained with"
        )
    return found  # type: ignore[return-value]


def _record(model: str) -> dict[str, Any]:
    if Path(model).is_dir():
        return read_record(Path(model))
    try:
        return read_record(Path(hf_hub_download(model, NAME)).parent)
    except (EntryNotFoundError, HfHubHTTPError):  # most models of the hub have no such file, or there is no network
        return {}


def load_network(
    model: str, config: PreTrainedConfig, device: torch.device, dtype: torch.dtype, gguf_file: str | None = None
) -> PreTrainedModel:
    """Load the model with its weights, and put it on a device.

    Raises:
        UserError: the device has too little memory for it.
    """
    network: Any = load_model(weights_folder(model, config), config, dtype=dtype, gguf_file=gguf_file)
    if gguf_file is not None:  # is read as float32; rotary frequencies, which are buffers, must stay so
        for parameter in network.parameters():
            parameter.data = parameter.data.to(dtype)
    try:
        return network.to(device).eval()
    except torch.OutOfMemoryError as error:
        size = sum(p.nbytes for p in network.parameters()) / 2**30
        raise UserError(f"device: {device} has no room for the model's {size:.1f} GiB; give --device cpu") from error


def find_device(name: str) -> torch.device:
    """A device by name; auto is a GPU if there is one.

    Raises:
        UserError: the device does not exist or cannot be used.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device: cannot use {name!r} ({str(error).splitlines()[0]}); expected auto, cpu, cuda"
        ) from error
    return device


def find_dtype(name: Dtype, device: torch.device, config: PreTrainedConfig) -> torch.dtype:
    """A dtype by name; auto is bfloat16 where the device computes fast in it, else float32."""
    if name != "auto":
        return getattr(torch, name)
    if device.type != "cpu":
        return torch.bfloat16
    # without these instructions a CPU is several times slower in bfloat16
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    fast = able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.bfloat16 if fast and config.dtype in (torch.bfloat16, torch.float16) else torch.float32


def _check_numbers(max_new_tokens: int, temperature: float | None, top_p: float | None) -> None:
    check_positive(max_new_tokens=max_new_tokens)
    if temperature is not None and not temperature >= 0:
        raise UserError(f"temperature: got {temperature}, expected 0 (greedy) or more")
    if top_p is not None and not 0 < top_p <= 1:
        raise UserError(f"top_p: got {top_p}, expected more than 0 and at most 1")
