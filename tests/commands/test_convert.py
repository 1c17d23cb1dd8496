"""``longalign convert``: ChatGLM3's files to plain transformers' and back, bit by bit, whole or not at all."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GlmForCausalLM

from longalign.__main__ import main
from longalign.chat import load_tokenizer
from longalign.commands.model_loading import find_format
from longalign.errors import UserError
from longalign.files import new_folder
from longalign.model.chatglm import INV_FREQ
from longalign.model.shards import read_tensors, shard_files

TINY = Path(__file__).parent.parent / "golden/chatglm3_tiny"
ROTARY = 1.0 / 10000 ** (torch.arange(0, 8, 2).float() / 8)
CONFIG = json.loads((TINY / "config.json").read_text())


def convert(source, target, *more, status=0):
    assert main(["convert", f"--source={source}", f"--target={target}", *more]) == status
    return target


def checkpoint(folder: Path, kind: str, dtype=torch.float16, **config) -> dict[str, torch.Tensor]:
    """The tiny checkpoint as one of the forms that ChatGLM3's come in; returns its tensors."""
    folder.mkdir()
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(TINY / name, folder / name)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"torch_dtype": str(dtype)[6:]} | config))
    weights = {name: value.to(dtype) for name, value in load_file(TINY / "model.safetensors").items()}
    weights[INV_FREQ] = ROTARY.to(dtype)
    names = sorted(weights)
    shards = [names[n::5] for n in range(5)] if kind.startswith("shards") else [names]
    suffix = kind.split(".")[-1]
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    weight_map = {}
    for number, keys in enumerate(shards, 1):
        name = f"{stem}-{number:05d}-of-00005.{suffix}" if len(shards) > 1 else f"{stem}.{suffix}"
        part = {key: weights[key] for key in keys}
        if suffix == "safetensors":
            save_file(part, folder / name)
        else:
            torch.save(part, folder / name, _use_new_zipfile_serialization="legacy" not in kind)
        weight_map |= dict.fromkeys(keys, name)
    if len(shards) > 1:
        (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weights


def same_bits(ours: dict, theirs: dict) -> bool:
    return ours.keys() == theirs.keys() and all(
        ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor) for name, tensor in theirs.items()
    )


@pytest.mark.parametrize("kind", ["safetensors", "shards.safetensors", "bin", "shards.bin", "legacy.bin"])
def test_there_and_back_is_bit_equal(kind, tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    weights = checkpoint(tmp_path / "source", kind)
    glm = convert(tmp_path / "source", tmp_path / "glm", "--rope_ratio=200")
    assert capsys.readouterr().out == f"{glm}\n"
    assert "rope_theta 2,000,000 (rope_ratio 200)" in caplog.text
    model = AutoModelForCausalLM.from_pretrained(glm, dtype="auto")
    assert isinstance(model, GlmForCausalLM)
    assert model.dtype == torch.float16
    back = convert(glm, tmp_path / "back", "--to=chatglm3")
    assert same_bits(dict(read_tensors(shard_files(back))), weights)
    source = tmp_path / "source"
    assert json.loads((back / "config.json").read_text()) == json.loads((source / "config.json").read_text()) | {
        "rope_ratio": 200
    }
    for name in ("tokenizer.model", "tokenizer_config.json"):
        original = (source / name).read_bytes()
        assert (back / name).read_bytes() == original or json.loads((back / name).read_text()) == json.loads(original)


def test_the_target_is_what_plain_transformers_loads(tmp_path):
    checkpoint(tmp_path / "source", "shards.safetensors", rope_ratio=50)
    glm = convert(tmp_path / "source", tmp_path / "glm", "--chat_format=chatglm3")
    tokenizer, model = AutoTokenizer.from_pretrained(glm), AutoModelForCausalLM.from_pretrained(glm, dtype="auto")
    assert tokenizer("hello").input_ids[:2] == [497, 499]
    assert model.config.rope_parameters["rope_theta"] == 500_000
    assert 2 in model.generation_config.eos_token_id
    assert len(list(glm.glob("model-*.safetensors"))) > 1
    assert not list(glm.glob("*.py"))
    assert json.loads((glm / "longalign.json").read_text())["chat_format"] == "chatglm3"
    assert {file.stat().st_mode & 0o777 for file in glm.iterdir()} == {0o644}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda s: (s / "config.json").unlink(), "config.json: No such file"),
        (lambda s: (s / "config.json").write_text('{"model_type": "llama"}'), "model_type is llama, expected chatglm"),
        (lambda s: (s / "tokenizer.model").write_text("x"), "tokenizer.model: not a sentencepiece model"),
        (
            lambda s: (s / "model-00003-of-00005.safetensors").unlink(),
            "1 of 5 shards not found, the first is model-0",
        ),
        (lambda s: os.truncate(s / "model-00003-of-00005.safetensors", 4000), "00003-of-00005.safetensors: cannot be"),
        (lambda s: (s / "model.safetensors.index.json").unlink(), "no weights here; expected model.safetensors"),
        (lambda s: (s / "model.safetensors.index.json").write_text("{}"), "not an index of weight files"),
        (
            lambda s: (s / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x"}}'),
            "'../x' is not a file beside it",
        ),
    ],
)
def test_a_broken_source_takes_one_line_and_leaves_nothing(damage, said, tmp_path, capsys):
    checkpoint(tmp_path / "source", "shards.safetensors", rope_ratio=1)
    damage(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "glm", status=2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert os.listdir(tmp_path) == ["source"]


def test_a_folder_without_tokenizer_gives_one_without(tmp_path, caplog):
    weights = checkpoint(tmp_path / "source", "shards.bin", rope_ratio=1)
    (tmp_path / "source/tokenizer.model").unlink()
    (tmp_path / "source/tokenizer_config.json").unlink()
    glm = convert(tmp_path / "source", tmp_path / "glm")
    assert "without tokenizer" in caplog.text
    back = convert(glm, tmp_path / "back", "--to=chatglm3")
    assert same_bits(dict(read_tensors(shard_files(back))), weights)
    assert not list(back.glob("tokenizer*"))


def test_answers_end_at_roles_and_generation_settings_come_back(tmp_path):
    checkpoint(tmp_path / "source", "safetensors", rope_ratio=1)
    settings = {"eos_token_id": 2, "top_p": 0.8, "do_sample": True}
    (tmp_path / "source/generation_config.json").write_text(json.dumps(settings))
    glm = convert(tmp_path / "source", tmp_path / "glm")
    assert json.loads((glm / "generation_config.json").read_text())["eos_token_id"] == [2, 502, 504]
    back = convert(glm, tmp_path / "back", "--to=chatglm3")
    assert json.loads((back / "generation_config.json").read_text()) == settings


def test_the_format_of_the_prompts_comes_back_and_goes_again(tmp_path):
    glm = convert(TINY, tmp_path / "glm", "--rope_ratio=1", "--chat_format=chatglm3")
    back = convert(glm, tmp_path / "back", "--to=chatglm3")
    assert find_format(str(back), "auto", load_tokenizer(back)) == "chatglm3"
    again = convert(back, tmp_path / "again")
    assert find_format(str(again), "auto", load_tokenizer(again)) == "chatglm3"
    assert (again / "chat_template.jinja").read_bytes() == (glm / "chat_template.jinja").read_bytes()


def test_one_tensor_under_two_names_and_a_transposed_one_are_written_out(tmp_path):
    weights = checkpoint(tmp_path / "source", "bin", rope_ratio=1)
    norms = [name for name in weights if "layernorm" in name]
    dense = "transformer.encoder.layers.0.self_attention.dense.weight"
    odd = {**weights, **dict.fromkeys(norms, weights[norms[0]]), dense: weights[dense].T.contiguous().T}
    torch.save(odd, tmp_path / "source/pytorch_model.bin")
    back = convert(convert(tmp_path / "source", tmp_path / "glm"), tmp_path / "back", "--to=chatglm3")
    assert same_bits(dict(read_tensors(shard_files(back))), odd)


def test_a_pickle_that_is_more_than_tensors_is_not_run(tmp_path, capsys):
    checkpoint(tmp_path / "source", "bin")
    ran = tmp_path / "ran"
    torch.save({"x": Runs(ran)}, tmp_path / "source" / "pytorch_model.bin")
    convert(tmp_path / "source", tmp_path / "glm", "--rope_ratio=1", status=2)
    assert "pytorch_model.bin: cannot be read" in capsys.readouterr().err
    assert not ran.exists()


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_target_that_exists_is_left_alone(tmp_path, capsys):
    (tmp_path / "glm").mkdir()
    convert(TINY, tmp_path / "glm", status=2)
    assert "exists already" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "glm"]


def test_two_at_once_do_not_write_into_each_other(tmp_path, capsys):
    with new_folder(tmp_path / "glm") as first:
        (first / "x").touch()
        convert(TINY, tmp_path / "glm", status=2)
        assert (first / "x").exists()
    assert "another process is writing" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["glm"]


def test_a_file_that_cannot_be_read_for_a_new_folder_is_named(tmp_path):
    said = r"glm could not be written: No such file or directory \(.*weights\.bin\)"
    with pytest.raises(UserError, match=said), new_folder(tmp_path / "glm"):
        (tmp_path / "weights.bin").read_bytes()
    assert list(tmp_path.iterdir()) == []


def big_checkpoint(folder: Path, layers: int, shard_layers: int) -> int:
    """A ChatGLM3 checkpoint of 44 MiB a layer, in shards of about some layers; returns the size of the largest."""
    script = runpy.run_path(str(Path(__file__).parent.parent.parent / "bin/benchmark-convert"))
    sizes = {"hidden_size": 1024, "ffn_hidden_size": 6144, "kv_channels": 64, "num_attention_heads": 16}
    config = script["CHATGLM3_6B"] | sizes | {"num_layers": layers, "padded_vocab_size": 512}
    return script["make_checkpoint"](folder, config, shard_layers * 45 * 2**20)


MEASURE = """
import resource
import longalign.commands.convert as command
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
command.convert({tiny!r}, {warm!r}, rope_ratio=1.0)
before = peak()
command.convert({source!r}, {glm!r})
command.convert({glm!r}, {back!r}, "chatglm3")
print(before, peak())
"""


def test_no_more_than_two_shards_are_in_memory(tmp_path):
    largest = big_checkpoint(tmp_path / "source", layers=16, shard_layers=2)
    paths = {name: str(tmp_path / name) for name in ("warm", "source", "glm", "back")}
    code = MEASURE.format(tiny=str(TINY), **paths)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, run.stdout.split()[-2:])
    assert after - before < 2.2 * largest, (before, after, largest)


def test_a_killed_conversion_leaves_nothing_that_looks_whole_and_the_next_one_works(tmp_path):
    big_checkpoint(tmp_path / "source", layers=8, shard_layers=2)
    command = [sys.executable, "-m", "longalign", "convert", f"--source={tmp_path / 'source'}"]
    command.append(f"--target={tmp_path / 'glm'}")
    hidden = tmp_path / ".glm.incomplete"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not list(hidden.glob("*.safetensors")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not (tmp_path / "glm").exists()
    assert hidden.exists()  # the lock went with the process
    convert(tmp_path / "source", tmp_path / "glm")
    assert (tmp_path / "glm/model.safetensors.index.json").exists()
    assert not hidden.exists()


def test_a_conversion_that_is_told_to_stop_leaves_nothing_and_says_so(tmp_path, monkeypatch, caplog):
    def stop(*_, **__):
        assert (tmp_path / ".glm.incomplete").is_dir()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("longalign.commands.convert.convert_to_glm", stop)
    with caplog.at_level("INFO"), pytest.raises(SystemExit) as end:
        convert(TINY, tmp_path / "glm")
    assert end.value.code == 143 and caplog.messages[-1] == "stopped; nothing was written"
    assert not list(tmp_path.iterdir())


def test_a_full_disk_takes_one_line(tmp_path, disk_of, capfd):
    big_checkpoint(tmp_path / "source", layers=4, shard_layers=2)
    disk_of(10 << 20)
    convert(tmp_path / "source", tmp_path / "glm", status=2)
    assert "could not be written" in capfd.readouterr().err.splitlines()[-1]
    assert sorted(os.listdir(tmp_path)) == ["source"]
