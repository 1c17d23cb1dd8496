"""The script of the whole recipe: its commands are such as can be typed, and its figures are those of its files."""

import inspect
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from torch.utils.tensorboard import SummaryWriter

from longalign.commands.data_answer import answer
from longalign.commands.data_generate import generate
from longalign.commands.export import export
from longalign.commands.needle import needle
from longalign.commands.reproduce.figures import collect, training_figures
from longalign.commands.reproduce.recipe import ACTS, Recipe
from longalign.commands.reproduce.report import draw, report
from longalign.commands.reproduce.runner import Runner
from longalign.commands.reproduce.scale import SCALES
from longalign.commands.reproduce.steps import Step
from longalign.commands.reproduce.texts import python_manual, python_text, write_texts
from longalign.errors import UserError
from tests.commands.test_configs import ParseOnly
from tests.training.conftest import TINY

ROOT = Path(__file__).parent.parent
FUNCTIONS = {"data generate": generate, "data answer": answer, "export": export, "needle": needle}


def commands(*options: str) -> list[list[str]]:
    done = subprocess.run([ROOT / "bin/reproduce", "--dry_run", *options], capture_output=True, text=True, check=True)
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


def test_documents_of_the_small_scale_have_room_for_their_questions(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for number, words in enumerate(commands("--scale", "small", "--acts", "data,further")):
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        if words[1] == "generate":
            changed = {"out": str(tmp_path / f"{number}.jsonl"), "tokenizer": TINY, "count": int(options["count"])}
            if "text" in options:
                changed["text"] = str(python_text(tmp_path / "text"))
            generate(**options | changed)
    assert len(list(tmp_path.glob("*.jsonl"))) == 11


def test_only_needle_tests_share_a_gpu_among_the_steps_that_fill_its_memory(tmp_path):
    recipe = Recipe(tmp_path, SCALES["full"], Path("original"), Path("text"), Path("haystack"))
    alone = {(step.arguments[0], step.alone) for act in ACTS.values() for step in act(recipe)}
    assert {("fit", True), ("validate", True), ("needle", False)} <= alone
    assert len({command for command, _ in alone}) == len(alone)


def test_steps_use_what_earlier_steps_have_made(tmp_path):
    recipe = Recipe(tmp_path, SCALES["full"], Path("original"), Path("text"), Path("haystack"))
    made: set[Path] = set()
    for step in (step for act in ACTS.values() for step in act(recipe)):
        words = shlex.split(" ".join(step.arguments).replace("=", " "))
        paths = [Path(word.strip("{},")) for word in words if str(tmp_path) in word]
        folder = {step.result.parent} if step.arguments[0] in ("needle", "validate") else set()
        own = {step.result, *folder}  # and a fit's folder of its run, which its export reads
        assert not [path for path in paths if path not in made | own and "runs" not in path.parts], step.name
        assert all(map(step.reads, made & {*paths}))
        made.add(step.result)


def test_the_tables_hold_the_files_figures(tmp_path):
    rows = [{"length": 1000, "recall": 0.5, "low": 0.3, "high": 0.7, "n": 24}]
    cells = [{"length": 1000, "depth": 50.0, "recall": 0.5, "n": 24}]
    summary = {"by_length": rows, "cells": cells, "effective_length": {"length": 1000}, "planned": 24}
    tests = (
        ("as_it_comes", "kv", 24, 0),
        ("aligned", "kv", 24, 0),
        ("aligned", "single", 23, 0),
        ("base", "kv", 24, 1),
    )
    for name, task, asked, failed in tests:
        folder = tmp_path / "needle" / name / task
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps(summary | {"prompts": asked, "failed": failed}))
        step = Step("needle", (), folder / "summary.json")
        assert step.is_done() == (asked - failed == 24)
    (tmp_path / "held_out/aligned").mkdir(parents=True)
    losses = {f"loss_source/{name}": value for name, value in (("long", 0.25), ("short", 0.5), ("own", 0.75))}
    (tmp_path / "held_out/aligned/validation.json").write_text(json.dumps(losses))
    (tmp_path / "runs/packing/tensorboard").mkdir(parents=True)
    found = collect(tmp_path)
    assert list(found) == ["as_it_comes", "aligned"]  # packing is still training
    assert found["aligned"]["needle"]["kv"]["cells"] == [[1000, 50.0, 0.5]]
    assert "single" not in found["aligned"]["needle"]  # stopped: what it has says little of the whole
    text = re.sub(" +", " ", report(found))
    assert "| as_it_comes | 0.50 (0.30-0.70) | 1,000 |" in text and "| aligned | 0.2500 | 0.5000 | 0.7500 |" in text
    assert text.index("as_it_comes") < text.index("| aligned |")


def test_steps_that_a_resumed_run_repeated_count_once(tmp_path):
    curves = {
        "train/loss": 2.0, "train/sequences": 4.0, "train/tokens": 100.0, "perf/seconds_per_step": 0.5,
        "perf/tokens_per_s": 200.0, "memory/peak_gib": 1.5,
    }  # fmt: skip
    for start, factor, steps in ((0, 3, (1, 2, 3)), (100, 1, (2, 3, 4))):  # killed after step 3, resumed from step 1
        with SummaryWriter(str(tmp_path), filename_suffix=f".{start}") as writer:
            for step in steps:
                for tag, value in curves.items():
                    writer.add_scalar(tag, factor * value, step, walltime=start + step)
    expected = {"steps": 4, "sequences": 24, "tokens": 600, "seconds": 3, "tokens_per_s": 200, "peak_gib": 4.5}
    assert training_figures(tmp_path) == expected


def test_the_picture_shows_each_models_recall_where_it_was_measured(tmp_path):
    spots = [(length, depth) for length in (1000, 64000) for depth in (10.0, 90.0)]
    models = {
        name: {"needle": {"single": {"cells": [[*spot, recall] for spot, recall in zip(spots, recalls, strict=True)]}}}
        for name, recalls in (("as_it_comes", (1.0, 1.0, 0.0, 0.0)), ("aligned", (1.0, 0.5, 1.0, None)))
    }
    figure = draw(models | {"naive": {}}, tmp_path / "heatmaps.png")
    assert (tmp_path / "heatmaps.png").read_bytes().startswith(b"\x89PNG")
    grids = {axis.get_title(loc="left"): axis.images[0].get_array() for axis in figure.axes if axis.images}
    assert grids["as it comes"].tolist() == [[1, 0], [1, 0]]
    assert grids["aligned"].tolist() == [[1, 1], [0.5, None]]  # masked: not known
    assert len(grids) == 2
    assert draw({"naive": {}}, tmp_path / "none.png") is None and not (tmp_path / "none.png").exists()


def test_figures_of_several_calls_are_joined_and_the_later_win(tmp_path):
    def test(recall):
        row = {"length": 1000, "recall": recall, "low": recall, "high": recall, "n": 8}
        return {"effective_length": 1000, "by_length": {"1000": row}, "cells": [[1000, 50.0, recall]]}

    training = {"steps": 3, "sequences": 9, "tokens": 99, "tokens_per_s": 9, "peak_gib": 1.0}
    before = {"as_it_comes": {"needle": {"single": test(0.5), "kv": test(0.5)}, "held_out": {"loss_source/long": 1.0}}}
    after = {
        "packing": {"training": training | {"seconds": 30}},
        "naive": {"training": training | {"seconds": 120}},
        "long-0": {"training": training | {"seconds": 60}},
        "as_it_comes": {"needle": {"kv": test(0.25)}},
    }
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, models in zip(files, (before, after), strict=True):
        file.write_text(json.dumps(models))
    subprocess.run([ROOT / "bin/reproduce", "--out", tmp_path / "out", "--draw", *files], check=True)
    joined = json.loads((tmp_path / "out/results.json").read_text())
    assert list(joined) == ["as_it_comes", "naive", "packing", "long-0"]
    assert [joined["as_it_comes"]["needle"][task]["cells"][0][2] for task in ("single", "kv")] == [0.5, 0.25]
    text = re.sub(" +", " ", (tmp_path / "out/results.md").read_text())
    assert "| as_it_comes | 1.0000 |" in text and "| packing | 3 | 9 | 99 | 1 | 30 | 9 | – | 0.25 |" in text
    assert "| long-0 | 3 | 9 | 99 | 1 | – | – | – | – |" in text  # it may have shared its GPU
    assert (tmp_path / "out/heatmaps.png").exists()


def test_a_step_that_fails_is_named_with_its_log(tmp_path):
    step = Step("export-none", ("export", "--checkpoint=none", "--target=there"), tmp_path / "there")
    with pytest.raises(UserError, match=r"export-none ended with status 2: see .*logs/export-none.log"):
        list(Runner(tmp_path, 1)([step]))
    assert "error:" in (tmp_path / "logs/export-none.log").read_text()


STOPPED = """
import sys
from pathlib import Path
from typing import ClassVar
from longalign.commands.interrupt import interruptible
from longalign.commands.reproduce.runner import Runner
from longalign.commands.reproduce.steps import Step
out = Path(sys.argv[1])
files = [out / "a.jsonl", out / "b.jsonl"]
steps = [Step(file.stem, ("data", "generate", f"--out={file}", "--count=1000000"), file) for file in files]
with interruptible():
    list(Runner(out, 2)(steps))
"""


class FakeProcess:
    """A step that ends when it has been looked at a few times."""

    begun: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, command, env, **_):
        self.name, self.looks = command[3], int(command[4])
        self.begun.append((self.name, env["CUDA_VISIBLE_DEVICES"]))

    def poll(self):
        self.looks -= 1
        self.returncode = None if self.looks else int(self.name == "broken")
        return self.returncode

    def terminate(self):
        pass

    def wait(self):
        pass


def order(monkeypatch, out, steps, gpus):
    """The steps in the order in which they begin, each with its GPU; those that have ended."""
    monkeypatch.setattr("longalign.commands.reproduce.runner.subprocess.Popen", FakeProcess)
    monkeypatch.setattr("longalign.commands.reproduce.runner.POLL_SECONDS", 0)
    monkeypatch.setattr(FakeProcess, "begun", [])
    ended = []
    try:
        for step in Runner(out, 2, gpus)(steps):
            ended.append(step.name)
    except UserError as error:
        ended.append(str(error))
    return FakeProcess.begun, ended


def test_steps_begin_as_soon_as_what_they_read_and_a_gpu_are_free(tmp_path, monkeypatch):
    def step(name, looks, *reads, alone=False):
        return Step(name, (name, str(looks), *(f"--model={tmp_path / path}" for path in reads)), tmp_path / name, alone)

    steps = [
        step("data", 3),
        step("slow", 9),
        step("fit", 4, "data", alone=True),
        step("other", 2, alone=True),
        step("test", 1, "fit"),
        step("test_2", 1, "fit"),
    ]
    begun, ended = order(monkeypatch, tmp_path, steps, ["0", "1"])
    assert begun == [
        ("data", "0"),
        ("slow", "0"),
        ("other", "1"),  # fit waits for data
        ("fit", "1"),
        ("test", "0"),  # beside slow, which keeps the other whole
        ("test_2", "1"),
    ]
    assert ended == ["other", "data", "fit", "test", "test_2", "slow"]
    begun, _ = order(monkeypatch, tmp_path, steps, ["7"])  # the tests do not get in before a fit that waits
    assert [name for name, _ in begun] == ["data", "slow", "fit", "other", "test", "test_2"]
    (tmp_path / "data").touch()  # made in an earlier call
    begun, _ = order(monkeypatch, tmp_path, steps[:3], ["0", "1"])
    assert begun == [("slow", "0"), ("fit", "1")]
    begun, ended = order(monkeypatch, tmp_path, [step("broken", 1), *steps[1:2], step("next", 1, "broken")], ["0"])
    assert [name for name, _ in begun] == ["broken", "slow"]  # and slow runs to its end
    assert ended == ["slow", f"broken ended with status 1: see {tmp_path}/logs/broken.log"]


def test_a_stop_signal_takes_the_running_steps_along(tmp_path):
    running = subprocess.Popen([sys.executable, "-c", STOPPED, tmp_path])
    while len(list(tmp_path.glob(".*.jsonl.incomplete"))) < 2:
        assert running.poll() is None
        time.sleep(0.1)
    steps = psutil.Process(running.pid).children(recursive=True)
    running.terminate()
    assert running.wait(timeout=60) == 143 and len(steps) >= 2
    assert not psutil.wait_procs(steps, timeout=10)[1]
    assert not list(tmp_path.glob(".*")) and (tmp_path / "logs/a.log").read_text().endswith("nothing was written\n")


def test_texts_appear_when_they_are_whole(tmp_path):
    folder = python_manual(tmp_path / "manual")
    assert [file.name for file in folder.iterdir()] == ["manual.txt"] and not list(tmp_path.glob(".*"))
    assert len((folder / "manual.txt").read_text()) > 300_000


def test_texts_have_no_files_of_a_run_that_was_killed(tmp_path):
    killed = tmp_path / ".texts.incomplete"
    killed.mkdir()
    (killed / "old.txt").touch()
    folder = write_texts(tmp_path / "texts", {"new": "x"})
    assert [file.name for file in folder.iterdir()] == ["new.txt"] and list(tmp_path.iterdir()) == [folder]
