"""Running the fit of a case, and reading its figures: what TensorBoard has, and what its log had predicted."""

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from longalign.commands.benchmark_gpu.cases import ADAMW_8BIT, MODELS, Case, Settings, steps_measured
from longalign.commands.benchmark_gpu.gpu import longest_that_fits
from longalign.commands.benchmark_gpu.inputs import all_lengths, make_data, make_model
from longalign.commands.run_card.events import Events, event_files, read_events
from longalign.data.plan import plan_batches
from longalign.model.flops import model_shape, sequence_cost
from longalign.model.memory import EIGHT_BIT_STATE, StepMemory, layer_sizes
from longalign.model.step_time import CARDS, Card, step_seconds

SPEEDS = {
    "tflops_per_s_per_gpu": "perf/tflops_per_s_per_gpu",
    "mfu": "perf/mfu",
    "tokens_per_s": "perf/tokens_per_s",
    "seconds_per_step": "perf/seconds_per_step",
    "loader_wait_share": "perf/loader_wait_share",
}
LARGEST = ("peak_gib", "reserved_gib", "alloc_retries")
PREDICTION = re.compile(r"checkpointing: (\w+), (\d+) of \d+ layers [^,;]*(.*); expecting a peak of ([\d.]+)")


def fit_command(case: Case, folder: Path, steps: int, more: Iterable[str]) -> list[str]:
    """The `longalign fit` of a case."""
    return [
        *(sys.executable, "-m", "longalign", "fit"),
        f"--model.model={folder / 'model'}",
        "--model.random_weights=true",
        *case.optimizer,
        f"--data.long={folder / 'data.jsonl'}",
        "--data.chat_format=llama2",
        f"--data.cache_dir={folder / 'cache'}",
        f"--data.max_length={case.max_length}",
        f"--data.strategy={case.strategy}",
        f"--data.packs_per_step={case.packs_per_step}",
        f"--trainer.devices={case.gpus}",
        f"--trainer.max_steps={steps}",
        f"--trainer.default_root_dir={folder / 'run'}",
        "--checkpoint.save_last=false",
        "--checkpoint.every_n_steps=0",
        "--progress.every_n_steps=1",
        *case.options,
        *more,
    ]


def run(command: list[str], log: Path) -> tuple[str, dict[str, str]]:
    """Run a command, keep its stderr in the file `log`, and return (stderr, {}).

    If it fails the second value is {"failed": the last line of stderr}.
    """
    done = subprocess.run(command, text=True, stderr=subprocess.PIPE)
    log.write_text(done.stderr)
    lines = done.stderr.strip().splitlines() or ["no message"]
    return done.stderr, {"failed": lines[-1][:300]} if done.returncode else {}


def run_case(name: str, case: Case, settings: Settings) -> dict[str, Any]:
    """Run the fit of a case; returns its figures, or under ``failed`` why there are none."""
    if not case.max_length:
        case = replace(case, max_length=longest_that_fits(case.model))
    case = replace(case, gpus=case.gpus or torch.cuda.device_count())
    steps = min(case.steps or settings.steps, settings.steps)
    folder = settings.out / name
    make_model(folder / "model", MODELS[case.model], case.max_length)
    make_data(folder / "data.jsonl", all_lengths(case, steps))
    command = fit_command(case, folder, steps, settings.options)
    start = time.perf_counter()
    said, failed = run(command, folder / "stderr.txt")
    row = {"case": name, **asdict(case), "command": " ".join(command), "wall_s": time.perf_counter() - start}
    if failed:
        return {**row, **failed}
    return {**row, **measured(read_run(folder), steps, case.steps_differ), **predicted(case, steps, said)}


def read_run(folder: Path) -> Events:
    """The curves of the fit in a case's folder."""
    return read_events(event_files(folder / "run"))


def measured(events: Events, steps: int, steps_differ: bool = False) -> dict[str, float]:
    """The figures of a run: speeds of the last steps, and peaks of memory. Those that the run lacks are left out.

    steps_differ: whether these steps have unlike packs; then speeds are those of all of them together, else medians.
    """
    last = steps_measured(steps)
    of_steps = {key: events.values(tag)[-last:] for key, tag in SPEEDS.items() if events.values(tag)}
    if steps_differ:
        seconds = of_steps["seconds_per_step"]
        speeds = {key: float(np.average(values, weights=seconds)) for key, values in of_steps.items()}
        speeds["seconds_per_step"] = statistics.mean(seconds)
    else:
        speeds = {key: statistics.median(values) for key, values in of_steps.items()}
    largest = {key: max(found) for key in LARGEST if (found := events.values(f"memory/{key}"))}
    return {**speeds, **largest, "steps_measured": last}


def predicted(case: Case, steps: int, log: str) -> dict[str, Any]:
    """The peak of memory that `fit` expected, from its log, and the seconds a step that `plan` gives for this GPU."""
    found = PREDICTION.search(log)
    if found is None:
        return {}
    mode, kept, ways, peak = found.groups()
    memory = {
        "checkpointing": mode,
        "kept_layers": int(kept),
        "offload": "inputs" in ways,
        "states_offloaded": "states" in ways,
        "predicted_gib": float(peak),
    }
    card = next((card for card in CARDS if card.name.split()[0] in torch.cuda.get_device_name()), None)
    return memory | (predicted_time(case, steps, mode, int(kept), card) if card else {})


def predicted_time(case: Case, steps: int, checkpointing: Any, kept_layers: int, card: Card) -> dict[str, float]:
    """Seconds a step on a card, and the share (0-1) of them in which the GPUs work, by the plan of a case's data.

    Both are those of the steps that are measured.
    """
    config = MODELS[case.model]
    shape = model_shape(config)
    cost = sequence_cost(shape)
    lengths = np.array(all_lengths(case, steps))
    plan = plan_batches(
        lengths,
        np.ones_like(lengths),
        strategy=case.strategy,
        max_length=case.max_length,
        packs_per_step=case.packs_per_step,
        world_size=case.gpus,
        cost=cost,
    )
    step = StepMemory(
        layer_sizes(config, shape),
        case.max_length,
        case.gpus,
        state_bytes=EIGHT_BIT_STATE if case.optimizer == ADAMW_8BIT else 8.0,
        checkpointing=checkpointing,
        kept_layers=kept_layers,
    )
    last = slice(steps - steps_measured(steps), steps)
    seconds = step_seconds(plan, cost, shape, step, card)[last]
    return {"predicted_seconds_per_step": float(seconds.mean()), "working_share": plan.working_share(last)}
