"""TRL's SFTTrainer beside `longalign fit`, by `bin/benchmark-trl`: its speed, and the losses of both."""

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from longalign.commands.benchmark_gpu.cases import CASES, LOSSES, MODELS, PEER, Case, Settings, llama
from longalign.commands.benchmark_gpu.fit import fit_command, read_run, run
from longalign.commands.benchmark_gpu.inputs import all_lengths, make_data, make_model, pack_lengths
from longalign.commands.run_card.events import LOSS
from longalign.files import read_json

SCRIPT = Path(__file__).parents[3] / "bin/benchmark-trl"


def run_peer(settings: Settings) -> dict[str, Any]:
    """Run TRL's trainer on the data of 7b-document; returns its figures."""
    case, folder = CASES["7b-document"], settings.out / PEER
    make_model(folder / "model", MODELS[case.model], case.max_length)
    make_data(folder / "data.jsonl", all_lengths(case, settings.steps))
    command = peer_command(folder, settings.steps)
    _, failed = run(command, folder / "stderr.txt")
    row = {"case": PEER, "model": case.model, "data": case.data, "gpus": 1, "command": " ".join(command)}
    return {**row, **(failed or read_json(folder / "results.json"))}


def peer_command(folder: Path, steps: int, *more: str) -> list[str]:
    """The `bin/benchmark-trl` on a folder's model and data."""
    files = [f"--model={folder / 'model'}", f"--data={folder / 'data.jsonl'}"]
    return [sys.executable, str(SCRIPT), *files, f"--steps={steps}", f"--out={folder / 'results.json'}", *more]


def compare_losses(settings: Settings) -> dict[str, Any]:
    """Train the same small model on 8 packs of a mix, all in each step, with both trainers, and compare the losses."""
    folder, steps, max_length, packs = settings.out / LOSSES, settings.steps, 8192, 8
    make_small_model(folder / "model", max_length)
    make_data(folder / "data.jsonl", pack_lengths("mix", max_length) * packs)
    case = Case("", "mix", optimizer=("--model.optimizer.lr=1e-4",), max_length=max_length)
    more = ["--model.random_weights=false", f"--data.packs_per_step={packs}", f"--data.epochs={steps}"]
    more += ["--data.loss=token", "--model.scheduler=torch.optim.lr_scheduler.ConstantLR", "--model.scheduler.factor=1"]
    same = ("--weights", f"--max_length={max_length}", f"--packs_per_step={packs}", "--lr=1e-4")
    commands = {"fit": fit_command(case, folder, steps, more), "trl": peer_command(folder, steps, *same)}
    row: dict[str, Any] = {"case": LOSSES}
    for name, command in commands.items():
        _, failed = run(command, folder / f"{name}.stderr.txt")
        if failed:
            return {**row, **failed}
    ours = [point.value for point in read_run(folder).curves[LOSS]]
    theirs = read_json(folder / "results.json")["losses"]
    apart = max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True))
    return {**row, "losses": ours, "trl_losses": theirs, "largest_relative_difference": apart}


def make_small_model(folder: Path, max_length: int) -> None:
    """Write a model of 4 layers, with random weights that are the same at each call."""
    config = llama(1024, 2816, 4)
    make_model(folder, config, max_length)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
