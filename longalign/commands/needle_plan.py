"""Estimate a needle test's FLOPs, time and memory with a local model, from the model's config alone."""

import time
from collections.abc import Sequence

import torch
from transformers import PreTrainedConfig

from longalign.duration import duration
from longalign.evaluation.local_model import bytes_of_a_token
from longalign.evaluation.needle.plan import Counts
from longalign.evaluation.needle.tasks import Cell
from longalign.model.flops import forward_flops, model_shape
from longalign.model.hardware import device_peak_flops

GPU_SHARE = 0.4
"""Share of a GPU's peak FLOP/s that reading prompts is assumed to reach."""


def model_lines(
    config: PreTrainedConfig, cells: Sequence[Cell], counts: Counts, device: torch.device, itemsize: int
) -> list[str]:
    """Lines of the plan: FLOPs, time if the device's speed is known, and the cache of the longest prompt.

    cells: those without results; counts.longest is of all cells. itemsize: bytes of a number in the cache.
    """
    flops = forward_flops(model_shape(config), [cell.length for cell in cells])
    rate, how = _rate(device)
    cache = bytes_of_a_token(config, itemsize) * counts.longest / 2**30
    time_needed = "time unknown" if rate is None else f"about {duration(flops / rate)} to read, {how}"
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    lines = [f"{flops / 1e15:.3g} PFLOP: {time_needed}", f"keys and values of the longest prompt: {cache:.2f} GiB"]
    if context and counts.longest > context:
        lines.append(f"the model's max_position_embeddings is {context:,}: some prompts are longer than its context")
    return lines


def _rate(device: torch.device) -> tuple[float | None, str]:
    """The device's assumed FLOP/s, None if unknown, and where the number comes from."""
    if device.type == "cpu":
        return _matmul_rate(), "at the rate of matrix products on this CPU"
    peak = device_peak_flops(device)
    return (None, "") if peak is None else (peak * GPU_SHARE, f"at {GPU_SHARE:.0%} of the GPU's peak")


def _matmul_rate(size: int = 768) -> float:
    """FLOP/s of fp32 matrix products, the best of three."""
    matrix = torch.ones(size, size)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
