"""The part of ``longalign plan`` about GPUs: memory by component, speed and hours of the run on several cards.

The figures hold for a ``fit`` with Liger's kernels, bfloat16 compute, and fp32 master weights and gradients.
"""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from longalign.commands.screen import make_table
from longalign.data.mixture import Mixture
from longalign.data.plan import BatchPlan, SequenceCost
from longalign.duration import duration
from longalign.model.flops import train_flops
from longalign.model.hardware import peak_bf16_flops
from longalign.model.memory import GIB, StepMemory
from longalign.model.memory_choice import Host, NoRoom
from longalign.model.step_time import CARDS, Card, run_seconds
from longalign.training.module import LongAlignModule


def gpu_figures(
    module: LongAlignModule,
    step: StepMemory,
    plans: list[BatchPlan],
    mixture: Mixture,
    cost: SequenceCost,
    run_steps: int,
) -> list[dict[str, Any]]:
    """One JSON-ready dict a card: how ``fit`` would keep activations, GiB by component, seconds a step, tokens/s, MFU.

    plans: of each epoch, made with ``cost``. run_steps: the steps that ``hours`` are for. A card without room for the
    step has ``fits`` False, the component that ``is_too_much``, and a ``remedy``.
    """
    flops = train_flops(module.shape, mixture.lengths, int(mixture.num_targets.sum())) / step.ranks  # of an epoch
    steps = sum(plan.num_steps for plan in plans)
    rows = []
    for card in CARDS:
        row: dict[str, Any] = {"card": card.name, "rates": "measured" if card.measured else "estimated"}
        try:
            host = Host(bytes_per_flop=card.host_link / _peak(card))
            found = module.memory_settings.fit_into(step, int(card.free_gib * GIB), host)
        except NoRoom as error:
            lacking = {"is_too_much": error.component, "remedy": error.remedy, "gib": error.estimate.gib()}
            rows.append({**row, "fits": False, **lacking})
            continue
        seconds = sum(run_seconds(plan, cost, module.shape, found, card) for plan in plans)
        epoch_s = seconds / len(plans)
        rows.append(
            {
                **row,
                "fits": True,
                "checkpointing": found.checkpointing,
                "kept_layers": found.kept_layers,
                "layers": found.sizes.layers,
                "offload": found.offload,
                "states_offloaded": found.states_offloaded,
                "gib": found.estimate().gib(),
                "seconds_per_step": seconds / steps,
                "tokens_per_s": float(mixture.lengths.sum()) / epoch_s,
                "mfu": flops / epoch_s / _peak(card),
                "hours": seconds / 3600 * run_steps / steps,
            }
        )
    return rows


def _peak(card: Card) -> float:
    peak = peak_bf16_flops(card.name)
    assert peak is not None, card.name
    return peak


def gpu_screen(rows: list[dict[str, Any]], ranks: int) -> RenderableType:
    """A table of the cards, remedies where the step does not fit, and the first card's memory by component."""
    table = make_table(f"{ranks} × GPU", "activations", "peak GiB", "s/step", "tokens/s", "MFU", "the run")
    table.columns[1].justify = "left"
    notes = []
    for row in rows:
        name = row["card"] + ("" if row["rates"] == "measured" else " ~")
        if row["fits"]:
            speed = (f"{row['seconds_per_step']:.2f}", f"{row['tokens_per_s']:,.0f}", f"{row['mfu']:.2f}")
            table.add_row(name, _activations(row), f"{row['gib']['peak']:.1f}", *speed, duration(3600 * row["hours"]))
        else:
            table.add_row(name, "do not fit", f"{row['gib']['peak']:.1f}", "", "", "", "")
            notes.append(f"  {row['card']}: {row['is_too_much']} are too much; {row['remedy']}")
    parts = ", ".join(f"{name} {value:.1f}" for name, value in rows[0]["gib"].items() if name != "peak")
    notes.append(f"  GiB: {parts} ({rows[0]['card'].split()[0]})")
    notes.append("  ~ speed estimated from the card's data sheet; that of the H200 was measured")
    return Group(table, Text("\n".join(notes)))


def _activations(row: dict[str, Any]) -> str:
    mode, kept = row["checkpointing"], f"{row['kept_layers']} of {row['layers']} layers"
    if mode == "none" or (mode != "matmuls" and row["kept_layers"] == row["layers"]):
        parts = ["all kept"]
    else:
        parts = ["layers again" if mode == "full" else "attention kept"]
        if row["kept_layers"]:
            parts.append(f"matrix products of {kept}" if mode == "matmuls" else f"{kept} whole")
    offloaded = ["activations"] * row["offload"] + ["states"] * row["states_offloaded"]
    return ", ".join(parts + ([" and ".join(offloaded) + " offloaded"] if offloaded else []))
