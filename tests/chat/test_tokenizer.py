"""Loading tokenizers: golden folders give sentencepiece's ids, mistakes take one line, code is never run."""

import json
import shutil

import pytest
import sentencepiece as spm
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers
from tokenizers_for_tests import GOLDEN, TEXT, byte_level, sentencepiece
from transformers import AutoTokenizer

from longalign.chat import encode_conversation, load_tokenizer
from longalign.chat.bpe_model import bpe_backend
from longalign.chat.text import TextEncoder
from longalign.errors import UserError

texts = st.text(st.characters(codec="utf-8", exclude_characters="\u2581\0"), max_size=40)


@pytest.mark.parametrize("folder", ["llama", "chatglm"])
@settings(deadline=None, max_examples=150)
@given(text=st.one_of(texts, st.sampled_from(["  two", "</s>x", "<unk>", "<0x41>", "sop", "\n\n[Round 2]", "[gMASK]"])))
def test_segments_get_sentencepieces_ids(folder, text):
    model = spm.SentencePieceProcessor(str(GOLDEN / "tokenizer" / folder / "tokenizer.model"))
    assert TextEncoder(sentencepiece(folder=folder)).encode(text) == model.encode(text)


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text if isinstance(text, str) else json.dumps(text))
    return folder


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no tokenizer in this folder"),
        ({"tokenizer_config__json": {"tokenizer_class": "LlamaTokenizer"}}, "no tokenizer in this folder"),
        ({"tokenizer_config__json": "{nope"}, "tokenizer_config.json: cannot be read as JSON"),
        ({"tokenizer_config__json": "[]"}, "expected a JSON object, got list"),
        ({"tokenizer_config__json": {}, "tokenizer__json": "{nope"}, "cannot be loaded"),
        (
            {"tokenizer_config__json": {"tokenizer_class": "LlamaTokenizer"}, "tokenizer__model": "x"},
            "cannot be loaded",
        ),
        ({"tokenizer_config__json": {"tokenizer_class": "ChatGLMTokenizer"}}, "tokenizer.model: no such file"),
        (
            {"tokenizer_config__json": {"tokenizer_class": "ChatGLMTokenizer"}, "tokenizer__model": "x"},
            "not a sentencepiece model",
        ),
    ],
)
def test_a_broken_folder_is_named_in_one_line(tmp_path, files, said):
    with pytest.raises(UserError, match=said) as caught:
        load_tokenizer(write(tmp_path, **files))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_folder_is_not_looked_up_on_the_hub():
    with pytest.raises(UserError, match="no such folder; model"):
        load_tokenizer("./nothing/here")


def test_a_tokenizers_own_code_is_never_run(tmp_path, monkeypatch):
    shutil.copy(GOLDEN / "tokenizer" / "llama" / "tokenizer.model", tmp_path)
    config = {"tokenizer_class": "Odd", "auto_map": {"AutoTokenizer": ["odd.Odd", None]}}
    ran = tmp_path / "ran"
    write(tmp_path, tokenizer_config__json=config, odd__py=f"open({str(ran)!r}, 'w')\nclass Odd: pass")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    with pytest.raises(UserError, match="which longalign never runs"):
        load_tokenizer(tmp_path)
    assert not ran.exists()


def test_a_chatglm_folder_without_tokenizer_config_is_known_by_its_model(tmp_path):
    shutil.copy(GOLDEN / "tokenizer" / "chatglm" / "tokenizer.model", tmp_path)
    write(tmp_path, config__json={"model_type": "chatglm", "padded_vocab_size": 512})
    assert load_tokenizer(tmp_path)("x").input_ids[:2] == [497, 499]


def test_a_llama_folder_keeps_its_class():
    assert type(load_tokenizer(GOLDEN / "tokenizer" / "llama")).__name__ == "LlamaTokenizer"


def trained(folder, **options):
    """A folder with nothing but a sentencepiece model, and that model."""
    settings = {"model_type": "bpe", "vocab_size": 160, "normalization_rule_name": "identity", "minloglevel": 2}
    settings |= {"remove_extra_whitespaces": False, "hard_vocab_limit": False} | options
    spm.SentencePieceTrainer.Train(sentence_iterator=iter(TEXT), model_prefix=str(folder / "tokenizer"), **settings)
    return spm.SentencePieceProcessor(str(folder / "tokenizer.model"))


@pytest.mark.parametrize("model_type", ["llama", "mistral"])
@pytest.mark.parametrize("config", [{"tokenizer_class": "LlamaTokenizer"}, {}], ids=["LlamaTokenizer", "no class"])
@pytest.mark.parametrize(
    "options",
    [
        {"byte_fallback": True, "vocab_size": 380},
        {},
        {"add_dummy_prefix": False},
        {"unk_id": 3, "bos_id": 2, "eos_id": 1, "pad_id": 0},
        {"remove_extra_whitespaces": True},
    ],
    ids=["as Llama's", "no byte fallback", "no word-start mark in front", "other special ids", "one space for several"],
)
def test_a_folder_with_a_sentencepiece_model_only_gives_its_ids(tmp_path, options, config, model_type):
    model = trained(tmp_path, **options)
    end = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    marks = {"extra_special_tokens": ["<|turn|>"]}
    write(tmp_path, config__json={"model_type": model_type}, tokenizer_config__json=config | end | marks)
    load_tokenizer(tmp_path).save_pretrained(tmp_path / "saved")
    question, answer = "[INST]两 ropes  twice\n\ud7ffzż[/INST]", "\tÅ harbour 😀"
    expected = [model.bos_id(), *model.encode(question), *model.encode(answer.strip()), model.eos_id()]
    messages = [{"role": "user", "content": question[6:-7]}, {"role": "assistant", "content": answer}]
    for tokenizer in (load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path / "saved")):
        assert encode_conversation(messages, tokenizer, "llama2")[0] == expected
        assert tokenizer.convert_tokens_to_ids("<|turn|>") == model.get_piece_size()
        known = "ropes twice, the harbour" if options.get("remove_extra_whitespaces") else "ropes  twice, the harbour "
        assert tokenizer.decode(tokenizer(known, add_special_tokens=False).input_ids) == known


@pytest.mark.parametrize("options", [{"normalization_rule_name": "nfkc"}, {"model_type": "unigram"}], ids=str)
def test_a_sentencepiece_model_that_is_not_llamas_kind_is_refused(tmp_path, options):
    trained(tmp_path, **options)
    write(tmp_path, tokenizer_config__json={"tokenizer_class": "LlamaTokenizer"})
    with pytest.raises(UserError, match=r"of another kind than Llama's.*; use a folder with a tokenizer.json"):
        load_tokenizer(tmp_path)


def test_ids_that_are_not_those_of_the_folders_file_are_said(tmp_path, caplog):
    tokenizer = byte_level()
    tokenizer.save_pretrained(tmp_path)
    load_tokenizer(tmp_path)
    assert not caplog.records
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.save_pretrained(tmp_path)
    write(tmp_path, config__json={"model_type": "qwen2"})
    ids = load_tokenizer(tmp_path)("Hello", add_special_tokens=False).input_ids
    assert ids != tokenizer("Hello", add_special_tokens=False).input_ids
    assert "its ids are those of transformers' Qwen2Tokenizer, and not those of its tokenizer.json" in caplog.text


@pytest.mark.parametrize("options", [{}, {"add_dummy_prefix": False}], ids=str)
def test_a_tokenizer_json_of_class_llama_gives_the_ids_of_the_file(tmp_path, options):
    model = trained(tmp_path, **options)
    bpe_backend(model).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer.model").unlink()
    write(tmp_path, tokenizer_config__json={"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>"})
    assert TextEncoder(load_tokenizer(tmp_path)).encode("两 ropes") == model.encode("两 ropes")
