"""A user's mistakes: one line that says what to do, exit status 2, no traceback."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch

from longalign.__main__ import main
from longalign.commands.messages import explain_trainer_error

ROOT = Path(__file__).parent.parent.parent
TINY = str(ROOT / "tests/golden/llama_tiny")
GOOD = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}


@pytest.fixture
def mistake(capfd, tmp_path):
    """Run ``longalign`` and return its one line."""

    def run(*arguments: str) -> str:
        assert main([str(a) for a in arguments]) == 2
        lines = [line for line in capfd.readouterr().err.splitlines() if "error:" in line]
        assert len(lines) == 1
        return lines[0]

    return run


@pytest.fixture
def fit(mistake, tmp_path):
    good = tmp_path / "good.jsonl"
    good.write_text(json.dumps(GOOD) + "\n")

    def run(**changed: str) -> str:
        options = {
            "model.model": TINY,
            "data.long": good,
            "data.chat_format": "llama2",
            "data.cache_dir": tmp_path / "cache",
            "data.num_workers": 0,
            "trainer.accelerator": "cpu",
            "trainer.devices": 1,
            "trainer.default_root_dir": tmp_path / "run",
        }
        options |= {key.replace("__", "."): value for key, value in changed.items()}
        return mistake("fit", *(f"--{key}={value}" for key, value in options.items()))

    return run


def test_unknown_command(mistake):
    assert "did you mean 'fit'" in mistake("fti")
    assert "expected one of" in mistake("xyzzy")


def test_ctrl_c_is_one_line_and_status_130(monkeypatch, caplog):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("longalign.commands.plan.run", stopped)
    with caplog.at_level("INFO"):
        assert main(["plan"]) == 130
    assert caplog.messages == ["longalign plan: stopped"]


def test_unknown_key_names_the_nearest(fit, mistake):
    assert "did you mean 'data.max_length'" in fit(data__max_lenght=5)
    assert "did you mean 'checkpoint'" in mistake("export", "--checkpont", "x")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("data:\n  max_length: 5\n  max_length: 6\n", "max_length", 3),
        ("data: {max_length: 5}\nmodel: {}\ndata: {seed: 1}\n", "data", 3),
        ("trainer:\n  callbacks:\n  - {class_path: a, class_path: b}\n", "class_path", 3),
    ],
)
def test_a_key_that_a_config_has_twice_is_refused(text, key, line, mistake, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(text)
    for command in ("fit", "plan", "chat"):
        assert f"config.yaml has the key '{key}' again at line {line}" in mistake(command, f"--config={config}")


def test_unknown_key_of_an_optimizer_is_named(fit):
    line = fit(model__optimizer="{class_path: torch.optim.AdamW, init_args: {wieght_decay: 0.1}}")
    assert line.endswith("model.optimizer: AdamW has no option 'wieght_decay'; did you mean 'weight_decay'?")
    assert fit(model__optimizer__xyz=1).endswith("error: model.optimizer: AdamW has no option 'xyz'")
    line = fit(model__scheduler__warmup=1)
    assert line.endswith("model.scheduler: WarmupCosine has no option 'warmup'; did you mean 'warmup_share'?")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model.optimizer.lr", "abc", "got abc, expected a number"),
        ("model.optimizer.betas", 3, "got 3, expected a list"),
        ("model.scheduler.warmup_share", "x", "got x, expected a number"),
        ("trainer.callbacks.every_n_steps", "x", "got x, expected a whole number"),
    ],
)
def test_a_wrong_value_of_an_option_of_a_class_is_told_with_its_key(mistake, key, value, said):
    probe = "--trainer.callbacks+=longalign.training.callbacks.NeedleProbe"
    line = mistake("fit", "--model.model=m", "--data.long=l.jsonl", probe, f"--{key}={value}")
    assert line == f"longalign fit: error: {key}: {said}"


def test_mistakes_in_options_of_a_callback_are_told_as_such(mistake):
    probe = "--trainer.callbacks+=longalign.training.callbacks.NeedleProbe"
    line = mistake("fit", "--model.model=m", probe, "--trainer.callbacks.every_n_step=4")
    assert line.endswith("trainer.callbacks: NeedleProbe has no option 'every_n_step'; did you mean 'every_n_steps'?")
    line = mistake("fit", "--model.model=m", f"{probe[:-1]}")
    assert line.endswith("module 'longalign.training.callbacks' has no attribute 'NeedleProb'")
    line = mistake("fit", "--model.model=m", "--data.long=l.jsonl", probe, "--trainer.callbacks.max_time_share=2")
    assert line == "longalign fit: error: NeedleProbe.max_time_share: got 2.0, expected 0 to 1"


def test_damaged_weights_are_one_line(fit, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(TINY, folder)
    (folder / "model.safetensors").write_bytes(b"not safetensors")
    assert "damaged" in fit(model__model=folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hidden_size", "abc", "config.json: Field 'hidden_size' expected int, got str"),
        ("hidden_size", 128, "lm_head.weight (got [496, 64], expected [496, 128])"),
        (
            "tie_word_embeddings",
            True,
            "has an lm_head of its own, and its config says tie_word_embeddings; to train both:",
        ),
    ],
)
def test_a_config_that_is_wrong_or_not_of_its_weights_is_one_line(fit, tmp_path, key, value, said):
    folder = tmp_path / "edited"
    shutil.copytree(TINY, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    assert said in fit(model__model=folder)


def test_a_pickle_that_may_run_code_is_refused_and_nobody_is_told_to_run_it(fit, tmp_path):
    folder = tmp_path / "pickle"
    shutil.copytree(TINY, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": print}))
    line = fit(model__model=folder)
    assert "a pickle that is damaged or would run code" in line and "weights_only" not in line


@pytest.mark.parametrize("with_weights", [False, True])
def test_an_adapter_is_not_taken_for_a_model_nor_left_out(fit, tmp_path, with_weights):
    folder = tmp_path / "adapter"
    shutil.copytree(TINY, folder)
    if not with_weights:
        (folder / "model.safetensors").unlink()
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "a/b"}))
    assert "holds an adapter" in (line := fit(model__model=folder)) and "merge the adapter" in line


def test_values_that_a_config_or_an_optimizer_does_not_take(fit):
    line = fit(model__config_overrides="{num_hidden_layers: 2.5}")
    assert "model.config_overrides: Field 'num_hidden_layers' expected int" in line
    assert "model.config_overrides: could not convert" in fit(model__config_overrides="{rope_theta: abc}")
    line = fit(model__optimizer="{class_path: torch.optim.AdamW, init_args: {lr: -1}}")
    assert "model.optimizer: Invalid learning rate: -1" in line


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data.seed", -1, "got -1, expected 0 or more"),
        ("checkpoint.keep", -1, "got -1, expected 0 or more"),  # it would remove what was just saved
        ("checkpoint.every_n_steps", -1, "got -1, expected 0 or more"),
        ("progress.every_n_steps", 0, "got 0, expected 1 or more"),
        ("model.max_skipped_steps", 0, "got 0, expected 1 or more"),
        ("model.kept_layers", -1, "got -1, expected 0 or more"),
        ("model.gpu_memory_gib", 0, "got 0.0, expected more than 0"),
    ],
)
def test_a_number_out_of_its_range_is_refused_before_anything_is_read(fit, key, value, said):
    assert f"error: {key}: {said}" in fit(**{key: value, "data.long": "none.jsonl"})


def test_more_kept_layers_than_the_model_has(fit):
    assert "model.kept_layers: got 4, the model has only 3" in fit(model__kept_layers=4, model__checkpointing="full")


def test_a_wrong_type_is_said_without_names_of_python(fit, mistake):
    assert fit(data__max_length="abc").endswith("error: data.max_length: got abc, expected a whole number")
    assert fit(data__num_proc="x").endswith("error: data.num_proc: got x, expected a whole number or null")
    assert fit(data__strategy="x").endswith("data.strategy: got x, expected balanced, packing, sorted, naive")
    assert fit(model__config_overrides="x").endswith("got x, expected a mapping such as {KEY: VALUE} or null")
    line = mistake("data", "import", "--source=a", "--out=b", "--html=maybe")
    assert line == "longalign data import: error: html: got maybe, expected auto or true or false"
    assert "trainer: `devices`" in fit(trainer__devices="{a: 1}")
    assert fit(trainer__limit_val_batches="a").endswith("got a, expected a number or a whole number or null")
    for logger, got in (("{foo: 1}", "{'foo': 1}"), ("[a]", "['a']")):
        line = fit(trainer__logger=logger)
        assert line.endswith(f"error: trainer.logger: got {got}, which fits nothing that is expected there; see --help")
    line = fit(trainer__strategy__gather_once="maybe")
    assert line.endswith("gather_once: got maybe, expected true or false")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("trainer.logger.x", "trainer.logger names no class that could have this option; give --trainer.logger CLASS"),
        ("trainer.profiler.x", "trainer.profiler names no class that could have this option"),
        ("data.validation.x", "data.validation has no options of its own; expected --data.validation with a whole num"),
        ("trainer.devices.x", "--trainer.devices with a text or a whole number"),
        ("data.long.x", "unknown key 'x'"),
    ],
)
def test_an_option_of_a_key_that_has_none_is_refused_without_names_of_python(mistake, key, said):
    line = mistake("fit", "--model.model=m", "--data.long=l.jsonl", f"--{key}=1")
    assert f"error: {key}: " in line and said in line
    assert "NestedArg" not in line and "class '" not in line and "'1'" not in line


def test_what_is_missing_is_named_as_the_option_that_gives_it(mistake):
    assert mistake("fit").endswith("error: missing: --model.model")
    assert mistake("export").endswith("error: missing: --checkpoint, --target")


def test_a_class_that_cannot_be_loaded_is_one_line_with_the_reason(fit, monkeypatch):
    for name in {"torchao", *(name for name in sys.modules if name.startswith("torchao."))}:  # of other tests
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "longalign.training.adamw_8bit", raising=False)
    line = fit(model__optimizer="longalign.training.adamw_8bit.AdamW8bit")
    assert "error: model.optimizer: cannot be used: AdamW8bit needs torchao: pip install -e .[optim]" in line
    line = fit(model__optimizer="adamw_torch")
    assert line.endswith(
        "model.optimizer: got adamw_torch, expected a class with its module, such as torch.optim.AdamW"
    )
    line = fit(trainer__logger="CSVLogger")
    assert line.endswith("'lightning.pytorch.loggers.CSVLogger': the following arguments are required: save_dir")


def test_a_logger_that_is_not_installed_is_one_line():
    lightning = (
        "Does not validate against any of the Union subtypes Subtypes: [<class 'bool'>] Errors: - Problem with given "
        "class_path 'a.WandbLogger': Requirement 'wandb' not met. HINT: Try running `pip install -U wandb` - Expected "
        "a <class 'bool'> Given value type: <class 'jsonargparse._namespace.Namespace'> Given value: Namespace()"
    )
    line = explain_trainer_error(lightning)
    assert line == "trainer: 'a.WandbLogger': Requirement 'wandb' not met. HINT: Try running `pip install -U wandb`"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_config_for_gpus_on_a_machine_without_says_what_to_give(fit):
    assert "torch finds no GPU here; --trainer.accelerator cpu" in fit(trainer__accelerator="gpu", trainer__devices=8)


def test_the_devices_that_are_not_there_are_named_with_their_key():
    line = explain_trainer_error("You requested gpu: [0, 1]\n But your machine only has: [0]")
    assert line == "trainer.devices: You requested gpu: [0, 1] But your machine only has: [0]; give --trainer.devices"


def test_a_key_of_another_program_is_not_taken_for_the_nearest_of_ours(fit):
    for key in ("learning_rate", "gradient_accumulation_steps"):
        line = fit(**{key: 1})
        assert f"unknown key '{key}'" in line and "did you mean" not in line and line.endswith("see --help")


def test_help_says_what_ckpt_path_takes(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    out = capsys.readouterr().out
    assert "auto takes the run's newest one" in " ".join(out.split()) and "hpc" not in out


@pytest.mark.parametrize("command", ["fit", "export", "card"])
def test_help_shows_code_in_single_backticks(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    out = capsys.readouterr().out
    assert "`" in out and "``" not in out


def test_the_folder_of_a_run_is_no_model(mistake, tmp_path):
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    line = mistake("chat", f"--model={tmp_path / 'run'}", "--prompt=hi")
    assert f"`longalign export --checkpoint {tmp_path / 'run'} --target FOLDER` makes a model of it" in line


def test_missing_config_and_broken_yaml(mistake, tmp_path):
    assert "nofile.yaml" in mistake("fit", "--config", tmp_path / "nofile.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("model: [unclosed\n")
    assert "broken.yaml" in mistake("fit", "--config", broken)
    broken.write_text("# nothing yet\n")
    assert f"{broken} holds no options" in mistake("fit", "--config", broken)
    broken.write_bytes("data: x".encode("utf-16"))
    assert "config: not UTF-8 text" in mistake("fit", "--config", broken)
    assert "config: not UTF-8 text" in mistake("export", "--config", broken)
    broken.write_text("optimizer: {lr: 5}\n")
    assert "unknown key 'optimizer.lr'; did you mean 'model.optimizer'?" in mistake("fit", "--config", broken)
    broken.write_text("data: {max_lenght: 5}\n")
    assert "max_lenght" in mistake("fit", "--config", broken)


def test_missing_data_file(fit, tmp_path):
    line = fit(data__long=tmp_path / "none.jsonl")
    assert "none.jsonl does not exist" in line and "data.long" in line


def test_no_data_at_all(mistake):
    assert "data.long" in mistake("fit", "--model.model", TINY)
    line = mistake("plan", "--config", ROOT / "configs/extend_llama2_7b.yaml", "--data.tokenizer", TINY)
    assert line.endswith("error: data.text: has no path; give --data.text PATH")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(GOOD) + "\n{broken\n", ["line 2", "bad.jsonl"]),
        ("", ["bad.jsonl"]),
        (json.dumps({"text": "raw"}) + "\n", ["line 1", "raw text is given as data.text"]),
        (json.dumps({"messages": [{"role": "user"}]}) + "\n", ["line 1", "content"]),
        (json.dumps({"messages": [{"role": "robot", "content": "x"}]}) + "\n", ["line 1", "robot"]),
        (json.dumps({"messages": [{"role": "user", "content": "only a question"}]}) + "\n", ["no_target"]),
    ],
)
def test_bad_rows_are_named_by_file_and_line(fit, tmp_path, text, words):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(text)
    line = fit(data__long=bad)
    for word in words:
        assert word in line


def test_no_packs(fit):
    assert "data.packs_per_step" in fit(data__packs_per_step=0)


def test_missing_model_and_models_that_cannot_be_packed(fit, tmp_path):
    assert "nowhere" in fit(model__model=tmp_path / "nowhere")
    gpt = tmp_path / "gpt"
    gpt.mkdir()
    (gpt / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert "gpt2 cannot be packed" in fit(model__model=gpt)


def test_remote_code_is_refused_without_a_question(fit, tmp_path):
    folder = tmp_path / "remote"
    folder.mkdir()
    config = {"model_type": "strange", "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('remote code has run')\n")
    assert "remote code" in fit(model__model=folder)


def test_trainer_keys_that_the_plan_owns(fit):
    assert "data.epochs" in fit(trainer__max_epochs=3)
    assert "trainer.limit_train_batches: got 5: use trainer.max_steps" in fit(trainer__limit_train_batches=5)
    assert "trainer.limit_train_batches: got 1, which would be all" in fit(trainer__limit_train_batches=1)
    assert "trainer.limit_val_batches: got 1, which would be all" in fit(trainer__limit_val_batches=1)
    assert "trainer.fast_dev_run: got 2: use trainer.max_steps" in fit(trainer__fast_dev_run=2)
    assert "trainer.overfit_batches: got 2: use a source's count" in fit(trainer__overfit_batches=2)
    assert "packs_per_step" in fit(trainer__accumulate_grad_batches=5)
    assert "use_distributed_sampler" in fit(trainer__use_distributed_sampler="true")
    assert "model.compute_dtype" in fit(trainer__precision="bf16-true")
    assert "got bf16-true, expected 32-true" in fit(trainer__precision="bf16-true", trainer__strategy="auto")
    assert "trainer.max_steps: got 0" in fit(trainer__max_steps=0)
    assert "trainer.gradient_clip_algorithm: got value" in fit(trainer__gradient_clip_algorithm="value")


def test_early_stopping_by_a_metric_that_does_not_exist_is_one_line(fit):
    stopping = "{class_path: lightning.pytorch.callbacks.EarlyStopping, init_args: {monitor: nothere}}"
    line = fit(trainer__callbacks=f"[{stopping}]", trainer__max_steps=1, data__packs_per_step=1)
    assert "trainer.callbacks: EarlyStopping: got monitor 'nothere', expected one of val/loss" in line


def test_averages_of_weights_that_cannot_be_are_refused(fit):
    known = "lightning.pytorch.callbacks"
    assert "use EMAWeightAveraging" in fit(
        trainer__callbacks=f"[{{class_path: {known}.StochasticWeightAveraging, init_args: {{swa_lrs: 1.0}}}}]"
    )
    assert "give --trainer.strategy auto" in fit(trainer__callbacks=f"[{{class_path: {known}.EMAWeightAveraging}}]")


def test_bad_strategy_is_one_line(fit):
    assert "nope" in fit(trainer__strategy="nope")


def test_kernels_that_a_strategy_does_not_use_are_refused(fit):
    assert "ShardStrategy" in fit(trainer__strategy="auto", model__fused="liger")


def test_missing_checkpoint(fit, mistake, tmp_path):
    assert "does not exist" in fit(ckpt_path=tmp_path / "none.ckpt")
    half = tmp_path / "step000004.ckpt"
    half.mkdir()
    assert "not a whole checkpoint" in fit(ckpt_path=half)
    assert "no whole checkpoint" in mistake("export", "--checkpoint", tmp_path, "--target", tmp_path / "x")
    for folder in (tmp_path / "hf", half):
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
    said = mistake("export", "--checkpoint", half, "--target", tmp_path / "x")
    assert f"checkpoint: {half} is not whole" in said and "ckpt_path" not in said


def test_other_commands_than_fit_name_their_own_options(mistake, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(GOOD) + "\n")
    out = f"--out={tmp_path / 'out.jsonl'}"
    split = ("data", "import", f"--source={rows}", out, "--split_length=9")
    api = ("data", "synthesize", f"--documents={rows}", out, "--api_model=m", "--base_url=http://127.0.0.1:9/v1")
    said = [
        mistake(*split, f"--tokenizer={TINY}"),
        mistake(*split, "--tokenizer=/not/there"),
        mistake(*api, "--tokenizer=/not/there"),
        mistake(*api),
        mistake("data", "answer", f"--questions={rows}", out, f"--model={TINY}", "--chat_format=template"),
        mistake("data", "answer", f"--questions={rows}", out, "--model=/not/there"),
        mistake("data", "generate", out, "--tokenizer=/not/there"),
    ]
    assert "has no chat template for --chat_format template" in said[0]
    assert "give --chat_format chatglm3 or llama2" in said[4]
    assert all("no such folder; --tokenizer must name a folder" in line for line in (said[1], said[2], said[6]))
    assert "no column 'text' (there are: messages); set --text_column" in said[3]
    assert all(key not in line for line in said for key in ("data.", "model.model", "documents.text_column"))
