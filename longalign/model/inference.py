"""A model to ask, not to train: the device and dtype that fit, and the weights on it, in eval mode."""

from typing import Any, Literal

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from longalign.errors import UserError
from longalign.model.loading import load_model, weights_folder

Dtype = Literal["auto", "bfloat16", "float16", "float32"]


def choose_device(name: str) -> torch.device:
    """The device of this name; ``auto`` takes a GPU if there is one.

    Raises:
        UserError: it cannot be used.
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


def choose_dtype(name: Dtype, device: torch.device, config: PreTrainedConfig) -> torch.dtype:
    """The dtype of this name; ``auto`` is bfloat16 on a GPU, float32 on a CPU unless that computes in bfloat16."""
    if name != "auto":
        return getattr(torch, name)
    if device.type != "cpu":
        return torch.bfloat16
    able: dict[str, Any] = getattr(
        torch.cpu, "get_capabilities", dict
    )()  # without these a CPU is several times slower in bfloat16
    fast = able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.bfloat16 if fast and config.dtype in (torch.bfloat16, torch.float16) else torch.float32


def load_for_inference(
    model: str, config: PreTrainedConfig, device: torch.device, dtype: torch.dtype, gguf_file: str | None = None
) -> PreTrainedModel:
    """The model on ``device``, in eval mode.

    Raises:
        UserError: see ``load_model``, or the device has no room for it.
    """
    network: Any = load_model(weights_folder(model, config), config, dtype=dtype, gguf_file=gguf_file)
    if gguf_file is not None:  # comes in float32; rotary frequencies, which are buffers, stay so
        for parameter in network.parameters():
            parameter.data = parameter.data.to(dtype)
    try:
        return network.to(device).eval()
    except torch.OutOfMemoryError as error:
        size = sum(p.nbytes for p in network.parameters()) / 2**30
        raise UserError(f"device: {device} has no room for the model's {size:.1f} GiB; give --device cpu") from error
