"""bin/benchmark-gpu without a GPU: its packs are full, and it says what is missing."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from matplotlib.axes import Axes
from transformers import LlamaConfig

from longalign.chat import encode_conversation, load_tokenizer
from longalign.commands.benchmark_gpu import __main__ as program
from longalign.commands.benchmark_gpu.cases import ADAMW, CASES, MODELS, Case, Settings
from longalign.commands.benchmark_gpu.chart import charted, describe, draw
from longalign.commands.benchmark_gpu.fit import fit_command, measured, predicted, run_case
from longalign.commands.benchmark_gpu.inputs import all_lengths, make_data, make_model
from longalign.commands.run_card.events import Events, Point
from longalign.data.sources import read_conversations
from longalign.model.flops import model_shape
from longalign.model.memory import EIGHT_BIT_STATE, GIB, StepMemory, layer_sizes
from longalign.model.memory_choice import Host, choose_checkpointing
from tests.commands.test_configs import ParseOnly
from tests.model.test_memory import llama
from tests.training.conftest import OF_A_RUN

SCRIPT = Path(__file__).parent.parent / "bin/benchmark-gpu"
SMALL = {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 320}


@pytest.mark.parametrize(("kind", "sequences"), [("document", 1), ("mix", 5)])
def test_conversations_fill_packs_to_the_last_token(kind, sequences, tmp_path):
    make_model(tmp_path, MODELS["chatglm3_6b"], 65536)
    case = Case("chatglm3_6b", kind)
    make_data(tmp_path / "data.jsonl", all_lengths(case, 2))
    tokenizer = load_tokenizer(tmp_path)
    lengths = [
        len(encode_conversation(messages, tokenizer, "llama2")[0])
        for _, messages in read_conversations(str(tmp_path / "data.jsonl"))
    ]
    assert len(lengths) == 2 * sequences and lengths[:sequences] == lengths[sequences:]
    assert sum(lengths[:sequences]) == 65536


def test_a_case_has_the_figures_of_its_fit_or_the_last_line_of_its_log(monkeypatch, tmp_path):
    for name in OF_A_RUN:  # of tests that trained in this process
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(MODELS, "tiny", LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, **SMALL))
    case = Case("tiny", "mix", optimizer=ADAMW, options=("--trainer.accelerator=cpu",), max_length=512)
    row = run_case("tiny-mix", case, Settings(tmp_path, 3))
    assert "failed" not in row, row["failed"]
    assert row["case"] == "tiny-mix" and row["steps_measured"] == 1 and row["wall_s"] > 0
    assert row["tokens_per_s"] == pytest.approx(512 / row["seconds_per_step"], rel=0.01) and row["peak_gib"] > 0
    assert describe(row, gemm=100.0).startswith(f"tiny-mix: {row['tokens_per_s']:,.0f} tokens/s, peak ")
    failed = run_case("tiny-mix", case, Settings(tmp_path, 3, ("--model.attention=none",)))
    assert describe(failed, gemm=100.0).startswith("tiny-mix: failed: longalign fit: error: model.attention: got none")
    assert "tokens_per_s" not in failed and failed["command"].endswith("--model.attention=none")


@pytest.mark.parametrize(
    ("steps_differ", "figures"),
    [(False, (300, 4.0)), (True, ((100 * 9 + 300 * 4 + 500 * 2) / 15, 5.0))],
)
def test_steps_that_differ_count_by_their_time(steps_differ, figures):
    of_steps = {"tflops_per_s_per_gpu": [1, 2, 100, 300, 500], "seconds_per_step": [50, 40, 9, 4, 2]}
    curves = {
        f"perf/{name}": [Point(n, value, 0.0) for n, value in enumerate(values)] for name, values in of_steps.items()
    }
    found = measured(Events(curves, []), 5, steps_differ)
    assert (found["tflops_per_s_per_gpu"], found["seconds_per_step"]) == pytest.approx(figures)


def test_only_the_steps_that_are_measured_are_predicted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    case = replace(CASES["7b-longalign-packing"], gpus=2)  # the second of its six steps is nearly empty on one rank
    found = predicted(case, 5, f"INFO {StepMemory(llama(32), 65536, ranks=2)} of 139.8\n")
    assert found["working_share"] == pytest.approx(0.878, abs=1e-3)


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("states", [False, True])
def test_predictions_are_read_from_the_log_of_fit(offload, states, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    case = CASES["7b-document-2"]
    step = StepMemory(llama(32), 65536, ranks=2, micro_steps=4, kept_layers=3, gathered_once=True)
    step = replace(step, offload=offload, states_offloaded=states)
    found = predicted(case, 3, f"INFO {step} of 139.8\n")
    assert (found["checkpointing"], found["kept_layers"], found["offload"]) == ("attention", 3, offload)
    assert found["states_offloaded"] == states
    assert found["predicted_gib"] == pytest.approx(step.estimate().gib()["peak"], abs=0.05)
    assert 10 < found["predicted_seconds_per_step"] < 13


def test_every_case_is_a_fit_that_parses(tmp_path):
    for case in CASES.values():
        make_model(tmp_path / "model", MODELS[case.model], 65536)
        case = replace(case, gpus=case.gpus or 8, optimizer=ADAMW)  # torchao is not installed here
        command = fit_command(case, tmp_path, 3, ["--model.fused=none"])
        config = ParseOnly(command[3:]).config.fit
        assert config.data.packs_per_step == case.packs_per_step and int(config.trainer.devices) == case.gpus
        assert config.model.fused == "none" and config.model.random_weights


def test_every_way_of_batching_steps_over_the_same_conversations_of_longalign(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    log = f"INFO {StepMemory(llama(32), 65536, ranks=8)} of 139.8\n"
    cases = {name: CASES[f"7b-longalign-{name}"] for name in ("naive", "sorted", "packing", "balanced")}
    cases = {name: replace(case, gpus=8) for name, case in cases.items()}
    assert len({tuple(all_lengths(case, 12)) for case in cases.values()}) == 1
    found = {name: predicted(case, 12, log) for name, case in cases.items()}
    share = {name: row["working_share"] for name, row in found.items()}
    assert share["naive"] < 0.5 < share["packing"] < 0.9 < share["balanced"]
    assert found["naive"]["predicted_seconds_per_step"] > 2 * found["balanced"]["predicted_seconds_per_step"]


def test_the_chart_is_drawn_of_what_has_figures(tmp_path):
    row = {"case": "7b-document", "tflops_per_s_per_gpu": 500.0, "peak_gib": 80.0}
    result = {"gpu": "a GPU", "gemm_tflops": 790.0, "rows": [row, {"case": "7b-mix", "failed": "out of memory"}]}
    draw([result], tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 10_000
    again = result | {"rows": [row | {"tflops_per_s_per_gpu": 510.0}]}
    assert [drawn["tflops_per_s_per_gpu"] for drawn in charted([result, again])] == [510]  # the last of a case


def test_a_case_fits_a_consumer_card():
    case = CASES["1b-document"]
    config = MODELS[case.model]
    sizes = layer_sizes(config, model_shape(config))
    choose_checkpointing(StepMemory(sizes, case.max_length, state_bytes=EIGHT_BIT_STATE), 23 * GIB, host=Host(24 * GIB))


@pytest.mark.parametrize(("failing", "status"), [(["7b-document"], 0), (["1b-document", "7b-document"], 1)])
def test_a_card_too_small_for_all_cases_is_an_error(failing, status, monkeypatch, tmp_path):
    def run_case(name, case, settings):
        return {"case": name, "failed": "no room"} if name in failing else {**FIGURES, "case": name}

    for name, value in {"run_case": run_case, "gemm_tflops": lambda: 100.0}.items():
        monkeypatch.setattr(program, name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA GeForce RTX 5090")
    assert program.main(["--cases", "1b-document", "7b-document", "--out", str(tmp_path)]) == status
    assert (tmp_path / "chart.png").is_file() == (status == 0)


def test_results_of_several_calls_become_one_chart_without_a_gpu(monkeypatch, tmp_path):
    drawn, barh = [], Axes.barh
    monkeypatch.setattr(Axes, "barh", lambda *args, **kwargs: drawn.append(args[1]) or barh(*args, **kwargs))
    for name in ("7b-document", "7b-document-trl"):
        result = {"gpu": "NVIDIA H200", "gemm_tflops": 100.0, "rows": [{**FIGURES, "case": name}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    files = [str(tmp_path / f"{name}.json") for name in ("7b-document", "7b-document-trl")]
    assert program.main(["--out", str(tmp_path / "chart"), "--draw", *files]) == 0
    assert drawn == [["7b-document-trl", "7b-document"]]
    assert (tmp_path / "chart/chart.png").is_file()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "--draw: FileNotFoundError(2, 'No such file or directory') in "),
        ("", "--draw: JSONDecodeError("),
        ('{"answer": 42}', "--draw: KeyError('rows') in "),
        ('{"rows": [{"case": "7b-mix", "failed": "out of memory"}]}', "--draw: no case there has TFLOP/s\n"),
    ],
)
def test_results_without_figures_are_one_line(content, said, capsys, tmp_path):
    file = tmp_path / "results.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SystemExit) as stop:
        program.main(["--draw", str(file), "--out", str(tmp_path / "chart")])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "chart").exists()


FIGURES = {"tflops_per_s_per_gpu": 50.0, "tokens_per_s": 100.0, "seconds_per_step": 1.0, "peak_gib": 20.0}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run([SCRIPT], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "benchmark-gpu: error: no CUDA GPU here\n")
