"""`--compat longalign` makes the prompts that the original's code made, to the byte."""

import hashlib
import json
from pathlib import Path

import pytest
import sentencepiece as spm

from longalign.chat import load_tokenizer
from longalign.evaluation.needle.compat import FRAME, CompatBuilder, CompatRequest, compat_document
from longalign.evaluation.needle.encoders import ChatPrompts
from longalign.evaluation.needle.haystack import read_texts, tokenise
from longalign.evaluation.needle.tasks import Cell, own_item

GOLDEN = Path(__file__).parent.parent / "golden"
EXPECTED = json.loads((GOLDEN / "needle/expected.json").read_text())
CASES = {(name, variant, length, depth): sha for name, variant, length, depth, sha in EXPECTED["prompts"]}
INTENDED = [case for case in CASES if case[1] == "own_period_piece"]
LITERAL = [case for case in CASES if case[1] == "literal_30930"]


def encoder(name):
    folder, chat_format = ("llama", "llama2") if name == "llama" else ("chatglm", "chatglm3")
    return ChatPrompts(load_tokenizer(GOLDEN / "prep/tokenizer" / folder), chat_format, folder)


def content(document):
    return FRAME.messages(document, EXPECTED["question"])[-1]["content"]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("case", INTENDED, ids=str)
def test_prompts_are_those_of_the_original_with_its_full_stop_found(case):
    name, _, length, depth = case
    # ChatGLM3's own tokenizer class counts [gMASK] and sop when it cuts, and leaves their text in the document
    opening = {"opening": "[gMASK]sop ", "opening_tokens": 2} if name == "chatglm3class" else {}
    request = CompatRequest(length, depth, EXPECTED["needle"], **opening)
    document = compat_document(read_texts(GOLDEN / "needle/haystack", joined=""), encoder(name), request)
    assert sha256(content(document)) == CASES[case]
    assert FRAME.system == EXPECTED["system"]


@pytest.mark.parametrize("case", LITERAL, ids=str)
def test_as_released_the_original_puts_every_needle_at_the_start_and_that_is_the_only_difference(case):
    name, _, length, depth = case
    request = CompatRequest(length, depth if depth == 100 else 0, EXPECTED["needle"])
    document = compat_document(read_texts(GOLDEN / "needle/haystack", joined=""), encoder(name), request)
    assert sha256(content(document)) == CASES[case]


def test_the_builder_of_the_command_makes_the_same_prompts_and_says_the_depth_that_is_reached():
    made = encoder("chatglm")
    haystack = tokenise(read_texts(GOLDEN / "needle/haystack", joined=""), made, 1000)
    own = own_item(EXPECTED["needle"], EXPECTED["question"], ["third oar"])
    builder = CompatBuilder(haystack, made, 64, own=own)
    draft = builder.draft(Cell(1000, 50, 0))
    prompt = builder.finish(draft)
    assert sha256(prompt.messages[-1]["content"]) == CASES["chatglm3class", "own_period_piece", 1000, 50]
    assert len(prompt.input_ids) == draft.tokens and 40 < draft.reached[0] < 50


def test_a_depth_is_rounded_as_in_the_original(tmp_path):
    """Of 90 tokens 70 % are 62 there: a full stop that is the 63rd comes too late."""
    text, needle = "a." + " a" * 60 + "." + " a" * 600, " It is here."
    (tmp_path / "a.txt").write_text(text)
    llama = encoder("llama")
    assert llama.tokenizer.decode(llama.tokens(text)[0][:63]).endswith("a a.") and int(90 * 0.7) == 62
    length = 200 + 90 + len(llama.tokens(needle)[0])
    source = read_texts(tmp_path, joined="")
    at = [compat_document(source, llama, CompatRequest(length, depth, needle)).index(needle) for depth in (70, 71)]
    assert at == [text.index(".") + 2, text.rindex(".") + 2]  # sentencepiece puts a space in front of the needle


def test_characters_without_a_token_are_left_out_of_the_document_as_in_the_original(tmp_path):
    haystack = read_texts(GOLDEN / "needle/haystack", joined="")
    spm.SentencePieceTrainer.Train(
        sentence_iterator=iter(haystack.text.replace("g", "").splitlines()),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=300,
        model_type="bpe",
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    unknowing = ChatPrompts(load_tokenizer(tmp_path), "llama2", "unknowing")
    document = compat_document(haystack, unknowing, CompatRequest(500, 50, " It is here."))
    assert " It is here." in document and len(document) > 500
    assert "g" not in document and "<unk>" not in document
