"""What the machine has: peak dense bf16 rates of GPUs, memory of the host, and the link between them.

An unknown GPU has no figure rather than a wrong one.
"""

from pathlib import Path

import torch

PEAK_BF16_FLOPS: tuple[tuple[str, float], ...] = (
    # (part of the name that torch reports, dense bf16 FLOP/s without sparsity, from NVIDIA's data sheets)
    ("H200 NVL", 835e12),  # H200 data sheet, NVL column (1,671 with sparsity)
    ("H200", 989.5e12),  # H200 data sheet, SXM column (1,979 with sparsity)
    ("H100 NVL", 835e12),  # H100 data sheet, NVL column
    ("H100 PCIe", 756e12),  # H100 data sheet of 2023, PCIe column (1,513 with sparsity)
    ("H100", 989.5e12),  # H100 data sheet, SXM column
    ("H800 PCIe", 756e12),  # as H100 PCIe
    ("H800", 989.5e12),  # as H100 SXM, with a slower NVLink
    ("H20", 148e12),  # H20 data sheet
    ("GB200", 2500e12),  # GB200 NVL72 data sheet, a GPU (5,000 with sparsity)
    ("B200", 2250e12),  # HGX B200 data sheet, a GPU (4,500 with sparsity)
    ("A100", 312e12),  # A100 data sheet, PCIe and SXM
    ("A800", 312e12),  # as A100, with a slower NVLink
    ("A40", 149.7e12),  # A40 data sheet
    ("A10", 125e12),  # A10 data sheet
    ("L40S", 362e12),  # L40S data sheet
    ("L40", 181e12),  # L40 data sheet
    ("L4", 121e12),  # L4 data sheet (242 with sparsity)
    ("RTX 4090", 165.2e12),  # Ada architecture white paper, fp32 accumulate
    ("RTX 3090", 71e12),  # Ampere GA102 white paper, fp32 accumulate
)

OTHER_CARDS = {"Ti", "D", "Laptop", "MIG", "GRID"}
"""Words behind a name of the table that make it another card, or a part of the card."""


def peak_bf16_flops(name: str) -> float | None:
    """Dense bf16 FLOP/s of the GPU that torch calls ``name``; None when the table does not have it."""
    words = f" {name} ".replace("-", " ")
    if OTHER_CARDS & set(words.split()):
        return None
    return next((peak for key, peak in PEAK_BF16_FLOPS if f" {key} " in words), None)


def device_peak_flops(device: torch.device) -> float | None:
    """Dense bf16 FLOP/s of ``device``; None for a CPU or an unknown GPU."""
    return peak_bf16_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None


def beside_other_programs(device: torch.device) -> str:
    """A part of an error message: how much of a GPU's memory other programs hold. Empty below 4 GiB, and for a CPU."""
    if device.type != "cuda":
        return ""
    free, total = torch.cuda.mem_get_info(device)
    others = (total - free - torch.cuda.memory_reserved(device)) / 2**30  # and up to 3 GiB of CUDA and its libraries
    return f", beside other programs with {others:.0f} of the GPU's {total / 2**30:.0f} GiB" if others >= 4 else ""


def host_link_bytes_per_s(device: torch.device, size: int = 1 << 27) -> float:
    """Bytes/s of copies between pinned host memory and a GPU, in the slower direction; 0 if memory cannot be pinned.

    Measured by copies of ``size`` bytes, which takes about 0.1 s.
    """
    try:
        host = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    except RuntimeError:  # the system or the container does not let us pin so much
        return 0.0
    there = torch.empty(size, dtype=torch.uint8, device=device)
    return size / max(_copy_seconds(there, host), _copy_seconds(host, there))


def _copy_seconds(target: torch.Tensor, source: torch.Tensor, times: int = 3) -> float:
    target.copy_(source)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(times):
        target.copy_(source, non_blocking=True)
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / times


def free_host_bytes(root: Path = Path("/")) -> int | None:
    """Bytes of memory left to this machine or to the process's container (control group), whichever is less.

    Memory that can be freed at once, such as cached files, counts as left. None where the system does not say.
    root: where /proc and /sys are.
    """
    left = []
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            left.append(int(line.split()[1]) * 1024)
    for folder, limit, used in (
        ("sys/fs/cgroup", "memory.max", "memory.current"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        bounds = [*_lines(root / folder / limit), *_lines(root / folder / used)]
        if len(bounds) == 2 and bounds[0] != "max":
            statistics = dict(line.split() for line in _lines(root / folder / "memory.stat"))
            cached = int(statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))
            left.append(int(bounds[0]) - int(bounds[1]) + cached)
    return max(0, min(left)) if left else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
