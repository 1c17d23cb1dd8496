"""A local model's answers, many at a time, are those that it gives one at a time; and the command around them."""

import json
import logging
import random
from pathlib import Path

import pytest
import torch
import transformers
from transformers import AutoConfig, GPT2Config, LlamaConfig, MistralConfig, OPTConfig

from longalign.__main__ import main
from longalign.commands.needle_models import Local, Where
from longalign.errors import UserError
from longalign.evaluation import local_model
from longalign.evaluation.batch_cache import Rows
from longalign.evaluation.local_model import LocalModel, bytes_of_a_token
from longalign.model.loading import load_config, load_model, random_model, weights_folder

GOLDEN = Path(__file__).parent.parent / "golden"
LENGTHS = (30, 257, 1, 30, 90, 12)


def prompts():
    draw = random.Random(0)
    return [[draw.randrange(10, 300) for _ in range(length)] for length in LENGTHS]


def answers(model, asked, tokens=12):
    found = {}
    model.answer(asked, tokens, lambda n, ids, ended: found.__setitem__(n, (ids, ended)))
    return [found[n] for n in range(len(asked))]


@pytest.fixture(params=["llama_tiny", "chatglm3_tiny"])
def network(request, tmp_path):
    path = str(GOLDEN / request.param)
    config = load_config(path, packed=False)
    return load_model(weights_folder(path, config, tmp_path), config, dtype=torch.float32).eval()


def one_at_a_time(model):
    model.backend = None
    model.model.set_attn_implementation("sdpa")
    return model


@pytest.mark.parametrize("read_tokens", [100, 65_536])
def test_answers_in_a_batch_are_those_of_each_prompt_alone(network, monkeypatch, read_tokens):
    monkeypatch.setattr(local_model, "READ_TOKENS", read_tokens)
    batched = answers(LocalModel(network, [2]), prompts())
    assert batched == answers(one_at_a_time(LocalModel(network, [2])), prompts())
    stop = batched[1][0][4]  # now a token that is met ends an answer
    stopped = answers(LocalModel(network, [2, stop]), prompts())
    assert stopped == answers(one_at_a_time(LocalModel(network, [2, stop])), prompts())
    assert stopped[1] == (batched[1][0][: batched[1][0].index(stop)], True) and not batched[1][1]


def test_a_model_whose_values_are_narrower_than_its_keys_answers_in_a_batch():
    config = AutoConfig.for_model(
        "deepseek_v3", vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, q_lora_rank=24, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=12,
        first_k_dense_replace=2,
    )  # fmt: skip
    network = random_model(config).eval()
    batched = LocalModel(network, [2])
    assert batched.backend is not None
    assert answers(batched, prompts()) == answers(one_at_a_time(LocalModel(network, [2])), prompts())


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(vocab_size=300, n_positions=64, n_embd=32, n_layer=1, n_head=2),
        OPTConfig(
            vocab_size=300, hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=64,
        ),
    ],
    ids=["gpt2", "opt"],
)  # fmt: skip
def test_a_prompt_beyond_the_positions_that_a_model_has_is_refused_in_a_line(config):
    model = LocalModel(random_model(config).eval(), [2])
    assert len(answers(model, [[5] * 52], 12)) == 1
    with pytest.raises(UserError, match=f"a prompt of 53 tokens with 12 new ones: {config.model_type} has .* 64"):
        answers(model, [[5] * 3, [5] * 53], 12)


@pytest.mark.gpu
def test_on_a_gpu_in_bfloat16_most_answers_of_a_batch_are_those_of_each_prompt_alone():
    config = LlamaConfig(
        vocab_size=300, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    model = random_model(config).to("cuda", torch.bfloat16).eval()
    batched = LocalModel(model, [2])
    assert batched.backend not in (None, "sdpa")
    found = answers(batched, prompts() * 4, 4)
    alone = answers(one_at_a_time(LocalModel(model, [2])), prompts() * 4, 4)
    assert sum(a[0][:1] == b[0][:1] for a, b in zip(found, alone, strict=True)) >= 20  # rounding may turn a tie


@pytest.mark.gpu
@pytest.mark.parametrize("heads", [(9, 3), (4, 4), (8, 1)])
def test_on_a_gpu_all_rows_of_a_step_attend_in_one_call_as_each_does_alone(heads):
    torch.manual_seed(0)
    firsts, length = [700, 0, 3, 690, 3], 800
    rows = Rows(firsts, length, torch.device("cuda"))
    query = torch.randn(len(firsts), heads[0], 1, 64, device="cuda", dtype=torch.bfloat16)
    key, value = (torch.randn(len(firsts), length, heads[1], 64).to(query).transpose(1, 2) for _ in range(2))
    for columns in (701, 750, 800):
        together = rows.attend(query, key, value, columns, None)
        plain = rows._neighbours(*(x.double() for x in (query, key, value)), columns, None)
        assert together.shape == plain.shape
        torch.testing.assert_close(together.double(), plain, rtol=0.02, atol=0.01)


def test_no_logits_are_made_but_those_of_the_last_tokens(network):
    seen = []
    hook = network.get_output_embeddings().register_forward_hook(
        lambda _m, _i, out: seen.append(out.shape[:-1].numel())
    )
    model = LocalModel(network, [2])
    seen.clear()
    answers(model, prompts(), 3)
    hook.remove()
    assert max(seen) == len(LENGTHS)


def test_batches_hold_what_the_cache_has_room_for_and_a_prompt_at_least(network, monkeypatch):
    model = LocalModel(network, [2], batch_size=4)
    assert list(model.batches([100] * 9, 10)) == [4, 4, 1]
    assert list(model.batches([1000, 1900, 2000, 9000, 10], 48)) == [2, 1, 1, 1]
    monkeypatch.setattr(local_model, "CPU_CACHE_BYTES", 330 * bytes_of_a_token(network.config, 4))
    assert list(model.batches([100] * 9, 10)) == [3, 3, 3]
    model.backend = None
    assert list(model.batches([100] * 3, 10)) == [1, 1, 1]


def test_a_model_that_cannot_be_packed_answers_one_prompt_at_a_time(caplog):
    sizes = dict(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    window = LocalModel(random_model(MistralConfig(**sizes, sliding_window=16)).eval(), [2])
    assert window.backend is None and "one at a time" in caplog.text and "sliding window" in caplog.text
    assert len(answers(window, prompts()[:2], 4)) == 2
    grouped = random_model(LlamaConfig(**sizes)).eval()
    assert answers(LocalModel(grouped, [2]), prompts()) == answers(one_at_a_time(LocalModel(grouped, [2])), prompts())


def test_one_prompt_at_a_time_takes_the_likeliest_tokens_too_whatever_penalties_the_model_has(network):
    network.generation_config.repetition_penalty = 5.0
    assert answers(one_at_a_time(LocalModel(network, [2])), prompts()) == answers(LocalModel(network, [2]), prompts())


OLD_DOGE = pytest.mark.xfail(
    transformers.__version__.startswith("5.17."), strict=True, reason="one short prompt is answered otherwise"
)


@pytest.mark.parametrize(
    "family",
    ["gemma2", "gpt_oss", pytest.param("doge", marks=OLD_DOGE)],  # two that know no sdpa, one with its own mask
)
def test_models_of_unusual_attention_answer_as_transformers_has_it(family):
    config = AutoConfig.for_model(
        family, vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=16, eos_token_id=2
    )  # fmt: skip
    network = random_model(config).eval()
    asked = [prompt for prompt in prompts() if len(prompt) > 1]
    options = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}
    expected = [network.generate(torch.tensor([p]), **options)[0, len(p) :].tolist() for p in asked]
    model = LocalModel(network, [2])
    assert model.backend is None
    assert [ids for ids, _ in answers(model, asked, 8)] == [[t for t in ids if t != 2] for ids in expected]


def test_when_memory_runs_out_fewer_are_read_at_a_time_and_one_alone_is_said(network, monkeypatch):
    model = LocalModel(network, [2])
    together, expected = model._together, answers(model, prompts())

    def narrow(asked, tokens):
        if len(asked) > 2:
            raise torch.OutOfMemoryError
        return together(asked, tokens)

    monkeypatch.setattr(model, "_together", narrow)
    assert answers(model, prompts()) == expected

    def none(asked, tokens):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(model, "_together", none)
    with pytest.raises(UserError, match="out of GPU memory with a prompt of 30 tokens"):
        model.answer(prompts()[:1], 4, lambda *_: None)


def test_the_command_asks_a_folder_in_its_own_format_and_rebuilds_its_ids(tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    model = GOLDEN / "llama_tiny"
    options = [f"--model={model}", "--chat_format=llama2", "--device=cpu", "--max_new_tokens=6", "--task=kv"]
    grid = ["--lengths=200,400", "--depths=50", "--seeds=2"]
    assert main(["needle", f"--out={tmp_path}", *options, *grid]) == 0
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["length"] for row in rows] == [200, 200, 400, 400] and {row["status"] for row in rows} == {"ok"}
    assert {row["recipe"]["versions"]["attention"] for row in rows} == {"sdpa"}
    assert all(0 <= row["length"] - 6 - row["tokens"] <= 20 for row in rows)
    summary = json.loads((tmp_path / "summary.json").read_text())
    seconds = summary["seconds"]
    assert min(seconds.values()) > 0 and seconds["model"] == max(seconds[name] for name in ("model", "prompts", "rows"))
    assert sum(seconds.values()) - seconds["command"] <= seconds["command"]
    assert summary["model_share"] == seconds["model"] / seconds["command"] and summary["asked"] == 4
    assert summary["settings"]["weights"]
    assert main(["needle", "rebuild", f"--out={tmp_path}", "--row=3"]) == 0
    assert "text and ids are those of the run" in caplog.text
    assert main(["needle", f"--out={tmp_path}", *options, *grid, "--plan"]) == 0
    shown = capsys.readouterr().out
    assert "; 4 done" in shown and "PFLOP" in shown and "0 tokens to read" in shown


def test_another_gguf_file_of_a_folder_is_another_model(tmp_path, monkeypatch):
    monkeypatch.setattr("longalign.model.loading.load_config", lambda *_, **__: None)
    one, other, none = (
        Local(str(tmp_path), Where("cpu", "auto", "auto", 1, file, {}), 64).identity()
        for file in ("a.gguf", "b.gguf", None)
    )
    assert one != other and "gguf_file" not in none


def test_a_configs_keys_are_changed_as_in_fit_and_are_settings_of_the_run(tmp_path, capsys):
    options = [f"--model={GOLDEN / 'llama_tiny'}", "--chat_format=llama2", "--device=cpu", "--max_new_tokens=6"]
    command = ["needle", f"--out={tmp_path}", *options, "--lengths=400", "--depths=50", "--seeds=1"]
    assert main([*command, "--config_overrides={rope_theta: 5.0e6}"]) == 0
    assert main(command) == 2 and "made with config_overrides {'rope_theta': 5000000.0}" in capsys.readouterr().err
    assert main([*command, "--config_overrides={rope_tehta: 1}"]) == 2
    assert "--config_overrides: llama has no config key 'rope_tehta'" in capsys.readouterr().err


def test_a_prompt_that_does_not_fit_is_a_failed_cell_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    plain = LocalModel._together

    def small(self, asked, tokens):
        if max(map(len, asked)) > 300:
            raise torch.OutOfMemoryError
        return plain(self, asked, tokens)

    monkeypatch.setattr(LocalModel, "_together", small)
    options = [f"--model={GOLDEN / 'llama_tiny'}", "--chat_format=llama2", "--device=cpu", "--max_new_tokens=6"]
    command = ["needle", f"--out={tmp_path}", *options, "--lengths=200,400", "--depths=50", "--seeds=1"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1
    assert "1 of 2 prompts failed; the same command tries them again" in capsys.readouterr().out
    errors = [json.loads(line).get("error", "") for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert any(error.endswith("give shorter prompts (--lengths)") for error in errors)
    monkeypatch.setattr(LocalModel, "_together", plain)
    assert main(command) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["failed"] == 0
