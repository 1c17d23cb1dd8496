"""The needle test during training: what it logs, what it costs, and that training does not notice."""

import json
import time

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from longalign.__main__ import main
from longalign.chat import load_tokenizer
from longalign.evaluation.needle.build import Builder, grid
from longalign.evaluation.needle.encoders import ChatPrompts
from longalign.evaluation.needle.forced import ForcedCell, Score, deal_packs, forced_cells, make_pack, score_cells
from longalign.evaluation.needle.haystack import make_haystack
from longalign.evaluation.needle.tasks import Cell
from longalign.model.loading import load_config, load_model
from longalign.model.sharding import prepare_model
from longalign.training.callbacks.needle_probe import NeedleProbe, _effective_length, _write_rows
from tests.training.conftest import TINY, final_weights, run_here, scalars

STEPS = ["--data.packs_per_step=2", "--data.max_length=700", "--trainer.max_steps=3", "--model.optimizer.lr=1e-3"]
PROBE = [
    "--trainer.callbacks+=longalign.training.callbacks.NeedleProbe",
    "--trainer.callbacks.every_n_steps=2",
    "--trainer.callbacks.lengths=[500,700]",
    "--trainer.callbacks.depths=[20,80]",
    "--trainer.callbacks.max_time_share=1",
]


@pytest.fixture(scope="module")
def model():
    return prepare_model(load_model(TINY, load_config(TINY), dtype=torch.float32), "sdpa", "none").eval()


@pytest.fixture(scope="module")
def cells():
    encoder = ChatPrompts(load_tokenizer(TINY), "llama2", TINY)
    builder = Builder(make_haystack(encoder, 700), encoder, 64)
    return forced_cells(builder, grid([500, 700], [20.0, 80.0], 2, "kv", "en"))


def scores_of(model, cells):
    pack, others = make_pack(cells)
    with torch.no_grad():
        found = model.packed_scores(pack, torch.from_numpy(others))
    return score_cells(cells, *(x.numpy() for x in found))


def greedy(model, cell):
    """The cell with the answer that the model itself would write."""
    start = len(cell.input_ids) - len(cell.answer_ids)
    ids = list(cell.input_ids[:start])
    for _ in cell.answer_ids:
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ForcedCell(cell.cell, ids, ids[start:], cell.answer_ids)


def test_exact_is_what_greedy_decoding_writes(cells):
    plain = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32).eval()
    packed = prepare_model(load_model(TINY, load_config(TINY), dtype=torch.float32), "sdpa", "none").eval()
    own = [greedy(plain, cell) for cell in cells[:3]]
    wrong = [
        ForcedCell(
            c.cell, [*c.input_ids[:-1], c.input_ids[-1] ^ 1], [*c.answer_ids[:-1], c.answer_ids[-1] ^ 1], c.others
        )
        for c in own
    ]
    assert [score.exact for score in scores_of(packed, [*own, *wrong])] == [True] * 3 + [False] * 3


def test_scores_are_the_models_log_probabilities(model, cells):
    for cell, score in zip(cells, scores_of(model, cells), strict=True):
        start = len(cell.input_ids) - len(cell.answer_ids)
        with torch.no_grad():
            logits = model(torch.tensor([cell.input_ids])).logits[0].double()
        log_probs = logits.log_softmax(-1)[start - 1 : -1]
        answer, other = torch.tensor(cell.answer_ids), torch.tensor(cell.others)
        right, wrong = (log_probs.gather(1, x[:, None])[:, 0] for x in (answer, other))
        assert score.log_prob == pytest.approx(float(right.mean()), abs=1e-4)
        apart = int((answer != other).nonzero()[0])
        assert score.contrast == pytest.approx(float(right[apart] - wrong[apart]), abs=1e-4)


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_every_cell_is_in_one_pack_and_ranks_have_as_many(cells, world_size):
    ranks = deal_packs(cells, 1400, world_size)
    assert len({len(packs) for packs in ranks}) == 1
    assert sorted(number for packs in ranks for pack in packs for number in pack) == list(range(len(cells)))
    for pack in (pack for packs in ranks for pack in packs):
        assert sum(len(cells[number].input_ids) for number in pack) <= 1400
    empty, others = make_pack([])
    assert empty.is_dummy and len(others) == 0


def test_prompts_are_those_of_the_needle_command_and_within_their_length(cells):
    encoder = ChatPrompts(load_tokenizer(TINY), "llama2", TINY)
    builder = Builder(make_haystack(encoder, 700), encoder, 64)
    for cell in cells:
        prompt = builder.build(cell.cell).input_ids
        assert cell.input_ids[: len(prompt)] == prompt and len(cell.input_ids) <= cell.cell.length


def test_training_ends_in_the_same_bits_with_and_without(arguments, tmp_path):
    run_here(arguments(*STEPS, root="without"))
    run_here(arguments(*STEPS, *PROBE, root="with"))
    assert scalars(tmp_path / "with", "train/loss") == scalars(tmp_path / "without", "train/loss")
    weights = final_weights(tmp_path / "without")
    for name, tensor in final_weights(tmp_path / "with").items():
        assert torch.equal(tensor, weights[name]), name


def test_curves_rows_and_pictures(arguments, tmp_path):
    run_here(arguments(*STEPS, *PROBE))
    root = tmp_path / "run"
    for name in ("recall", "log_prob", "contrast", "effective_length", "length_500", "depth_80", "time_share"):
        assert list(scalars(root, f"needle/{name}")) == [0, 2, 3], name
    rows = [json.loads(line) for line in (root / "needle.jsonl").read_text().splitlines()]
    assert len(rows) == 3 * 2 * 2 * 2 and {row["step"] for row in rows} == {0, 2, 3}
    assert set(rows[0]) >= {"step", "length", "depth", "seed", "task", "exact", "log_prob", "contrast", "recall"}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(root / "tensorboard"), size_guidance={"images": 0}).Reload()
    assert [image.step for image in events.Images("needle/heatmap")] == [0, 2, 3]


def test_a_run_that_goes_on_writes_the_rows_of_a_step_once(arguments, tmp_path):
    file = tmp_path / "run/needle.jsonl"
    run_here(arguments(*STEPS, *PROBE, "--trainer.max_steps=2"))
    rows = file.read_text()
    undone = rows.splitlines()[-1].replace('"step": 2', '"step": 3')
    file.write_text(f"{rows}{undone}\n{undone[:20]}")  # as a run leaves it that is killed while it writes
    run_here(arguments(*STEPS, *PROBE, "--ckpt_path=auto"))
    assert file.read_text().startswith(rows)
    steps = [json.loads(line)["step"] for line in file.read_text().splitlines()]
    assert steps == [0] * 8 + [2] * 8 + [3] * 8


def test_rows_of_another_probe_stay(tmp_path):
    file, cells = tmp_path / "needle.jsonl", grid([500], [20.0, 80.0], 1, "kv", "en")
    for cell in (*cells, *cells):
        _write_rows(file, 2, [Score(cell, True, -0.1, 1.0)])
    assert [json.loads(line)["depth"] for line in file.read_text().splitlines()] == [20, 80]


def test_two_ranks_say_the_same_as_one(arguments, ranks, tmp_path):
    run_here(arguments(*STEPS, *PROBE, "--trainer.max_steps=1", root="one"))
    ranks.longalign(arguments(*STEPS, *PROBE, "--trainer.max_steps=1", "--trainer.devices=2", root="two"))
    one, two = ((tmp_path / root / "needle.jsonl").read_text().splitlines() for root in ("one", "two"))
    assert len(one) == len(two) == 16
    for a, b in zip(map(json.loads, one), map(json.loads, two), strict=True):
        assert a["log_prob"] == pytest.approx(b["log_prob"], abs=1e-4)
        assert {**a, "log_prob": 0, "contrast": 0} == {**b, "log_prob": 0, "contrast": 0}


def test_the_budget_is_kept_and_reported(arguments, tmp_path, caplog):
    with caplog.at_level("INFO"):
        run_here(arguments(*STEPS, *PROBE, "--trainer.callbacks.max_time_share=0"))
    assert list(scalars(tmp_path / "run", "needle/recall")) == [0, 3]  # the ends are always there
    assert "step 2  needle probe left out" in caplog.text and "; 1 left out" in caplog.text


def test_a_run_that_ends_early_is_probed_at_its_end_even_where_a_probe_was_just_left_out(monkeypatch):
    class Here:
        global_step, accumulate_grad_batches = 2, 1

    probe, probed = NeedleProbe(every_n_steps=2, max_time_share=0), []
    probe.started = time.perf_counter()
    monkeypatch.setattr(probe, "_within_budget", lambda trainer: False)
    monkeypatch.setattr(probe, "_probe", lambda trainer, module: probed.append(trainer.global_step))
    probe.on_train_batch_start(Here, None, None, 2)
    assert probe.left_out == 1 and not probed
    probe.on_train_end(Here, None)
    assert probed == [2]


def test_the_first_probe_is_not_counted_in_the_budget():
    class Here:
        class strategy:
            broadcast = staticmethod(lambda value: value)

    probe = NeedleProbe(max_time_share=0.1)
    probe.started = time.perf_counter() - 100
    probe.spent_s = probe.last_s = 9.0  # the first
    assert probe._within_budget(Here)
    probe.between_s = 9.0
    assert not probe._within_budget(Here)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("lengths=[20]", "NeedleProbe: lengths: 20 tokens are too few"),
        ("lengths=[0]", "NeedleProbe.lengths: got [0], expected numbers of tokens"),
        ("lengths=[]", "NeedleProbe.lengths: got [], expected"),
        ("max_time_share=2", "max_time_share"),
        ("depths=[]", "NeedleProbe.depths: got [], expected percents from 0 to 100"),
        ("depths=[50,150]", "NeedleProbe.depths: got [50.0, 150.0], expected"),
        ("depths=[50,.nan]", "NeedleProbe.depths: got [50.0, nan], expected"),
    ],
)
def test_a_mistake_is_one_line(arguments, capfd, option, said):
    assert main(arguments(*STEPS, *PROBE, f"--trainer.callbacks.{option}")) == 2
    assert said in capfd.readouterr().err


def test_a_second_probe_whose_curves_would_mix_with_the_firsts_is_refused(arguments, capfd):
    assert main(arguments(*STEPS, *PROBE, *PROBE)) == 2
    assert "trainer.callbacks: two NeedleProbes" in capfd.readouterr().err


def test_a_length_or_depth_that_is_given_twice_is_asked_once(arguments, tmp_path):
    run_here(arguments(*STEPS, *PROBE, "--trainer.max_steps=1", "--trainer.callbacks.lengths=[700,500,700]"))
    rows = [json.loads(line) for line in (tmp_path / "run/needle.jsonl").read_text().splitlines()]
    assert [row["length"] for row in rows] == 2 * [500, 500, 500, 500, 700, 700, 700, 700]


def test_cells_do_not_need_the_trainer():
    assert grid([500], [50.0], 1, "kv", "en") == [Cell(500, 50.0, 0, "kv", "en")]
    assert np.isclose(NeedleProbe().max_time_share, 0.05)


@pytest.mark.parametrize(
    ("recalls", "length"), [([1.0, 0.9, 0.5], 2000), ([0.5, 0.5, 0.6], 4000), ([0.0, 0.0, 1.0], 0), ([1, 0.2, 1], 1000)]
)
def test_effective_length_ends_where_recall_first_falls(recalls, length):
    rows = [{"length": n, "recall": recall} for n, recall in zip((1000, 2000, 4000), recalls, strict=True)]
    assert _effective_length(rows) == length
