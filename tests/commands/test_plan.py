"""`longalign plan` through the command line: its figures against ones counted here, its screen, its refusals."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from longalign.__main__ import main
from longalign.chat import encode_conversation, load_tokenizer
from longalign.commands import plan_gpus
from longalign.data.sources import read_conversations
from tests.training.conftest import TINY

MODES = ("sequence", "token", "pack")


@pytest.fixture
def plan(longalign):
    def call(*more: str, **options) -> dict:
        return json.loads(longalign("plan", "--json", *more, **options)[0])

    return call


@pytest.fixture(scope="module")
def truth(files) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lengths and target counts by source, encoded here row by row."""
    tokenizer, found = load_tokenizer(TINY), {}
    for name in ("long", "short"):
        rows = [encode_conversation(messages, tokenizer, "llama2") for _, messages in read_conversations(files[name])]
        rows = [(len(ids), sum(label != -100 for label in labels[1:])) for ids, labels in rows if ids]
        lengths, targets = zip(*rows, strict=True)
        found[name] = np.array(lengths), np.array(targets)
    return found


def test_counts_and_shares_are_those_of_the_data(plan, truth):
    figures = plan()
    assert [row["name"] for row in figures["sources"]] == ["long", "short"]
    for row, rows, dropped in zip(figures["sources"], (10, 41), ({}, {"no_target": 1}), strict=True):
        lengths, targets = truth[row["name"]]
        assert (row["rows"], row["dropped"], row["sequences"]) == (rows, dropped, len(lengths))
        assert (row["tokens"], row["targets"]) == (lengths.sum(), targets.sum())
    lengths, targets = (np.concatenate(parts) for parts in zip(*truth.values(), strict=True))
    for bucket in figures["lengths"]["buckets"]:
        inside = (lengths >= bucket["from"]) & (lengths < (bucket["below"] or np.inf))
        assert bucket["count"] == inside.sum()
        assert bucket["share_of_tokens"] == pytest.approx(lengths[inside].sum() / lengths.sum())
        assert bucket["share_of_targets"] == pytest.approx(targets[inside].sum() / targets.sum())
    assert figures["lengths"]["longest"] == lengths.max()
    assert figures["plan"]["tokens"] == lengths.sum()
    assert figures["plan"]["target_share"] == pytest.approx(targets.sum() / lengths.sum())


@pytest.mark.parametrize("groups", ["sources", "buckets"])
def test_shares_of_each_kind_sum_to_one(plan, groups):
    figures = plan()
    rows = figures["sources"] if groups == "sources" else figures["lengths"]["buckets"]
    for mode in MODES:
        assert sum(row["loss"][mode] for row in rows) == pytest.approx(1)
    for share in ("share_of_sequences", "share_of_tokens", "share_of_targets"):
        assert sum(row[share] for row in rows) == pytest.approx(1)


def test_in_one_step_loss_shares_are_those_of_sequences_and_of_targets(plan, truth):
    figures = plan("--data.packs_per_step=64")
    assert figures["plan"]["num_steps"] == 1
    all_targets = sum(targets.sum() for _, targets in truth.values())
    for row in figures["sources"]:
        lengths, targets = truth[row["name"]]
        assert row["loss"]["sequence"] == pytest.approx(len(lengths) / 50)
        assert row["loss"]["token"] == pytest.approx(targets.sum() / all_targets)
    assert figures["heaviest_tenth"]["sequence"] == pytest.approx(0.1)
    assert figures["heaviest_tenth"]["token"] > 0.1


def test_strategies_side_by_side_and_the_configured_one_marked(plan):
    figures = plan("--data.strategy=packing", "--world_size=2")
    rows = {row["strategy"]: row for row in figures["strategies"]}
    assert set(rows) == {"naive", "sorted", "packing", "balanced"}
    assert [name for name, row in rows.items() if row["configured"]] == ["packing"]
    assert rows["packing"]["num_steps"] == figures["plan"]["num_steps"]
    for row in rows.values():
        assert row["world_size"] == 2 and row["packs_per_step"] % 2 == 0
        assert 0 < row["fill"] <= 1 and 0 < row["working_share"] <= 1
        # a step of every strategy holds about as many sequences: 50 in 3 or 4 steps
        assert 1 <= row["num_steps"] <= 2 * figures["plan"]["num_steps"]
    assert rows["naive"]["sequences_mean"] == rows["naive"]["packs_per_step"]
    assert rows["packing"]["fill"] > 3 * rows["naive"]["fill"]


def test_the_screen_shows_the_length_from_which_sequences_count_as_long(plan, longalign, truth):
    lengths = np.concatenate([lengths for lengths, _ in truth.values()])
    length = int(lengths[lengths > np.median(lengths)].min())
    options = (f"--data.max_length={8 * length + 7}", "--data.packs_per_step=64")
    assert plan(*options)["plan"]["long_share_mean"] == pytest.approx(np.mean(lengths >= length))
    assert f"long: {length:,} or more" in longalign("plan", *options)[0]


def test_the_screen_says_that_averages_leave_out_a_last_step_with_empty_packs(plan, longalign):
    options = ("--data.strategy=naive", "--data.packs_per_step=4")
    figures = plan(*options)["plan"]
    assert figures["num_empty_packs"] and figures["sequences_mean"] == 4 > figures["sequences"] / figures["num_steps"]
    assert "like averages without a last step that has empty packs" in longalign("plan", *options)[0]


def test_what_is_too_long_is_counted_by_reason(plan, truth):
    too_long = int((truth["long"][0] > 440).sum())
    assert 0 < too_long < 10
    dropped = plan("--data.max_length=440", "--data.overflow=drop")["sources"][0]
    assert dropped["dropped"] == {"too_long": too_long} and dropped["sequences"] == 10 - too_long
    cut = plan("--data.max_length=440")["sources"][0]
    assert cut["events"] == {"cut_document": too_long} and cut["sequences"] == 10


def test_steps_are_those_that_fit_logs_and_its_saved_config_is_read(plan, options, tmp_path, caplog, capsys):
    trainer = ["--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.max_steps=1"]
    run = [f"--model.model={TINY}", *options, *trainer, f"--trainer.default_root_dir={tmp_path}", "--data.epochs=2"]
    with caplog.at_level("INFO"):
        assert main(["fit", *run]) == 0
    logged = next(record.getMessage() for record in caplog.records if " sequences in " in record.getMessage())
    figures = plan("--data.epochs=2", "--trainer.max_steps=1")
    total = figures["plan"]["total_steps"]
    assert f"balanced: 50 sequences in {total} steps of 4 packs" in logged
    assert f"working share {figures['plan']['working_share']:.3f}" in logged
    assert figures["plan"]["steps_by_epoch"] == [total // 2] * 2 and figures["run_steps"] == 1
    capsys.readouterr()
    assert main(["plan", "--json", "--config", str(tmp_path / "config.yaml")]) == 0
    assert json.loads(capsys.readouterr().out) == figures


def test_a_yaml_with_every_section_and_overrides(plan, files, tmp_path):
    config = {
        "model": {"model": TINY, "checkpointing": "full"},
        "data": {"strategy": "naive", "long": {"path": files["long"]}},
        "trainer": {"devices": 2, "num_nodes": 2},
        "checkpoint": {"every_n_steps": 5},
        "progress": {"every_n_steps": 1},
    }
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    figures = plan("--config", str(tmp_path / "x.yaml"), "--data.long.count", "5", model=None)
    assert figures["plan"]["world_size"] == 4
    assert figures["plan"]["strategy"] == "naive"
    assert figures["sources"][0]["sequences"] == 5


def test_ranks_of_the_trainer_unless_given(plan):
    assert plan("--trainer.devices=2")["plan"]["world_size"] == 2
    assert plan("--trainer.devices=2", "--world_size=4")["plan"]["world_size"] == 4
    assert plan("--trainer.devices=auto")["plan"]["world_size"] == 1


def test_no_weights_are_needed_and_no_model_either(plan, longalign, tmp_path):
    for file in Path(TINY).iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, tmp_path)
    with_shape = plan(model=tmp_path)
    assert with_shape["cost"]["of"] == f"the shape of {tmp_path}"
    without = plan(f"--data.tokenizer={TINY}", model=None)
    assert "Llama-2-7B" in without["cost"]["of"]
    assert without["cost"]["linear"] > 1000 * with_shape["cost"]["linear"]
    assert "Llama-2-7B" in longalign("plan", f"--data.tokenizer={TINY}", model=None)[0]


def test_sequences_longer_than_the_model_was_made_for_are_told(plan, caplog):
    plan("--model.max_position_embeddings=64")
    assert "the model was made for 64 positions: see model.rope_theta" in caplog.text


def test_a_pipe_gets_one_plain_screen(longalign):
    out, _ = longalign("plan")
    lines = out.splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) <= 100
    assert "\x1b" not in out and not any("\u2500" <= character <= "\u259f" for character in out)
    assert all(line == line.rstrip() for line in lines)
    assert next(line for line in lines if line.startswith("balanced*"))
    assert "1 × no target (dropped)" in out


def test_a_terminal_gets_colour(longalign, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    out, _ = longalign("plan")
    assert "\x1b[1;36m" in out and "█" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--world_size=3"], "multiple of 3"),
        (["--world_size=0"], "expected 1 or more"),
        (["--wordl_size=2"], "did you mean 'world_size'"),
        (["--data.strateg=packing"], "did you mean 'data.strategy'"),
        (["--data.strategy=greedy"], "greedy"),
        (["--data.long=nowhere.jsonl"], "nowhere.jsonl"),
        (["--data.packs_per_step=0"], "data.packs_per_step"),
        (["--config=nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_a_mistake_is_one_line(longalign, more, said):
    out, err = longalign("plan", *more, status=2)
    assert out == "" and said in err and len(err.splitlines()) == 1, err


def test_without_model_and_tokenizer_it_says_what_to_give(longalign):
    _, err = longalign("plan", model=None, status=2)
    assert "model.model" in err and "data.tokenizer" in err and len(err.splitlines()) == 1


def test_memory_is_told_by_component_and_for_cards(longalign):
    out, _ = longalign("plan", "--json")
    card = json.loads(out)["gpus"][0]
    parts = {name: value for name, value in card["gib"].items() if name != "peak"}
    assert set(parts) == {"weights", "optimizer", "gradients", "gathered", "activations", "working"}
    assert sum(parts.values()) == pytest.approx(card["gib"]["peak"])
    assert card["fits"] and card["kept_layers"] == card["layers"] == 3
    assert "all kept" in longalign("plan")[0]
    assert "GiB" not in longalign("plan", "--data.tokenizer", TINY, model=None)[0]


def test_hours_are_those_of_the_steps_that_run_and_the_mode_is_the_configured_one(plan):
    whole, half = plan()["gpus"][0], plan("--trainer.max_steps=2")["gpus"][0]
    steps = plan()["plan"]["total_steps"]
    assert half["hours"] == pytest.approx(whole["hours"] * 2 / steps)
    assert whole["hours"] * 3600 == pytest.approx(whole["seconds_per_step"] * steps)
    full = plan("--model.checkpointing=full", "--model.offload=activations")["gpus"][0]
    assert full["checkpointing"] == "full" and full["offload"] and full["kept_layers"] == 0


@pytest.mark.parametrize("strategy", ["naive", "packing"])
def test_memory_is_chosen_by_how_full_the_packs_are(plan, strategy, monkeypatch):
    steps = []
    monkeypatch.setattr(plan_gpus, "gpu_figures", lambda module, step, plans, *_: steps.append((step, plans)) or [])
    plan(f"--data.strategy={strategy}")
    (step, plans), *_ = steps
    assert step.fill == plans[0].fill() < 1


def test_a_plan_keeps_to_the_memory_that_fit_is_told_to_use(plan):
    peak = plan()["gpus"][0]["gib"]["peak"]
    assert not plan(f"--model.gpu_memory_gib={peak / 1000}")["gpus"][0]["fits"]


def test_gpu_figures_are_of_the_strategy_that_runs(plan, caplog):
    def gathered(*options: str) -> float:
        return plan("--trainer.devices=2", *options)["gpus"][0]["gib"]["gathered"]

    each_time = "--trainer.strategy.gather_once=false"
    assert gathered() == gathered(each_time, "--trainer.strategy.reshard_after_forward=false") > gathered(each_time)
    assert "gpus" not in plan("--trainer.devices=2", "--trainer.strategy=ddp")
    assert "trainer.strategy: memory and speed are known for its default alone" in caplog.text


def test_what_does_not_fit_is_named_with_a_remedy(longalign, tmp_path):
    config = json.loads((Path(TINY) / "config.json").read_text())
    big = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64}
    (tmp_path / "config.json").write_text(json.dumps(config | big | {"num_key_value_heads": 8, "head_dim": 128}))
    out, _ = longalign("plan", f"--data.tokenizer={TINY}", model=tmp_path)
    assert "do not fit" in out
    assert re.search(r"A100 80 GB: weights are too much; use \d+ GPUs", out), out
