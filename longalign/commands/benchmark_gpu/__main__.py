"""Measure speed and memory of `longalign fit` on the GPUs of this machine, with full-size models of random weights.

Each case is one `longalign fit` with optimizer and data. It gives tokens/s; model TFLOP/s for each GPU (attention
causal and inside documents, recomputation not counted), also as a share of what a plain matrix multiplication reaches;
peak GiB and seconds a step, beside what was predicted; and the share of time in which the GPU waited for data. All are
medians of the last 10 steps; of the cases with LongAlign's mix of lengths, whose steps differ, they are those of these
steps together.

    bin/benchmark-gpu                                       every case that this machine has GPUs for
    bin/benchmark-gpu --cases 7b-document 7b-mix            some of them
    bin/benchmark-gpu --draw A/results.json B/results.json  one chart of several calls, on any machine
    bin/benchmark-gpu --cases 7b-document -- --model.checkpointing full --model.fused none

Options after `--` go to every `fit`. If trl is installed, its SFTTrainer is measured on the same data for comparison
(`bin/benchmark-trl`). Results are written to results.json in --out and, if matplotlib is installed, drawn in chart.png.
If a case fails, as most do on a small card, its line says why. The exit status is 1 if all cases failed.
"""

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers

from longalign.commands.benchmark_gpu.cases import CASES, LOSSES, PEER, WARM_UP, Settings
from longalign.commands.benchmark_gpu.chart import charted, describe, draw
from longalign.commands.benchmark_gpu.fit import run_case
from longalign.commands.benchmark_gpu.gpu import gemm_tflops
from longalign.commands.benchmark_gpu.peer import compare_losses, run_peer
from longalign.files import write_json


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="benchmark-gpu", description=__doc__, formatter_class=raw)
    parser.add_argument(
        "--cases", nargs="+", choices=[*CASES, PEER, LOSSES], help="cases to run (default: all that have enough GPUs)"
    )
    parser.add_argument("--steps", type=int, default=10 + WARM_UP, help="optimizer steps of each fit")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"), help="folder of all files")
    parser.add_argument(
        "--draw",
        type=Path,
        nargs="+",
        help="run nothing: draw one chart.png of these results.json (of a case in several the last counts)",
    )
    parser.add_argument("options", nargs="*", help="more options of fit, after --")
    return parser


def main(arguments: list[str]) -> int:
    """Run the cases, or draw the results of earlier calls; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    if args.draw:
        results = read_results(args.draw, parser)
        args.out.mkdir(parents=True, exist_ok=True)
        draw(results, args.out / "chart.png")
        return 0
    if not torch.cuda.is_available():
        print("benchmark-gpu: error: no CUDA GPU here", file=sys.stderr)
        return 2
    result = run_cases(args.cases or default_cases(), Settings(args.out, args.steps, tuple(args.options)))
    if importlib.util.find_spec("matplotlib") and charted([result]):
        draw([result], args.out / "chart.png")
    return int(all("failed" in row for row in result["rows"]))


def read_results(files: list[Path], parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
    """Read results.json of several calls; files without figures end the program by the parser's error."""
    try:
        results = [json.loads(file.read_text()) for file in files]
        if not charted(results):
            parser.error("--draw: no case there has TFLOP/s")
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"--draw: {error!r} in {', '.join(map(str, files))}, expected results.json of this script")
    return results


def default_cases() -> list[str]:
    """The cases that this machine has enough GPUs for, and those of TRL if it is installed."""
    names = [name for name, case in CASES.items() if (case.gpus or 2) <= torch.cuda.device_count()]
    return names + ([PEER, LOSSES] if importlib.util.find_spec("trl") else [])


def run_cases(names: list[str], settings: Settings) -> dict[str, Any]:
    """Run cases one after the other, print a line for each, and write all figures after each; returns them."""
    gpu, gemm = torch.cuda.get_device_name(), gemm_tflops()
    result: dict[str, Any] = {"gpu": gpu, "gemm_tflops": gemm}
    result |= {"torch": torch.__version__, "transformers": transformers.__version__, "rows": []}
    print(f"{gpu}, bf16 matrix multiplication {gemm:.0f} TFLOP/s, torch {torch.__version__}")
    settings.out.mkdir(parents=True, exist_ok=True)
    others = {PEER: run_peer, LOSSES: compare_losses}
    for name in names:
        row = others[name](settings) if name in others else run_case(name, CASES[name], settings)
        result["rows"].append(row)
        print(describe(row, gemm), flush=True)
        write_json(settings.out / "results.json", result)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
