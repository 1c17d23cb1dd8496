"""Run the whole recipe on a small model: bin/reproduce [--out DIR] [--acts data,before,...] [--dry_run]

SmolLM2-135M-Instruct, a model for 8k tokens, is extended to 64k. The needle test measures it as it comes, with another
rotary base alone, after further pre-training on raw text, and after alignment on long and short conversations. Then
strategies of batching and shares of long data are compared, and the model is extended to 128k.

Each step is a `longalign` command, which is logged as one could type it. A step whose result exists is skipped, so a
run that was stopped goes on. The figures are written to OUT/results.json, results.md and heatmaps.png.
"""

import argparse
import logging
import sys
from pathlib import Path

from longalign.__main__ import guard
from longalign.commands.interrupt import interruptible
from longalign.commands.reproduce.figures import Models, collect, join
from longalign.commands.reproduce.recipe import ACTS, Recipe
from longalign.commands.reproduce.report import draw, report
from longalign.commands.reproduce.runner import Runner
from longalign.commands.reproduce.scale import SCALES
from longalign.commands.reproduce.steps import Step, shown
from longalign.commands.reproduce.texts import find_original, python_manual, python_text
from longalign.errors import UserError
from longalign.files import read_json, write_json, write_text


def parse(args: list[str]) -> argparse.Namespace:
    """Parse the options."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="bin/reproduce", description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="folder of all files")
    parser.add_argument("--model", type=Path, help="folder of the original model; by default SmolLM2-135M-Instruct")
    parser.add_argument(
        "--acts", default=",".join(ACTS), help=f"parts to run, a comma list; by default all: {', '.join(ACTS)}"
    )
    parser.add_argument(
        "--scale", choices=SCALES, default="full", help="small: so little data that a CPU shows that all works"
    )
    parser.add_argument(
        "--parallel", type=int, default=1, help="steps at a time on a GPU; a fit or a validation has one to itself"
    )
    parser.add_argument("--dry_run", action="store_true", help="print the commands and stop")
    parser.add_argument(
        "--draw",
        type=Path,
        nargs="+",
        metavar="RESULTS",
        help="run nothing: join the results.json of several calls (of equal figures the last counts)",
    )
    return parser.parse_args(args)


def run(name: str, args: list[str]) -> None:
    """Run the acts, or print their commands, or join the results of earlier calls."""
    options = parse(args)
    out = options.out
    if options.draw:
        write_results(out, join(map(read_json, options.draw)))
        return
    if unknown := set(options.acts.split(",")) - set(ACTS):
        raise UserError(f"--acts: got {', '.join(sorted(unknown))}, expected some of {', '.join(ACTS)}")
    if options.parallel < 1:
        raise UserError(f"--parallel: got {options.parallel}, expected 1 or more")
    original = options.model or out / "models" / "original"
    recipe = Recipe(out, SCALES[options.scale], original, out / "data" / "python", out / "data" / "manual")
    acts = [list(ACTS[act](recipe)) for act in options.acts.split(",")]
    if options.dry_run:
        print("\n".join(shown(step) for act in acts for step in act))
        return
    find_original(original)
    python_text(recipe.text)
    python_manual(recipe.haystack)
    with interruptible():
        run_acts(acts, Runner(out, options.parallel))
    print(report(write_results(out, collect(out))))


def run_acts(acts: list[list[Step]], runner: Runner) -> None:
    """Run the steps of all acts, and write the results whenever an act is complete and others go on."""
    left = [{step for step in act if not step.is_done()} for act in acts]
    for step in runner([step for act in acts for step in act]):
        for steps in left:
            if step in steps:
                steps.remove(step)
                if not steps and any(left):
                    write_results(runner.out, collect(runner.out))


def write_results(out: Path, models: Models) -> Models:
    """Write the figures as JSON, Markdown and a picture; returns them."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "results.json", models)
    write_text(out / "results.md", report(models))
    draw(models, out / "heatmaps.png")
    return models


if __name__ == "__main__":
    logging.getLogger("tensorboard").setLevel(logging.WARNING)
    sys.exit(guard("reproduce", run, sys.argv[1:]))
