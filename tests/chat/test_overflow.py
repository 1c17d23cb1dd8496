"""Rows longer than max_length: what is kept, how close to the limit, and what is reported."""

import numpy as np
import pytest
import templates
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers_for_tests import TEXT, byte_level, sentencepiece

from longalign.chat import encode_row
from longalign.chat.overflow import CUT_MARK, _budgets
from longalign.errors import UserError

WORDS = " ".join(TEXT).split()
FORMATS = {
    "chatglm3": (sentencepiece(folder="chatglm"), "chatglm3"),
    "llama2": (sentencepiece(), "llama2"),
    "chatml": (byte_level(templates.CHATML), "template"),
    "inst": (sentencepiece(templates.INST), "template"),
}
each_format = pytest.mark.parametrize("name", FORMATS)


def words(count, seed=0):
    return " ".join(np.random.default_rng(seed).choice(WORDS, count))


def document_row(count):
    question = f"Where is it? {words(count)} Answer in one word."
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": "In the harbour."}]}


def encode(name, row, max_length, **options):
    tokenizer, chat_format = FORMATS[name]
    encoded = encode_row(row, tokenizer, chat_format, max_length=max_length, **options)
    targets = tokenizer.decode([label for label in encoded.labels if label != -100])
    return encoded, tokenizer.decode(encoded.input_ids), targets


@each_format
def test_a_document_is_cut_in_its_middle(name):
    encoded, text, targets = encode(name, document_row(2000), 700)
    assert 692 <= len(encoded.input_ids) <= 700
    assert encoded.events == ("cut_document",)
    head, tail = text.split(CUT_MARK)
    assert "Where is it? " in head
    assert "Answer in one word." in tail
    assert "In the harbour." in targets
    assert 0.4 < len(head) / len(text) < 0.6


@each_format
@settings(deadline=None, max_examples=15)
@given(
    counts=st.lists(st.integers(0, 800), min_size=1, max_size=3),
    answer=st.integers(1, 60),
    max_length=st.integers(20, 900),
)
def test_shortened_rows_fit_waste_little_and_keep_every_target(name, counts, answer, max_length):
    messages = []
    for seed, count in enumerate(counts):
        messages.append({"role": "user", "content": words(count, seed)})
        messages.append({"role": "assistant", "content": words(answer, seed + 50)})
    whole, _, whole_targets = encode(name, {"messages": messages}, 10**6)
    encoded, _, targets = encode(name, {"messages": messages}, max_length)
    assert len(encoded.input_ids) <= max_length
    if len(whole.input_ids) <= max_length:
        assert encoded == whole
    elif encoded.dropped:
        assert encoded.reason == "too_long"
    else:
        assert encoded.events == ("cut_document",)
        assert len(encoded.input_ids) >= max_length - 12
        assert targets == whole_targets


@each_format
def test_two_documents_are_brought_down_to_one_length(name):
    first, second = document_row(1500)["messages"], document_row(1200)["messages"]
    encoded, text, _ = encode(name, {"messages": first + second}, 1000)
    assert text.count(CUT_MARK) == 2
    assert 992 <= len(encoded.input_ids) <= 1000
    encoded, text, _ = encode(name, {"messages": document_row(1500)["messages"] + document_row(9)["messages"]}, 1000)
    assert text.count(CUT_MARK) == 1


def test_budgets_cut_the_longest_first():
    assert _budgets([100, 900, 700], 100, 0) == [100, 800, 700]
    assert _budgets([100, 900, 700], 400, 0) == [100, 600, 600]
    assert _budgets([100, 900, 700], 400, 10) == [100, 590, 590]
    assert _budgets([100, 900, 700], 1600, 0) is None
    assert _budgets([10, 20], 5, 0) is None
    assert _budgets([], 5, 0) is None


@each_format
def test_answers_that_are_too_long_alone_drop_the_row(name):
    row = {"messages": [{"role": "user", "content": words(300)}, {"role": "assistant", "content": words(900)}]}
    encoded, _, _ = encode(name, row, 400)
    assert encoded.reason == "too_long"


@each_format
def test_other_ways_with_overflow(name):
    row = document_row(1000)
    assert encode(name, row, 300, overflow="drop")[0].reason == "too_long"
    assert encode(name, row, 300, overflow="truncate")[0].reason == "no_target"
    with pytest.raises(UserError, match=r"the conversation has \d+ tokens, data.max_length is 300"):
        encode(name, row, 300, overflow="error")
    late = {"messages": [*document_row(1)["messages"], *row["messages"]]}
    encoded, _, targets = encode(name, late, 300, overflow="truncate")
    assert len(encoded.input_ids) == len(encoded.labels) == 300
    assert encoded.events == ("cut_tail",)
    assert "In the harbour." in targets


def test_a_long_row_is_encoded_a_few_times_only(monkeypatch):
    from longalign.chat.formats import PlainEncoder

    calls = []
    original = PlainEncoder.encode
    monkeypatch.setattr(PlainEncoder, "encode", lambda *args: calls.append(1) or original(*args))
    encode("llama2", document_row(30_000), 8192)
    assert len(calls) <= 3
