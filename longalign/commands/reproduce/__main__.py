"""The whole recipe on a model that anyone can have: bin/reproduce [--out DIR] [--acts data,before,...] [--dry_run]

SmolLM2-135M-Instruct, made for 8k tokens, is taken to 64k: the needle test of the model as it comes, with another
rotary base alone, after further pre-training on raw text, and after alignment on long and short conversations; then
ways of batching side by side, other shares of long data, and 128k. Each step is a `longalign` command, which is printed
as it can be typed; a step whose result is there is not done again, so a run that was stopped goes on. The figures go to
OUT/results.json, results.md and heatmaps.png.
"""

import argparse
import itertools
import json
import logging
import sys
from pathlib import Path

from longalign.__main__ import guard
from longalign.commands.interrupt import interruptible
from longalign.commands.reproduce.figures import Models, collect, join
from longalign.commands.reproduce.recipe import ACTS, Recipe
from longalign.commands.reproduce.report import draw, report
from longalign.commands.reproduce.scale import SCALES
from longalign.commands.reproduce.steps import Runner, shown
from longalign.commands.reproduce.texts import find_original, python_manual, python_text
from longalign.errors import UserError
from longalign.files import read_json


def parse(args: list[str]) -> argparse.Namespace:
    """The options."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="bin/reproduce", description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"))
    parser.add_argument("--model", type=Path, help="folder of the original model; by default SmolLM2-135M-Instruct")
    parser.add_argument("--acts", default=",".join(ACTS), help=f"some of {', '.join(ACTS)}, in this order")
    parser.add_argument("--scale", choices=SCALES, default="full", help="small: to see that it works, on a CPU")
    parser.add_argument("--parallel", type=int, default=1, help="steps at a time that share the GPU; never two fits")
    parser.add_argument("--dry_run", action="store_true", help="print the commands")
    parser.add_argument(
        "--draw", type=Path, nargs="+", metavar="RESULTS", help="only join results.json of several calls, the last wins"
    )
    return parser.parse_args(args)


def run(name: str, args: list[str]) -> None:
    """Do the acts, or print their commands, or draw what others have measured."""
    options = parse(args)
    out = options.out
    if options.draw:
        out.mkdir(parents=True, exist_ok=True)
        write_results(out, join(map(read_json, options.draw)))
        return
    if unknown := set(options.acts.split(",")) - set(ACTS):
        raise UserError(f"--acts: got {', '.join(sorted(unknown))}, expected some of {', '.join(ACTS)}")
    if options.parallel < 1:
        raise UserError(f"--parallel: got {options.parallel}, expected 1 or more")
    original = options.model or out / "models" / "original"
    recipe = Recipe(out, SCALES[options.scale], original, out / "data" / "python", out / "data" / "manual")
    acts = [ACTS[act](recipe) for act in options.acts.split(",")]
    if options.dry_run:
        for group in itertools.chain(*acts):
            print("\n".join(map(shown, group)))
        return
    find_original(original)
    python_text(recipe.text)
    python_manual(recipe.haystack)
    runner = Runner(out, options.parallel)
    with interruptible():
        for act in acts:
            for group in act:
                runner(group)
            models = write_results(out, collect(out))
    print(report(models))


def write_results(out: Path, models: Models) -> Models:
    """The figures as JSON, Markdown and a picture."""
    (out / "results.json").write_text(json.dumps(models, indent=1))
    (out / "results.md").write_text(report(models))
    draw(models, out / "heatmaps.png")
    return models


if __name__ == "__main__":
    logging.getLogger("tensorboard").setLevel(logging.WARNING)
    sys.exit(guard("reproduce", run, sys.argv[1:]))
