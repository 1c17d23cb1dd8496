"""What a run was made with, in ``environment.json`` beside its config: versions, GPUs, CPU and commit of each start.

A run that goes on elsewhere adds a start. No environment variable, no name of a machine or user is written.
"""

import contextlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

import longalign
from longalign.files import write_json
from longalign.launch import this_launch

FILE = "environment.json"
PACKAGES = (
    *("torch", "transformers", "lightning", "datasets", "tokenizers", "numpy"),
    *("flash-attn-4", "flash-attn-3", "flash-attn", "liger-kernel", "torchao", "triton"),
)
"""Packages whose versions are recorded if they are installed."""


def write_environment(folder: Path, trainer: Trainer) -> None:
    """Add this start to the file in a run's folder."""
    starts: list[Any] = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a first start, or a file that is not ours
        starts = list(json.loads((folder / FILE).read_text(encoding="utf-8"))["starts"])
    write_json(folder / FILE, {"starts": [*starts, environment(trainer)]})


def environment(trainer: Trainer) -> dict[str, Any]:
    """When this run was started, with which versions, and on which machine. Memory in GiB."""
    device = trainer.strategy.root_device
    gpu: dict[str, Any] = {}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        gpu = {"gpu": properties.name, "gpu_memory_gib": round(properties.total_memory / 2**30, 1)}
        gpu["cuda"] = torch.version.cuda
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "ranks": trainer.world_size,
        "nodes": trainer.num_nodes,
        "started_by": this_launch().by or "fit",
        **gpu,
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), "longalign": longalign.__version__, **versions()},
        "commit": commit(),
    }


def versions() -> dict[str, str]:
    """Versions of the installed packages that decide what a step computes and how fast."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def commit() -> str | None:
    """The git commit that this package is of, with "-dirty" where its files differ; None outside a checkout."""
    package = Path(longalign.__file__).parent

    def git(*args: str) -> str:
        done = subprocess.run(["git", "-C", package, *args], capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # fails where the repository around it is another project's
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def cpu_name() -> str:
    """The processor's name, as far as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
