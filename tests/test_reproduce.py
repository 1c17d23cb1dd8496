"""The script of the whole recipe: its commands are such as can be typed, and its figures are those of its files."""

import importlib.machinery
import importlib.util
import inspect
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from longalign.commands.data_answer import answer
from longalign.commands.data_generate import generate
from longalign.commands.export import export
from longalign.commands.needle import needle
from tests.commands.test_configs import ParseOnly

ROOT = Path(__file__).parent.parent
FUNCTIONS = {"data generate": generate, "data answer": answer, "export": export, "needle": needle}


@pytest.fixture(scope="module")
def reproduce():
    loader = importlib.machinery.SourceFileLoader("reproduce", str(ROOT / "bin/reproduce"))
    spec = importlib.util.spec_from_loader("reproduce", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reproduce"] = module  # where dataclasses look
    loader.exec_module(module)
    return module


def commands(*options: str) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, ROOT / "bin/reproduce", "--dry_run", *options], capture_output=True, text=True, check=True
    )
    return [shlex.split(line)[1:] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("scale", ["full", "small"])
def test_every_command_has_options_that_exist(scale, monkeypatch):
    monkeypatch.chdir(ROOT)
    seen = set()
    for words in commands("--scale", scale):
        name = " ".join(words[:2]) if words[0] == "data" else words[0]
        seen.add(name)
        if name in ("fit", "validate"):
            if name == "fit":
                assert ParseOnly(words).config.fit.data.max_length in (2048, 4096, 65536, 131072)
            continue
        options = {word[2:].partition("=")[0] for word in words if word.startswith("--")}
        assert options <= set(inspect.signature(FUNCTIONS[name]).parameters), words
    assert seen == {*FUNCTIONS, "fit", "validate"}


def test_steps_use_what_earlier_steps_have_made(reproduce, tmp_path):
    recipe = reproduce.Recipe(tmp_path, reproduce.SCALES["full"], Path("original"), Path("text"), Path("haystack"))
    made: set[Path] = set()
    for group in (group for act in reproduce.ACTS.values() for group in act(recipe)):
        for step in group:
            words = shlex.split(" ".join(step.arguments).replace("=", " "))
            paths = [Path(word.strip("{},")) for word in words if str(tmp_path) in word]
            folder = {step.result.parent} if step.arguments[0] in ("needle", "validate") else set()
            own = {step.result, *folder}  # and a fit's folder of its run, which its export reads
            assert not [path for path in paths if path not in made | own and "runs" not in path.parts], step.name
        made |= {step.result for step in group}


def test_the_tables_hold_the_files_figures(reproduce, tmp_path):
    rows = [{"length": 1000, "recall": 0.5, "low": 0.3, "high": 0.7, "n": 24}]
    cells = [{"length": 1000, "depth": 50.0, "recall": 0.5, "n": 24}]
    summary = {"by_length": rows, "cells": cells, "effective_length": {"length": 1000}, "planned": 24}
    for name, task, asked in (("as_it_comes", "kv", 24), ("aligned", "kv", 24), ("aligned", "single", 23)):
        folder = tmp_path / "needle" / name / task
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps(summary | {"prompts": asked}))
        step = reproduce.Step("needle", (), folder / "summary.json")
        assert step.is_done() == (asked == 24)
    (tmp_path / "held_out/aligned").mkdir(parents=True)
    losses = {f"loss_source/{name}": value for name, value in (("long", 0.25), ("short", 0.5), ("own", 0.75))}
    (tmp_path / "held_out/aligned/validation.json").write_text(json.dumps(losses))
    found = reproduce.collect(tmp_path)
    assert found["aligned"]["needle"]["kv"]["cells"] == [[1000, 50.0, 0.5]]
    assert "single" not in found["aligned"]["needle"]  # stopped: what it has says little of the whole
    text = reproduce.report(found)
    assert "| as_it_comes | 0.50 (0.30-0.70) | 1,000 |" in text and "| aligned | 0.2500 | 0.5000 | 0.7500 |" in text
    assert text.index("as_it_comes") < text.index("| aligned |")


def test_the_picture_shows_each_models_recall_where_it_was_measured(reproduce, tmp_path):
    spots = [(length, depth) for length in (1000, 64000) for depth in (10.0, 90.0)]
    models = {
        name: {"needle": {"single": {"cells": [[*spot, recall] for spot, recall in zip(spots, recalls, strict=True)]}}}
        for name, recalls in (("as_it_comes", (1.0, 1.0, 0.0, 0.0)), ("aligned", (1.0, 0.5, 1.0, None)))
    }
    figure = reproduce.draw(models | {"naive": {}}, tmp_path / "heatmaps.png")
    assert (tmp_path / "heatmaps.png").read_bytes().startswith(b"\x89PNG")
    grids = {axis.get_title(loc="left"): axis.images[0].get_array() for axis in figure.axes if axis.images}
    assert grids["as it comes"].tolist() == [[1, 0], [1, 0]]
    assert grids["aligned"].tolist() == [[1, 1], [0.5, None]]  # masked: not known
    assert len(grids) == 2
    assert reproduce.draw({"naive": {}}, tmp_path / "none.png") is None and not (tmp_path / "none.png").exists()


def test_texts_appear_when_they_are_whole(reproduce, tmp_path):
    folder = reproduce.python_manual(tmp_path / "manual")
    assert [file.name for file in folder.iterdir()] == ["manual.txt"] and not list(tmp_path.glob(".*"))
    assert len((folder / "manual.txt").read_text()) > 300_000
