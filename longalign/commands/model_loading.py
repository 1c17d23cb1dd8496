"""Making a model ready to answer here: its device, dtype, chat format and weights, by the options of several commands.

`chat`, `needle`, `longbench-chat predict` and `data answer` have these options in common.
"""

import sys
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import transformers
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from transformers import PreTrainedConfig, PreTrainedModel

from longalign.chat import ChatFormat
from longalign.errors import UserError
from longalign.model.loading import load_model, weights_folder
from longalign.model.record import NAME, read_record

Dtype = Literal["auto", "bfloat16", "float16", "float32"]


def quiet_transformers() -> None:
    """Show only errors of transformers, and its progress bars only in a terminal."""
    transformers.utils.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()


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
            f"device: cannot use {name!r} ({str(error).splitlines()[0]}); expected auto, cpu, cuda, mps"
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
