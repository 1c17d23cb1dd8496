"""What a run leaves behind: curves, config, checkpoints, and an exported folder that plain transformers loads."""

import json
import logging
import shutil
import signal
from types import SimpleNamespace

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
)

from longalign.__main__ import main
from longalign.commands.export import export
from longalign.commands.fit import show_validation
from longalign.training.callbacks import StepLogger
from longalign.training.module import LongAlignModule
from tests.training.conftest import TINY, final_weights, run_apart, run_here, scalars

STEPS = ["--data.packs_per_step=2", "--data.max_length=256", "--trainer.max_steps=3", "--data.validation=3"]
FIRST = "--trainer.callbacks+=longalign.training.callbacks.ValidateAtEnds"


@pytest.mark.parametrize("strategy", ["sharded", "single file"])
def test_curves_checkpoint_and_export(arguments, tmp_path, capfd, caplog, strategy):
    more = ["--trainer.strategy=auto"] if strategy == "single file" else []
    with caplog.at_level(logging.INFO):
        run_here(arguments(*STEPS, FIRST, *more))
    root = tmp_path / "run"
    steps = scalars(root, "train/loss")
    assert list(steps) == [1, 2, 3] and list(scalars(root, "val/loss")) == [0, 3]
    for tag in ("train/grad_norm", "lr", "train/sequences", "train/targets", "train/tokens", "perf/tokens_per_s"):
        assert all(value > 0 for value in scalars(root, tag).values())
    assert all(0 < value <= 1 for value in scalars(root, "perf/working_share").values())
    assert all(0 < value < 1 for value in scalars(root, "perf/loader_wait_share").values())
    long, short = (scalars(root, f"train/loss_source/{name}") for name in ("long", "short"))
    both = long.keys() & short.keys()
    assert both and all(min(long[i], short[i]) <= steps[i] <= max(long[i], short[i]) for i in both)
    with pytest.raises(KeyError):
        scalars(root, "perf/mfu")  # no figure for a CPU
    assert "held-out loss" in caplog.text and (root / "config.yaml").exists()

    target = tmp_path / "hf"
    export(str(root), str(target), dtype="float32")
    model = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32)
    for name, tensor in final_weights(root).items():
        assert torch.equal(model.state_dict()[name.removeprefix("model.")], tensor)
    assert (
        AutoTokenizer.from_pretrained(target)("a b").input_ids == AutoTokenizer.from_pretrained(TINY)("a b").input_ids
    )
    assert GenerationConfig.from_pretrained(target).eos_token_id == 2
    assert json.loads((target / "longalign.json").read_text()) == {"chat_format": "llama2"}
    assert main(["export", "--checkpoint", str(root), "--target", str(target)]) == 2
    assert "exists already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("interval", "steps"),
    [("2", [2, 4]), ("0.4", [2, 4]), ("1.0", [5]), (None, [5]), ("1000", [5])],
)
def test_held_out_rows_are_looked_at_every_so_many_steps_whatever_the_packs_of_a_step(
    arguments, tmp_path, caplog, interval, steps
):
    often = [] if interval is None else [f"--trainer.val_check_interval={interval}"]
    with caplog.at_level(logging.INFO):
        run_here(arguments(*STEPS, "--data.packs_per_step=4", "--data.max_length=128", "--trainer.max_steps=5", *often))
    assert list(scalars(tmp_path / "run", "val/loss")) == steps
    assert caplog.text.count("held-out loss") == len(steps)
    assert ("trainer.val_check_interval: got 1000 steps, of 5 in the run" in caplog.text) == (interval == "1000")


def test_a_share_to_hold_out_that_makes_no_row_is_told(arguments, caplog):
    run_here(arguments(*STEPS, "--trainer.max_steps=1", "--data.validation=0.001"))
    assert "data.long.validation: 0.001 of its rows make no row: none is held out" in caplog.text


def test_a_held_out_loss_that_is_asked_for_without_held_out_rows_is_told(arguments, caplog):
    often = "--trainer.val_check_interval=2"
    ends = "--trainer.callbacks+=longalign.training.callbacks.ValidateAtEnds"
    run_here(arguments(*STEPS, "--trainer.max_steps=1", "--data.validation=0", often, ends))
    for asked in ("trainer.val_check_interval", "ValidateAtEnds"):
        assert f"{asked}: no rows are held out to validate on: set data.validation" in caplog.text


def test_the_plan_of_a_run_is_told_in_words_of_their_number(arguments, caplog):
    with caplog.at_level(logging.INFO):
        run_here(arguments("--data.packs_per_step=64", "--data.strategy=naive", "--trainer.max_steps=1"))
    assert "naive: 48 sequences in 1 step of 64 packs" in caplog.text


def test_what_export_cannot_write_is_one_line(arguments, tmp_path, capfd, disk_of):
    run_here(arguments(*STEPS[:2], "--trainer.max_steps=1"))
    other = tmp_path / "other"
    LlamaConfig(vocab_size=496, hidden_size=32, num_hidden_layers=1, num_attention_heads=4).save_pretrained(other)
    tied = tmp_path / "tied"
    LlamaConfig.from_pretrained(TINY, tie_word_embeddings=True).save_pretrained(tied)
    good = {"checkpoint": tmp_path / "run", "target": tmp_path / "hf"}
    for wrong, said in (
        ({"assets": other}, f"assets: {other} is not of {tmp_path}/run/checkpoints/step000001.ckpt's model: "),
        ({"assets": tied}, f"assets: {tied} has tie_word_embeddings, and {tmp_path}/run/checkpoints/step000001.ckpt "),
        ({"max_shard_size": "5foo"}, "max_shard_size: got '5foo', expected a size such as"),
        ({"checkpoint": tmp_path / "none"}, f"checkpoint: {tmp_path}/none does not exist"),
    ):
        capfd.readouterr()
        assert main(["export", *(f"--{key}={value}" for key, value in {**good, **wrong}.items())]) == 2
        assert said in capfd.readouterr().err.splitlines()[-1] and not (tmp_path / "hf").exists()
    largest = max(file.stat().st_size for file in (tmp_path / "run/checkpoints/hf").iterdir())
    for size in (largest // 2, largest):  # files of the tokenizer that do not fit, weights that do not
        disk_of(size)
        assert main(["export", *(f"--{key}={value}" for key, value in good.items())]) == 2
        line = capfd.readouterr().err.splitlines()[-1]
        assert "hf could not be written: " in line and "File too large" in line and "[(" not in line
        assert not (tmp_path / "hf").exists()


def test_raw_text_trains_a_longer_context_that_the_export_names(arguments, tmp_path):
    (tmp_path / "books").mkdir()
    for number in range(6):
        (tmp_path / "books" / f"{number}.txt").write_text(f"river stone lamp {number} " * (10 + 30 * number))
    torch.set_float32_matmul_precision("high")
    run_here(
        arguments(
            *STEPS,
            "--data.long=null",
            "--data.short=null",
            f"--data.text={tmp_path / 'books'}",
            "--data.text.repeat=true",
            "--data.loss=token",
            "--model.rope_theta=2e6",
            "--model.max_position_embeddings=4096",
        )
    )
    tokens, targets = (scalars(tmp_path / "run", f"train/{what}") for what in ("tokens", "targets"))
    sequences = scalars(tmp_path / "run", "train/sequences")
    assert all(targets[step] == tokens[step] - sequences[step] for step in (1, 2, 3)), "all but each first token"
    export(str(tmp_path / "run"), str(tmp_path / "hf"), dtype="float32")
    config = LlamaConfig.from_pretrained(tmp_path / "hf")
    assert config.rope_parameters["rope_theta"] == 2e6 and config.max_position_embeddings == 4096
    assert AutoTokenizer.from_pretrained(tmp_path / "hf").model_max_length >= 4096
    assert torch.get_float32_matmul_precision() == "highest"  # in TF32 positions could be rounded


def test_a_generation_config_that_transformers_finds_fault_with_is_kept_without_a_word(arguments, tmp_path, caplog):
    shutil.copytree(TINY, tmp_path / "model")
    (tmp_path / "model/generation_config.json").write_text('{"temperature": 0.9, "eos_token_id": 2}')  # Llama-2's
    run_here(arguments(*STEPS[:2], "--trainer.max_steps=1", f"--model.model={tmp_path / 'model'}"))
    export(str(tmp_path / "run"), str(tmp_path / "hf"))
    assert json.loads((tmp_path / "hf/generation_config.json").read_text())["temperature"] == 0.9
    assert "generation flags" not in caplog.text


def test_answers_of_an_exported_model_end_where_they_ended_in_training(arguments, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>"]})
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role + ': ' + m.content + '<|end|>' }}{% endfor %}"
    tokenizer.chat_template += "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    tokenizer.save_pretrained(tmp_path / "base")
    LlamaForCausalLM(LlamaConfig.from_pretrained(TINY, vocab_size=len(tokenizer))).save_pretrained(tmp_path / "base")
    base = [f"--model.model={tmp_path / 'base'}", "--data.chat_format=template"]
    run_here(arguments(*STEPS[:2], "--trainer.max_steps=1", *base))
    export(str(tmp_path / "run"), str(tmp_path / "hf"))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    assert model.generation_config.eos_token_id == [tokenizer.eos_token_id, end]


def test_tied_embeddings_survive_shards_and_export(arguments, tmp_path):
    config = LlamaConfig.from_pretrained(TINY, tie_word_embeddings=True)
    shutil.copytree(TINY, tmp_path / "tied")
    (tmp_path / "tied/model.safetensors").unlink()
    LlamaForCausalLM(config).save_pretrained(tmp_path / "tied")
    run_here(arguments(*STEPS, f"--model.model={tmp_path / 'tied'}"))
    export(str(tmp_path / "run"), str(tmp_path / "hf"), dtype="float32")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
    before = AutoModelForCausalLM.from_pretrained(tmp_path / "tied", dtype=torch.float32)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.equal(model.lm_head.weight, final_weights(tmp_path / "run")["model.model.embed_tokens.weight"])
    assert not torch.equal(model.lm_head.weight, before.lm_head.weight)


def test_the_commands_that_a_run_ends_with_can_be_pasted(arguments, tmp_path, caplog):
    with caplog.at_level("INFO"):
        run_here(arguments("--trainer.max_steps=1", root="my run"))
    assert f"longalign export --checkpoint '{tmp_path}/my run' --target" in caplog.text
    assert f"tensorboard --logdir '{tmp_path}/my run'" in caplog.text


def test_a_new_run_does_not_write_into_another(arguments, capfd):
    run_here(arguments(*STEPS))
    assert main(arguments(*STEPS)) == 2
    assert "--ckpt_path auto" in capfd.readouterr().err


def test_the_saved_config_repeats_the_run(arguments, tmp_path):
    run_here(arguments(*STEPS))
    losses = scalars(tmp_path / "run", "train/loss")
    saved = str(tmp_path / "run/config.yaml")
    run_here(["fit", "--config", saved, f"--trainer.default_root_dir={tmp_path / 'again'}"])
    assert scalars(tmp_path / "again", "train/loss") == losses


@pytest.mark.parametrize("name", ["Adafactor", "Rprop"])
def test_an_optimizer_that_cannot_update_shards_is_one_line(name, arguments, tmp_path, capfd):
    more = (f"--model.optimizer=torch.optim.{name}", "--data.packs_per_step=2", "--trainer.max_steps=1")
    assert main(arguments(*more)) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert f"model.optimizer: {name} cannot update sharded weights" in line and "--trainer.strategy ddp" in line
    run_here(arguments(*more, "--trainer.strategy=auto", root="whole"))


def test_validate_gives_the_held_out_loss_of_fit(arguments, tmp_path, capfd):
    run_here(arguments(*STEPS, FIRST))
    held_out = scalars(tmp_path / "run", "val/loss")
    for more, step in (([], 0), ([f"--ckpt_path={tmp_path}/run/checkpoints/step000003.ckpt"], 3)):
        run_here(arguments(*STEPS, *more, root=f"v{step}", command="validate"))
        value = scalars(tmp_path / f"v{step}", "val/loss")
        assert value == pytest.approx({step: held_out[step]}, abs=1e-6)
        found = json.loads((tmp_path / f"v{step}" / "validation.json").read_text())
        assert found["loss"] == pytest.approx(held_out[step], abs=1e-6) and found["sequences"] == 6
        assert f"all {found['loss']:.4f}".split() in map(str.split, capfd.readouterr().out.splitlines())


def test_validate_counts_one_sequence_as_one(tmp_path, capfd):
    logger = StepLogger()
    logger.validated = {"loss": 1.5, "sequences": 1.0, "tokens": 1234.0, "targets": 7.0}
    show_validation(SimpleNamespace(callbacks=[logger], default_root_dir=tmp_path))
    assert capfd.readouterr().out.splitlines()[-1] == "1 sequence, 1,234 tokens, 7 targets"


def test_a_gradient_that_is_not_finite_changes_nothing(arguments, tmp_path, caplog, monkeypatch):
    plain = LongAlignModule.training_step

    def poisoned(self, pack, batch_idx):
        out = plain(self, pack, batch_idx)
        return {**out, "loss": out["loss"] * (float("nan") if self.trainer.global_step == 1 else 1.0)}

    run_here(arguments(*STEPS[:2], "--trainer.max_steps=1", root="one"))
    monkeypatch.setattr(LongAlignModule, "training_step", poisoned)
    run_here(arguments(*STEPS[:2], "--trainer.max_steps=2", "--model.scheduler.total_steps=1", root="two"))
    assert "step 2 skipped: gradient norm is nan" in caplog.text
    assert list(scalars(tmp_path / "two", "train/skipped_steps").values()) == [0, 1]
    one, two = final_weights(tmp_path / "one"), final_weights(tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_too_many_bad_gradients_stop_the_run(arguments, monkeypatch, capfd):
    plain = LongAlignModule.training_step
    monkeypatch.setattr(
        LongAlignModule,
        "training_step",
        lambda self, pack, batch_idx: {**(out := plain(self, pack, batch_idx)), "loss": out["loss"] * float("inf")},
    )
    assert main(arguments(*STEPS[:2], "--model.max_skipped_steps=2")) == 2
    assert "model.max_skipped_steps" in capfd.readouterr().err


def test_a_profiler_and_a_summary_show_their_tables(arguments, caplog):
    asked = ["--trainer.profiler=simple", "--trainer.callbacks+=lightning.pytorch.callbacks.ModelSummary"]
    with caplog.at_level("INFO"):
        run_here(arguments(*asked, "--data.packs_per_step=1", "--trainer.max_steps=1"))
    assert any("Trainable params" in line for line in caplog.messages)
    assert any("Profiler Report" in line and "optimizer_step" in line for line in caplog.messages)


def test_ctrl_c_says_how_far_the_run_is_and_how_it_goes_on(arguments, tmp_path, monkeypatch, caplog):
    step, handler = LongAlignModule.training_step, signal.getsignal(signal.SIGINT)

    def stopped_in_the_third(self, *args):
        if self.trainer.global_step == 2:
            raise KeyboardInterrupt
        return step(self, *args)

    monkeypatch.setattr(LongAlignModule, "training_step", stopped_in_the_third)
    with caplog.at_level("INFO"):
        assert main(arguments("--checkpoint.every_n_steps=1", "--data.packs_per_step=1")) == 130
    signal.signal(signal.SIGINT, handler)  # Lightning ignores a second Ctrl-C
    newest = tmp_path / "run/checkpoints/step000002.ckpt"
    assert f"longalign fit: stopped after step 2; {newest} is whole: go on with --ckpt_path auto" in caplog.messages


def test_what_one_rank_finds_wrong_stops_all_in_one_line(arguments, tmp_path):
    (tmp_path / "bad.jsonl").write_text("{broken\n")
    output = run_apart(arguments(f"--data.long={tmp_path}/bad.jsonl", "--trainer.devices=2"), status=2)
    assert output.count("error:") == 1 and "line 1" in output and "Traceback" not in output


def test_gradients_do_not_outlive_their_step(arguments, monkeypatch):
    held = []

    def spy(self, pack, batch_idx):
        held.append(any(parameter.grad is not None for parameter in self.parameters()))
        return forward(self, pack, batch_idx)

    forward = LongAlignModule.training_step
    monkeypatch.setattr(LongAlignModule, "training_step", spy)
    run_here(arguments(*STEPS))  # two packs a step
    assert held == [False, True] * 3


def test_random_weights_need_no_checkpoint(arguments, tmp_path):
    (tmp_path / "config").mkdir()
    for name in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copy(f"{TINY}/{name}", tmp_path / "config")
    run_here(arguments(*STEPS, f"--model.model={tmp_path / 'config'}", "--model.random_weights=true"))
    weights = final_weights(tmp_path / "run")
    assert 0.015 < float(weights["model.lm_head.weight"].std()) < 0.025
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def random_weights_of(model_type, arguments, folder, **keys):
    """Arguments of a run of a tiny model without weights, in the folder ``model``."""
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    AutoConfig.for_model(model_type, vocab_size=496, pad_token_id=None, **small, **keys).save_pretrained(folder)
    return arguments(*STEPS[:2], f"--model.model={folder}", "--model.random_weights=true")


def test_random_weights_leave_no_buffer_as_the_memory_was(arguments, tmp_path):
    heads = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
    experts = {
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
        "first_k_dense_replace": 1,
    }
    run_here(random_weights_of("deepseek_v3", arguments, tmp_path / "model", **heads, **experts))
    corrections = final_weights(tmp_path / "run")["model.model.layers.1.mlp.gate.e_score_correction_bias"]
    assert torch.equal(corrections, torch.zeros(8))


def test_random_weights_of_a_model_with_constants_that_only_a_checkpoint_holds(arguments, tmp_path, capfd):
    assert main(random_weights_of("apertus", arguments, tmp_path / "model")) == 2
    assert "model.random_weights: only a checkpoint can fill apertus's" in capfd.readouterr().err


def test_kept_matrix_products_train_to_the_same_bits(arguments, tmp_path):
    run_here(arguments(*STEPS, root="whole"))
    run_here(arguments(*STEPS, "--model.checkpointing=matmuls", "--model.kept_layers=1"))
    reference = final_weights(tmp_path / "whole")
    for name, weight in final_weights(tmp_path / "run").items():
        assert torch.equal(weight, reference[name]), name


def test_kept_matrix_products_of_no_layer_are_refused(arguments, capfd):
    assert main(arguments(*STEPS, "--model.checkpointing=matmuls")) == 2
    assert "model.kept_layers: checkpointing matmuls needs the number of layers" in capfd.readouterr().err


@pytest.mark.parametrize("mode", ["auto", "none"])
def test_kept_layers_without_a_mode_that_uses_them_are_refused(arguments, capfd, mode):
    assert main(arguments(*STEPS, f"--model.checkpointing={mode}", "--model.kept_layers=1")) == 2
    assert "model.kept_layers: goes with checkpointing attention, matmuls or full" in capfd.readouterr().err
