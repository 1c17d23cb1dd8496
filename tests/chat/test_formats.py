"""The plain-text formats on conversations that are not question, answer, question, answer."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers_for_tests import byte_level, sentencepiece

from longalign.chat import chat_encoder, encode_conversation, encode_prompt, encode_row
from longalign.chat.targets import IGNORE, TargetBuilder
from longalign.errors import UserError

FORMATS = [("chatglm", "chatglm3"), ("llama", "llama2")]
each_format = pytest.mark.parametrize(("folder", "chat_format"), FORMATS)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\u2581"), max_size=30)


def conversation(*turns):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]


def targets(tokenizer, labels):
    return tokenizer.decode([label for label in labels if label != IGNORE], skip_special_tokens=True)


def test_builder_labels_the_token_after_an_answer_with_eos():
    builder = TargetBuilder(eos_token_id=9)
    builder.context([1, 2])
    builder.answer([3])
    builder.context([4, 5])
    builder.answer([])
    builder.context([6])
    builder.answer([7])
    assert builder.finish() == (
        [1, 2, 3, 4, 5, 6, 7, 9],
        [IGNORE, IGNORE, 3, 9, IGNORE, IGNORE, 7, 9],
    )


@each_format
@pytest.mark.parametrize(
    ("messages", "equal_to", "event"),
    [
        (("s:S", "u:q", "a:x"), ("u:S\n\nq", "a:x"), "messages_joined"),
        (("u:q", "a:x", "s:S", "u:r", "a:y"), ("u:q", "a:x", "u:S\n\nr", "a:y"), "messages_joined"),
        (("u:p", "u:q", "a:x"), ("u:p\n\nq", "a:x"), "messages_joined"),
        (("u:q", "a:x", "a:y"), ("u:q", "a:x\n\ny"), "messages_joined"),
        (("a:x", "u:q", "a:y"), ("u:", "a:x", "u:q", "a:y"), "answer_without_question"),
        (("u:q", "a:x", "u:r"), ("u:q", "a:x"), "trailing_user_dropped"),
        (("u:q", "a:x", "s:S"), ("u:q", "a:x"), "trailing_user_dropped"),
        (("u:q", "a:\u200bx\ufeff"), ("u:q", "a:x"), "zero_width_removed"),
    ],
)
def test_unusual_conversations(folder, chat_format, messages, equal_to, event):
    tokenizer = sentencepiece(folder=folder)
    row = encode_row({"messages": conversation(*messages)}, tokenizer, chat_format, max_length=999)
    plain = encode_row({"messages": conversation(*equal_to)}, tokenizer, chat_format, max_length=999)
    assert (row.input_ids, row.labels) == (plain.input_ids, plain.labels)
    assert row.events == (event,)
    assert plain.events == ()


@each_format
def test_an_answer_without_text_is_counted(folder, chat_format):
    messages = conversation("u:q", "a: \n", "u:r", "a:y")
    row = encode_row({"messages": messages}, sentencepiece(folder=folder), chat_format, max_length=999)
    assert row.events == ("answer_without_text",)


@each_format
@pytest.mark.parametrize("of_weight_0", [1, 3])
def test_an_answer_of_weight_0_is_read_and_not_learnt(folder, chat_format, of_weight_0):
    tokenizer = sentencepiece(folder=folder)
    messages = conversation("u:q", "a:first", "u:r", "a:second")
    ids, labels = encode_conversation(messages, tokenizer, chat_format)
    messages[of_weight_0]["weight"] = 0
    row = encode_row({"messages": messages}, tokenizer, chat_format, max_length=99)
    assert row.input_ids == ids and row.events == ("answer_of_weight_0",)
    assert targets(tokenizer, labels).split() == ["first", "second"]
    assert targets(tokenizer, row.labels).split() == [{1: "second", 3: "first"}[of_weight_0]]
    assert all(ours in (IGNORE, theirs) for ours, theirs in zip(row.labels, labels, strict=True))


@each_format
@pytest.mark.parametrize("messages", [("u:q",), ("s:S",), ("u:q", "a:"), ("u:q", "a: \n"), ("u:q", "a:\u200b")])
def test_rows_without_a_target_are_dropped_by_that_reason(folder, chat_format, messages):
    row = encode_row({"messages": conversation(*messages)}, sentencepiece(folder=folder), chat_format, max_length=99)
    assert row.dropped
    assert row.reason == "no_target"
    assert row.input_ids == row.labels == []


@each_format
@settings(deadline=None, max_examples=60)
@given(questions=st.lists(texts, min_size=1, max_size=3), answers=st.lists(texts, min_size=3, max_size=3))
def test_prompts_are_prefixes_and_targets_are_the_answers(folder, chat_format, questions, answers):
    tokenizer = sentencepiece(folder=folder)
    messages = []
    for question, answer in zip(questions, answers, strict=False):
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    ids, labels = encode_conversation(messages, tokenizer, chat_format)
    assert len(ids) == len(labels)
    for end in range(1, len(messages), 2):
        prompt = encode_prompt(messages[:end], tokenizer, chat_format)
        assert ids[: len(prompt)] == prompt
        answer = messages[end]["content"].translate(dict.fromkeys((0x200B, 0x200C, 0x200D, 0xFEFF))).strip()
        expected = tokenizer.encode(answer, add_special_tokens=False, split_special_tokens=True)
        assert labels[len(prompt) : len(prompt) + len(expected)] == expected
        if answer:
            assert labels[len(prompt) + len(expected)] == tokenizer.eos_token_id
    assert set(ids) & set(tokenizer.all_special_ids) <= {1, 2, 497, 499}


def test_a_byte_level_tokenizer_writes_llama2_format_with_its_own_bos_and_eos():
    tokenizer = byte_level()
    ids, labels = encode_conversation(conversation("u:q", "a:x"), tokenizer, "llama2")
    assert tokenizer.decode(ids) == "<|begin|>[INST]q[/INST]x<|endoftext|>"
    assert tokenizer.decode([label for label in labels if label != IGNORE]) == "x<|endoftext|>"


def test_refusals_name_the_key():
    messages = conversation("u:q", "a:x")
    with pytest.raises(UserError, match=r"chat_format chatglm3 needs a tokenizer with \[gMASK\], sop"):
        encode_conversation(messages, byte_level(), "chatglm3")
    with pytest.raises(UserError, match=r"data.chat_format 'vicuna' is unknown"):
        encode_conversation(messages, byte_level(), "vicuna")
    with pytest.raises(UserError, match="no EOS token"):
        encode_conversation(messages, byte_level(eos=None), "llama2")
    with pytest.raises(UserError, match="must end with a user message"):
        encode_prompt(messages, byte_level(), "llama2")
    with pytest.raises(UserError, match=r"data.overflow 'cut' is unknown"):
        encode_row({"messages": messages}, byte_level(), "llama2", max_length=2, overflow="cut")


@each_format
def test_encoders_travel_to_other_processes(folder, chat_format):
    encoder = chat_encoder(sentencepiece(folder=folder), chat_format)
    messages = conversation("u:q", "a:x")
    expected = encoder.encode(messages, [])
    assert pickle.loads(pickle.dumps(encoder)).encode(messages, []) == expected
