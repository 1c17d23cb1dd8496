"""``fit`` on a folder in ChatGLM3's own format: converted once, trained, exported, and back in its own format."""

import json
import os
import shutil

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from longalign.__main__ import main
from longalign.chat import encode_prompt, load_tokenizer
from longalign.model import conversion
from longalign.model.chatglm import to_glm
from tests.training.conftest import ROOT, final_weights, run_here

CHATGLM = ROOT / "tests/golden/chatglm3_tiny"
CONFIG = ROOT / "configs/chatglm_packing_lw.yaml"
SMALL = ["--data.packs_per_step=2", "--data.max_length=1024", "--data.epochs=1", "--trainer.max_steps=2"]


def given(arguments, *more):
    """The real config on a CPU; LongAlign's rope_ratio is in it."""
    fit = arguments(*SMALL, f"--model.model={CHATGLM}", "--data.chat_format=chatglm3", *more)
    return [fit[0], f"--config={CONFIG}", *fit[1:]]


def test_two_ranks_convert_once_train_and_give_it_back(arguments, ranks, tmp_path, data):
    cache = tmp_path / "cache"
    said = ranks.longalign(given(arguments, "--trainer.devices=2", f"--model.cache_dir={cache}"))
    assert said.count("converting") == 1
    folders = [path for path in (cache / "models").iterdir() if path.is_dir()]
    assert len(folders) == 1

    hf, back = tmp_path / "hf", tmp_path / "back"
    assert main(["export", f"--checkpoint={tmp_path / 'run'}", f"--target={hf}", "--dtype=float32"]) == 0
    model = AutoModelForCausalLM.from_pretrained(hf)
    assert model.config.rope_parameters["rope_theta"] == 2_000_000
    assert json.loads((hf / "longalign.json").read_text())["chat_format"] == "chatglm3"
    messages = [{"role": "user", "content": "什么 is it?"}]
    tokenizer = AutoTokenizer.from_pretrained(hf)
    served = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert served == encode_prompt(messages, load_tokenizer(CHATGLM), "chatglm3")  # a server asks as we trained

    assert main(["convert", f"--source={hf}", f"--target={back}", "--to=chatglm3"]) == 0
    config = json.loads((CHATGLM / "config.json").read_text())
    assert json.loads((back / "config.json").read_text()) == config | {"rope_ratio": 200}
    assert (back / "tokenizer.model").read_bytes() == (CHATGLM / "tokenizer.model").read_bytes()
    theirs = load_file(back / "model.safetensors")
    before = load_file(CHATGLM / "model.safetensors")
    assert theirs.keys() == before.keys()
    ours = dict(to_glm(theirs.items(), model.config))
    trained = {name.removeprefix("model."): weight for name, weight in final_weights(tmp_path / "run").items()}
    assert all(torch.equal(ours[name], trained[name]) for name in trained)
    assert not torch.equal(theirs["transformer.output_layer.weight"], before["transformer.output_layer.weight"])


def test_a_converted_folder_trains_to_the_same_bits(arguments, tmp_path):
    run_here(given(arguments))
    assert main(["convert", f"--source={CHATGLM}", f"--target={tmp_path / 'glm'}", "--rope_ratio=200"]) == 0
    run_here(given(arguments, f"--model.model={tmp_path / 'glm'}", f"--trainer.default_root_dir={tmp_path / 'other'}"))
    one, other = final_weights(tmp_path / "run"), final_weights(tmp_path / "other")
    assert all(torch.equal(one[name], other[name]) for name in one)
    files = ("longalign.json", "tokenizer.model", "tokenizer.json", "config.json")
    folders = [tmp_path / run / "checkpoints/hf" for run in ("run", "other")]
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in files)


def test_a_plan_needs_no_conversion(arguments, monkeypatch, capsys):
    monkeypatch.setattr(conversion, "convert_to_glm", lambda *_, **__: 1 / 0)
    fit = given(arguments)
    assert main(["plan", *[a for a in fit[1:] if "default_root" not in a]]) == 0
    assert "packing" in capsys.readouterr().out


def test_a_conversion_that_fails_stops_every_rank_in_one_line(arguments, ranks, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(CHATGLM, broken)
    os.truncate(broken / "model.safetensors", 100_000)
    more = (f"--model.model={broken}", f"--model.cache_dir={tmp_path / 'cache'}", "--trainer.devices=2")
    said = ranks.longalign(given(arguments, *more), status=2)
    assert "model.safetensors: cannot be read" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not [path for path in (tmp_path / "cache/models").iterdir() if path.is_dir()]


def test_an_unknown_ratio_is_asked_for_by_its_key(arguments, tmp_path, capsys):
    folder = tmp_path / "long"
    shutil.copytree(CHATGLM, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"seq_length": 65536}))
    fit = arguments(*SMALL, f"--model.model={folder}", "--data.chat_format=chatglm3")
    assert main(fit) == 2
    assert "--model.config_overrides.rope_ratio of fit" in capsys.readouterr().err
    run_here([*fit, "--model.config_overrides.rope_ratio=200"])
    saved = json.loads((tmp_path / "run/checkpoints/hf/config.json").read_text())
    assert saved["rope_parameters"]["rope_theta"] == 2_000_000
    assert saved["max_position_embeddings"] == 65536
