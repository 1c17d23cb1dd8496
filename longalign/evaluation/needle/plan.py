"""What a test will take, before a model is loaded: prompts, tokens, FLOPs or money."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from longalign.evaluation.needle.statistics import KEPT, wilson
from longalign.evaluation.needle.tasks import Cell

GPU_SHARE = 0.4
"""Of a GPU's peak that reading prompts is taken to reach."""


@dataclass(frozen=True)
class Counts:
    """`done` cells have results already; tokens are of the others, prompts and answers at their longest."""

    cells: int
    done: int
    prompt_tokens: int
    answer_tokens: int
    longest: int


def count(cells: Sequence[Cell], done: int, waiting: Sequence[Cell], max_new_tokens: int) -> Counts:
    """Tokens of the cells that are waiting."""
    prompts = sum(cell.length - max_new_tokens for cell in waiting)
    longest = max((cell.length for cell in cells), default=0)
    return Counts(len(cells), done, prompts, max_new_tokens * len(waiting), longest)


def count_lines(counts: Counts, cells: Sequence[Cell]) -> list[str]:
    """The counts in words, and what so many prompts can show."""
    lengths, depths = {cell.length for cell in cells}, {cell.depth for cell in cells}
    seeds = {cell.seed for cell in cells}
    each = len(depths) * len(seeds)
    low = wilson(1.0, each)[0]
    shows = "" if low >= KEPT else f": too few for an effective length, which needs a lower bound of {KEPT}"
    return [
        f"{counts.cells} prompts: {len(lengths)} lengths × {len(depths)} depths × {len(seeds)} seeds"
        + (f"; {counts.done} are done" if counts.done else ""),
        f"{counts.prompt_tokens:,} tokens to read, at most {counts.answer_tokens:,} to write",
        f"{each} prompts a length: if all are right, the 95 % interval begins at {low:.2f}{shows}",
    ]


def price_line(counts: Counts, price_in: float | None, price_out: float | None) -> str:
    """What a server will charge, at the user's prices."""
    if price_in is None or price_out is None:
        return "cost unknown: give --price_in and --price_out, in money for a million tokens"
    cost = (counts.prompt_tokens * price_in + counts.answer_tokens * price_out) / 1e6
    return f"at most {cost:,.2f} at your prices of {price_in:g} and {price_out:g} for a million tokens"


def model_lines(config: Any, cells: Sequence[Cell], counts: Counts, device: Any, itemsize: int) -> list[str]:
    """A local model's work and, where the device's rate is known, its time; and the longest prompt's cache."""
    from longalign.model.flops import model_shape

    shape = model_shape(config)
    flops = sum(2.0 * shape.linear * cell.length + 2.0 * shape.attention_width * cell.length**2 for cell in cells)
    rate, how = _rate(device)
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    cache = 2 * text.num_hidden_layers * heads * width * itemsize * counts.longest / 2**30
    duration = "time unknown" if rate is None else f"about {_duration(flops / rate)} to read, {how}"
    context = getattr(text, "max_position_embeddings", None)
    lines = [f"{flops / 1e15:.3g} PFLOP: {duration}", f"keys and values of the longest prompt: {cache:.2f} GiB"]
    if context and counts.longest > context:
        lines.append(f"the model's max_position_embeddings is {context:,}: longer prompts are beyond what it was made for")
    return lines


def _rate(device: Any) -> tuple[float | None, str]:
    from longalign.model.hardware import device_peak_flops

    if device.type == "cpu":
        return _matmul_rate(), "at the rate of matrix products on this CPU"
    peak = device_peak_flops(device)
    return (None, "") if peak is None else (peak * GPU_SHARE, f"at {GPU_SHARE:.0%} of the GPU's peak")


def _matmul_rate(size: int = 768) -> float:
    """FLOP/s of fp32 matrix products, the best of three."""
    import torch

    matrix = torch.ones(size, size)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _duration(seconds: float) -> str:
    for limit, unit in ((120, 1.0), (7200, 60.0)):
        if seconds < limit:
            return f"{seconds / unit:.0f} {'s' if unit == 1 else 'min'}"
    return f"{seconds / 3600:.0f} h"
