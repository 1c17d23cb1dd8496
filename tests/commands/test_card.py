"""Run cards: of a real run, of what a kill leaves, of folders that lack pieces, and of hostile ones."""

import json
import math
import re
import shutil
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from torch.utils.tensorboard import SummaryWriter

from longalign.__main__ import main
from longalign.commands.run_card.chart import Line, line_chart, log_ticks, means, number, thin, ticks
from longalign.commands.run_card.events import read_events
from longalign.commands.run_card.facts import commands, status
from longalign.commands.run_card.folder import read_folder
from longalign.commands.run_card.options import default_options, differences, without_secrets
from longalign.data.mixture import Source
from longalign.training.data_record import FILE as DATA
from longalign.training.environment import FILE as ENVIRONMENT
from longalign.training.environment import commit
from tests.conftest import KEY
from tests.training.conftest import fit_arguments

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Well-formed? Which elements, attributes and texts?"""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.lines: list[dict] = []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        found = dict(attrs)
        self.links += [found[key] for key in ("href", "src", "action", "srcset") if key in found]
        if "data-lines" in found:
            self.lines.append(json.loads(found["data-lines"]))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data


@pytest.fixture(scope="module")
def run(files, tmp_path_factory) -> Path:
    """A finished run of the tiny model, with held-out rows, buckets and a needle probe."""
    root = tmp_path_factory.mktemp("runs") / "tiny"
    callbacks = [
        "--trainer.callbacks+=longalign.training.callbacks.ValidateAtEnds",
        "--trainer.callbacks+=longalign.training.callbacks.NeedleProbe",
        "--trainer.callbacks.lengths=[500]",
        "--trainer.callbacks.depths=[20,80]",
    ]
    steps = ["--data.packs_per_step=2", "--data.validation=3", "--trainer.max_steps=3"]
    buckets = ["--data.long.buckets", "{0-500: {count: 1}, 500-: {}}"]
    assert main([*fit_arguments(files, root), *steps, *buckets, *callbacks]) == 0
    return root


def card(run: Path, *more: str, status: int = 0) -> Page:
    assert main(["card", str(run), *more]) == status
    return Page((run / "card.html").read_text(encoding="utf-8"))


def copy(run: Path, tmp_path: Path, *without: str) -> Path:
    target = shutil.copytree(run, tmp_path / "copy")
    for name in without:
        shutil.rmtree(target / name) if (target / name).is_dir() else (target / name).unlink()
    return target


def events(folder: Path, curves: dict[str, dict[int, float]], at: float, suffix: str) -> None:
    with SummaryWriter(str(folder / "tensorboard"), filename_suffix=suffix) as writer:
        for tag, points in curves.items():
            for step, value in points.items():
                writer.add_scalar(tag, value, step, walltime=at + step)


def test_a_fit_records_its_environment_and_data(run):
    (start,) = json.loads((run / ENVIRONMENT).read_text())["starts"]
    assert start["versions"]["torch"] and start["ranks"] == 1 and start["cpu"]
    assert KEY not in (run / ENVIRONMENT).read_text()
    data = json.loads((run / DATA).read_text())
    assert [source["name"] for source in data["sources"]] == ["long", "short"]
    assert all(len(digest) == 64 for source in data["sources"] for digest in source["data"])
    assert [bucket["name"] for bucket in data["sources"][0]["buckets"]] == ["0-500", "500-"]
    assert data["sources"][1]["report"]["dropped"] == {"no_target": 1}
    assert data["plan"]["steps_of_the_run"] == 3 and len(data["plan"]["digests"]) == 1


def test_the_card_of_a_run_tells_it_all_and_asks_for_nothing_from_elsewhere(run):
    page = card(run)
    for said in ("finished, 3 steps", "long 0-500", "1 × no target (dropped)", "held-out loss by position", "probe at"):
        assert said in page.text, said
    data = json.loads((run / DATA).read_text())
    for known in (data["sources"][0]["data"][0], data["plan"]["digests"][0], "checkpoints/step000003.ckpt", "torch"):
        assert known in page.text
    assert f"longalign export --checkpoint {run}" in page.text and "--ckpt_path" not in page.text
    assert page.links == [] and "link" not in page.tags and "img" not in page.tags
    text = (run / "card.html").read_text()
    assert not re.search(r"https?://|@import|url\(", text) and KEY not in text
    losses = next(lines for lines in page.lines if [curve[0] for curve in lines["lines"]] == ["training", "held out"])
    assert [[step for step, _ in curve[2]] for curve in losses["lines"]] == [[1, 2, 3], [0, 3]]


def test_options_that_differ_come_first_and_no_others(run):
    page = card(run)
    first, rest = page.text.split("Options that are not the default")[1].split("The whole config.yaml")
    assert "data.chat_format" in first and "data.seed" not in first and "seed: 0" in rest
    assert "{0-500: {count: 1}, 500-: {}}" in first and "share_of_tokens" not in first


def test_markdown_is_a_model_card(run, capsys):
    capsys.readouterr()
    assert main(["card", str(run), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == "llama_tiny"
    assert "| long | 10 |" in re.sub(" +", " ", body) and "held-out loss" in body and "<" not in body
    assert "llama_tiny, trained with longalign: " in body  # it may have been on raw text alone
    assert "ranks: 1 on CPU; nodes: 1; started by" in body
    tables = [line for line in body.splitlines() if line.startswith("| long")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in tables}) == 1


def test_a_run_that_goes_on_adds_a_start_and_counts_its_steps_once(files, tmp_path):
    root = tmp_path / "run"
    options = [*fit_arguments(files, root), "--data.packs_per_step=1", "--checkpoint.every_n_steps=1"]
    assert main([*options, "--trainer.max_steps=1"]) == 0
    assert status(read_folder(root)).state == "finished"
    assert main([*options, "--trainer.max_steps=2", "--ckpt_path=auto"]) == 0
    found = read_folder(root)
    assert len(found.starts) == 2 and str(status(found)) == "finished, 2 steps"
    assert [point.step for point in found.events.curves["train/loss"]] == [1, 2] and len(found.events.spells) == 2


def test_steps_that_were_taken_back_are_not_drawn(tmp_path):
    killed = {"train/loss": {s: 1.0 for s in range(1, 9)}, "val/loss": {4: 5.0, 8: 5.0}}
    events(tmp_path, killed, at=1000, suffix=".a")
    events(tmp_path, {"train/loss": {5: 2.0, 6: 2.0}}, at=5000, suffix=".b")
    found = read_events(sorted((tmp_path / "tensorboard").iterdir())[::-1])
    assert [(p.step, p.value) for p in found.curves["train/loss"]] == [(s, 1.0 if s < 5 else 2.0) for s in range(1, 7)]
    assert [p.step for p in found.curves["val/loss"]] == [4]


def test_a_validation_in_the_runs_folder_takes_no_step_back(tmp_path):
    events(tmp_path, {"train/loss": {1: 1.0, 2: 1.0}, "val/loss": {0: 5.0, 2: 4.0}}, at=1000, suffix=".a")
    events(tmp_path, {"val/loss": {0: 5.0}}, at=5000, suffix=".b")
    found = read_folder(tmp_path).events
    assert [p.step for p in found.curves["val/loss"]] == [0, 2] and len(found.spells) == 1


def test_a_torn_event_file_gives_what_was_whole(tmp_path):
    events(tmp_path, {"train/loss": {s: 1.0 for s in range(1, 50)}}, at=0, suffix=".a")
    (file,) = (tmp_path / "tensorboard").iterdir()
    file.write_bytes(file.read_bytes()[:-13])
    (tmp_path / "tensorboard/events.out.tfevents.0.empty").touch()
    (tmp_path / "tensorboard/events.out.tfevents.0.noise").write_bytes(bytes(range(256)) * 9)
    curve = read_folder(tmp_path).events.curves["train/loss"]
    assert [p.step for p in curve] == list(range(1, 49))
    assert "no held" not in card(tmp_path).text


@pytest.mark.parametrize(
    ("seconds_since", "state"), [(5, "running at step 3 of 10"), (10_000, "stopped at step 3 of 10")]
)
def test_a_run_that_is_silent_has_stopped(tmp_path, seconds_since, state):
    events(tmp_path, {"train/loss": dict.fromkeys((1, 2, 3), 1.0), "train/epoch": {3: 0.6}}, at=1000, suffix=".a")
    (tmp_path / "config.yaml").write_text("data: {epochs: 2}\ntrainer: {max_steps: -1}\n")
    found = read_folder(tmp_path)
    assert str(status(found, now=1003 + seconds_since)) == state
    (how,) = [command for purpose, command in commands(found) if purpose == "go on"]
    assert "--ckpt_path auto" in how and f"--trainer.default_root_dir {tmp_path}" in how


@pytest.mark.parametrize(
    "name", ["config.yaml", "environment.json", "data.json", "tensorboard", "checkpoints", "needle.jsonl"]
)
def test_a_missing_piece_is_said_and_the_rest_is_shown(run, tmp_path, name):
    page = card(copy(run, tmp_path, name))
    assert name == "needle.jsonl" or f"{name}: " in page.text
    for section, source in (("Data", "data.json"), ("loss by step", "tensorboard"), ("export", "checkpoints")):
        assert (section in page.text.replace("data.", "")) == (name != source)


def test_a_run_killed_before_its_first_step_has_a_card(run, tmp_path):
    page = card(copy(run, tmp_path, "tensorboard", "checkpoints", "needle.jsonl"))
    assert "before step 1 of 3" in page.text and "checkpoints: none yet" in page.text
    assert "longalign fit --config" in page.text and "Curves" not in page.text


def test_no_run_folder_is_one_line(tmp_path, capsys, run):
    for folder, said in ((tmp_path, "is no run's folder"), (tmp_path / "no", "is no folder"), (run.parent, "tiny?")):
        assert main(["card", str(folder)]) == 2
        err = capsys.readouterr().err
        assert said in err and len(err.splitlines()) == 1 and not (folder / "card.html").exists()
    assert main(["card"]) == 2
    assert main(["card", str(run), "--out", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


EVIL = "<script>alert(1)</script>\"'&|@BODY@\ud800"


def test_what_a_run_says_of_itself_is_text(run, tmp_path):
    folder = copy(run, tmp_path)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["model"] = "<img src=x onerror=alert(1)>@TITLE@"
    config["trainer"]["logger"] = {"class_path": "L", "init_args": {"api_key": "sk-secret", "name": "</pre><b>"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    data = json.loads((folder / "data.json").read_text())
    data["sources"][0] |= {"name": EVIL, "path": EVIL, "data": [EVIL], "report": {"dropped": {EVIL: 3}}}
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "environment.json").write_text(json.dumps({"starts": [{"cpu": EVIL, "versions": {EVIL: EVIL}}]}))
    evil = {"train/loss_source/</svg><script>": {1: 1.0, 2: float("nan")}, "train/loss": {1: math.inf, 2: 1.0}}
    events(folder, evil, at=0, suffix=".e")
    page, plain = card(folder), card(run)
    assert page.tags.count("script") == plain.tags.count("script") == 1 and "img" not in page.tags
    assert "sk-secret" not in (folder / "card.html").read_text() and "(hidden)" in page.text
    assert "alert(1)" in page.text and "@BODY@" in page.text
    assert main(["card", str(folder), "--format", "markdown", "--out", str(tmp_path / "README.md")]) == 0
    assert "<script" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("junk", ["", "[]", "null", "{", "7", '"a"', "{}", '{"starts": 3, "sources": {}, "plan": []}'])
def test_records_of_any_kind_give_a_card(run, tmp_path, junk):
    folder = copy(run, tmp_path)
    for name in ("config.yaml", "environment.json", "data.json", "needle.jsonl", "checkpoints/hf/config.json"):
        (folder / name).write_text(junk + "\n")
    (folder / "needle").mkdir()
    for name in ("summary.json", "settings.json"):
        (folder / "needle" / name).write_text(junk)
    (folder / "chat").mkdir()
    (folder / "chat/judgements.jsonl").write_text(junk)
    assert "loss by step" in card(folder).text


def test_rows_of_the_probe_that_are_torn_or_strange_are_counted(run, tmp_path):
    folder = copy(run, tmp_path)
    with (folder / "needle.jsonl").open("a") as file:
        file.write('{"step": 3, "length": "x"}\n[]\n{"step": 3, "length": 500, "depth": NaN, "recall": 1}\n{"st')
    assert "needle.jsonl: 4 unreadable lines left out" in card(folder).text


def test_needle_tests_and_exports_in_the_folder_are_shown(run, tmp_path, capsys):
    folder = copy(run, tmp_path)
    assert main(["export", "--checkpoint", str(folder), "--target", str(folder / "hf-model")]) == 0
    small = ["--fake=recency", "--lengths=400,800", "--depths=10,90"]
    assert main(["needle", "--out", str(folder / "needle"), *small]) == 0
    assert main(["needle", "--out", str(tmp_path / "elsewhere"), *small, "--task=kv"]) == 0
    page = card(folder, "--needle", str(tmp_path / "elsewhere"))
    assert page.links == ["needle/report.html"] and (folder / page.links[0]).is_file()
    assert "Needle test, single" in page.text and "Needle test, kv" in page.text and "hf-model" in page.text
    assert main(["card", str(folder), "--needle", str(run)]) == 2
    assert "has no summary.json" in capsys.readouterr().err
    assert main(["card", str(folder), "--longbench_chat", str(run)]) == 2
    assert "longbench_chat: " in capsys.readouterr().err


def test_longbench_chat_means_are_shown(run, tmp_path):
    folder = copy(run, tmp_path)
    setup = {"judge": "j", "preset": "few_shot", "scale": [1, 10], "protocol": "paper", "repeats": 1}
    base = {
        "status": "ok",
        "model": "m",
        "setup": setup,
        "language": "en",
        "full_tokens": 5000,
        "cut_tokens": 0,
        "type": "a",
    }
    rows = [{**base, "key": str(i), "case": str(i), "score": 6 + i % 3} for i in range(6)]
    (folder / "chat").mkdir()
    (folder / "chat/judgements.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "LongBench-Chat: rated by j" in card(folder).text and "7.00" in card(folder).text


def test_secrets_are_hidden_and_names_like_them_are_not():
    config = {"tokenizer": "t", "api_key": "x", "hub_token": "x", "key": {"max_tokens": 5}, "list": [{"password": "x"}]}
    assert without_secrets(config) == {
        **{"tokenizer": "t", "api_key": "(hidden)", "hub_token": "(hidden)", "key": {"max_tokens": 5}},
        "list": [{"password": "(hidden)"}],
    }
    assert differences({"a": {"b": 1, "c": None, "d": 2}}, {"a": {"b": 1, "d": 3}}) == [("a.d", "2", "3")]


def test_of_a_text_source_only_what_was_given_differs_from_the_default():
    config = {"data": {name: asdict(Source(name)) for name in ("long", "text")}}
    assert [key for key, *_ in differences(config, default_options(config))] == ["data.long.path", "data.text.path"]


def test_ticks_are_round_and_cover():
    for low, high in ((0, 1), (0.954, 2.4), (3, 3), (-1.2, 0.4), (1e-6, 2e-5), (0, 123_456), (0, 0)):
        found = ticks(low, high)
        assert found[0] <= low + 1e-12 and found[-1] >= high - 1e-12 and 2 <= len(found) <= 8
    assert ticks(1, 3, whole=True) == [1, 2, 3]
    assert log_ticks(0.02, 30) == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert [number(v) for v in (0.25, 12_500, 2e-5, 1.5e-5, 1000, 0, 3e6)] == [
        *("0.25", "12.5k", "2e-5", "1.5e-5", "1000", "0", "3M")
    ]


def test_a_long_curve_keeps_its_extremes_and_ends():
    points = [(float(s), math.sin(s / 50) + (99 if s == 777 else 0)) for s in range(20_000)]
    kept = thin(points)
    assert len(kept) <= 402 and max(kept, key=lambda p: p[1]) == points[777] and kept[-1] == points[-1]
    assert [s for s, _ in kept] == sorted(s for s, _ in kept)
    assert sum(y for _, y in means(points, 50)) / 50 == pytest.approx(sum(y for _, y in points) / 20_000)
    assert "nan" not in line_chart([Line("a", [(1.0, 2.0)], "c0")], "one point")
    assert line_chart([Line("a", [], "c0")], "nothing") == ""


def test_the_commit_is_of_this_package_or_none():
    found = commit()
    assert found is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", found)
