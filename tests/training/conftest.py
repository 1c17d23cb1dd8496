"""Real runs of ``longalign fit`` on the tiny golden Llama: in this process, or as a process of its own."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from longalign.__main__ import main
from longalign.commands.export import load_weights
from longalign.launch import PARENT
from longalign.training.checkpoints import newest_checkpoint

ROOT = Path(__file__).parent.parent.parent
TINY = str(ROOT / "tests/golden/llama_tiny")
WORDS = ["river", "stone", "lamp", "seven", "12", "harbour", "月", "light", "old", "bridge", "3", "winter"]


def conversation(number: int, words: int, answer: int) -> dict:
    draw = random.Random(number)
    text = [" ".join(draw.choices(WORDS, k=n)) for n in (words, answer)]
    return {"messages": [{"role": "user", "content": text[0]}, {"role": "assistant", "content": text[1]}]}


def write_rows(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> dict[str, str]:
    """Paths of 8 long and 40 short conversations, and of a shared cache."""
    folder = tmp_path_factory.mktemp("data")
    long = write_rows(folder / "long.jsonl", [conversation(i, 40 + 5 * i, 6) for i in range(8)])
    short = write_rows(folder / "short.jsonl", [conversation(100 + i, 2 + i % 9, 1 + i % 7) for i in range(40)])
    return {"long": long, "short": short, "cache": str(folder / "cache")}


def fit_arguments(data: dict[str, str], root: Path, command: str = "fit") -> list[str]:
    """Arguments of a run in the folder ``root``, on one CPU."""
    options = {
        "model.model": TINY,
        "model.checkpointing": "none",
        "data.long": data["long"],
        "data.short": data["short"],
        "data.cache_dir": data["cache"],
        "data.chat_format": "llama2",
        "data.max_length": "512",
        "data.num_workers": "0",
        "data.num_proc": "1",
        "trainer.accelerator": "cpu",
        "trainer.devices": "1",
        "trainer.default_root_dir": str(root),
    }
    return [command, *(f"--{key}={value}" for key, value in options.items())]


@pytest.fixture
def arguments(data, tmp_path):
    """Arguments of a ``fit`` in ``tmp_path/run``; more are given by the test."""

    def build(*more: str, root: str = "run", command: str = "fit") -> list[str]:
        return [*fit_arguments(data, tmp_path / root, command), *more]

    return build


def run_here(arguments: list[str]) -> None:
    """``longalign`` in this process, one rank."""
    assert main(arguments) == 0


OF_A_RUN = ("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", PARENT)
"""Variables that a run leaves in its process's environment."""


def environment_of_a_user() -> dict[str, str]:
    """This process's, without what a run in it or its own launcher has left."""
    kept = {key: value for key, value in os.environ.items() if key not in OF_A_RUN and not key.startswith("SLURM_")}
    return {**kept, "OMP_NUM_THREADS": "1"}


def start(arguments: list[str], **options) -> subprocess.Popen:
    """``longalign`` as a process of its own (which starts its other ranks), as a user would."""
    environment = {**environment_of_a_user(), **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "longalign", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,
    )


def kill(process: subprocess.Popen) -> str:
    """End the process and its ranks; what it had printed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0]


def wait_for(path: Path, process, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"no {path.name}:\n{kill(process)}")
        time.sleep(0.01)


def finish(process: subprocess.Popen, *statuses: int) -> str:
    """What the process printed, once it and its ranks are gone; a process that hangs is killed and shown."""
    try:
        output, _ = process.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"did not end:\n{kill(process)}") from None
    assert process.returncode in statuses, output
    return output


def run_apart(arguments: list[str], status: int = 0, **options) -> str:
    return finish(start(arguments, **options), status)


def final_weights(root: Path) -> dict[str, torch.Tensor]:
    checkpoint = newest_checkpoint(root / "checkpoints")
    assert checkpoint is not None
    return load_weights(checkpoint)


def scalars(root: Path, tag: str) -> dict[int, float]:
    """Step -> value of a TensorBoard curve; later events win, as after a resume."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events: dict[int, tuple[float, float]] = {}
    accumulator = EventAccumulator(str(root / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    for event in accumulator.Scalars(tag):
        events[event.step] = max(events.get(event.step, (0, 0)), (event.wall_time, event.value))
    return {step: value for step, (_, value) in sorted(events.items())}
