"""What ``longalign plan`` says of GPU memory: the peak by component, and what cards of two sizes make of it.

As ``fit`` does on a GPU with Liger's kernels: bfloat16 compute, fp32 master weights and gradients.
"""

from dataclasses import replace
from typing import Any

from longalign.errors import UserError
from longalign.model.memory import GIB, StepMemory, choose_checkpointing

CARDS_GIB = {"80 GB": 79.2, "141 GB": 139.8}  # what an H100 and an H200 have free


def memory_figures(step: StepMemory) -> dict[str, Any]:
    """JSON-ready: GiB by component under each checkpointing mode, and what ``auto`` makes of the cards."""
    modes = {mode: replace(step, checkpointing=mode).estimate().gib() for mode in ("attention", "full")}
    return {"layers": step.sizes.layers, **modes, "cards": {name: _on(step, gib) for name, gib in CARDS_GIB.items()}}


def _on(step: StepMemory, gib: float) -> dict[str, Any]:
    try:
        found = choose_checkpointing(step, int(gib * GIB))
    except UserError as error:
        return {"fits": False, "remedy": str(error).rpartition(": ")[2]}
    peak = found.estimate().gib()["peak"]
    return {"fits": True, "checkpointing": found.checkpointing, "kept_layers": found.kept_layers, "peak": peak}


def memory_lines(memory: dict[str, Any]) -> list[str]:
    """The figures in words, for the screen."""
    some = memory["attention"]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in some.items() if name != "peak")
    lines = [
        f"  memory of a GPU at the fullest moment: {some['peak']:.1f} GiB, {memory['full']['peak']:.1f} with "
        "checkpointing full",
        f"    {parts}",
    ]
    for name, card in memory["cards"].items():
        if not card["fits"]:
            lines.append(f"  a GPU of {name}: does not fit; {card['remedy']}")
        elif card["checkpointing"] == "full":
            lines.append(f"  a GPU of {name}: fits with whole layers computed again, {card['peak']:.1f} GiB")
        else:
            kept = f"{card['kept_layers']} of {memory['layers']} layers"
            lines.append(f"  a GPU of {name}: keeps all activations of {kept}, {card['peak']:.1f} GiB")
    return lines
