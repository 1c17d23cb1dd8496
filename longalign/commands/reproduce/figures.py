"""Collecting what the steps have measured, from their files: one dictionary for each model."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from longalign.commands.reproduce.recipe import BATCHING, SHARES
from longalign.commands.reproduce.steps import SUMMARY, is_whole
from longalign.commands.run_card.events import LOSS, read_events
from longalign.files import read_json

Models = dict[str, dict[str, Any]]


def collect(out: Path) -> Models:
    """For each model: recall by task, length and depth; held-out losses; time, tokens and memory of its training."""
    models: Models = {}
    for file in sorted(out.glob(f"needle/*/*/{SUMMARY}")):
        summary = read_json(file)
        if not is_whole(summary):
            continue
        found = {str(row["length"]): row for row in summary["by_length"] if row["recall"] is not None}
        needle = models.setdefault(file.parts[-3], {}).setdefault("needle", {})
        needle[file.parts[-2]] = {
            "effective_length": summary["effective_length"]["length"],
            "by_length": found,
            "cells": [[cell["length"], cell["depth"], cell["recall"]] for cell in summary["cells"]],
        }
    for file in sorted(out.glob("held_out/*/validation.json")):
        models.setdefault(file.parts[-2], {})["held_out"] = read_json(file)
    for folder in sorted(out.glob("runs/*/tensorboard")):
        name = folder.parent.name
        if (out / "models" / name).exists():  # else it is still training, perhaps for another call of the script
            models.setdefault(name, {})["training"] = training_figures(folder)
    return in_order(models)


def join(results: Iterable[Models]) -> Models:
    """Join the figures of several calls, perhaps on several machines; of what was measured twice the later counts."""
    models: Models = {}
    for result in results:
        for name, found in result.items():
            model = models.setdefault(name, {})
            needle = model.get("needle", {}) | found.get("needle", {})
            model |= found | ({"needle": needle} if needle else {})
    return in_order(models)


def in_order(models: Models) -> Models:
    """The models in the order in which the acts make them."""
    order = ("as_it_comes", "base_alone", "extended", "aligned", *BATCHING, *SHARES, "aligned_128k")
    return {name: models[name] for name in order if name in models}


def training_figures(folder: Path) -> dict[str, float]:
    """From a run's TensorBoard folder: totals of steps, sequences, tokens and seconds; median speed; peak memory."""
    events = read_events(sorted(folder.glob("events.out.tfevents.*")))
    figures = {
        "steps": len(events.curves.get(LOSS, [])),
        "sequences": sum(events.values("train/sequences")),
        "tokens": sum(events.values("train/tokens")),
        "seconds": sum(events.values("perf/seconds_per_step")),
        "tokens_per_s": median(events.values("perf/tokens_per_s")),
        "peak_gib": max(events.values("memory/peak_gib")),
    }
    mfu = events.values("perf/mfu")
    return figures | ({"mfu": median(mfu)} if mfu else {})
