"""Raw text: every token a target, nothing lost at the borders of the pieces."""

import pytest
from tokenizers_for_tests import byte_level, sentencepiece

from longalign.chat import raw_text
from longalign.chat.raw_text import encode_text
from longalign.errors import UserError

TEXT = "The ferry leaves the harbour at six. 红色文件夹放发票。</s> <|im_end|>[gMASK]\n\n" * 9
TOKENIZERS = {
    "llama": sentencepiece,
    "chatglm": lambda: sentencepiece(folder="chatglm"),
    "byte_level": byte_level,
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_short_text_is_one_sequence_between_bos_and_eos(name):
    tokenizer = TOKENIZERS[name]()
    (row,) = encode_text(TEXT, tokenizer, max_length=10_000)
    opening = tokenizer("").input_ids if name != "byte_level" else []
    assert row.labels == row.input_ids and row.events == ()
    assert row.input_ids[: len(opening)] == opening and row.input_ids[-1] == tokenizer.eos_token_id
    controls = {*tokenizer.all_special_ids}
    assert not controls & {*row.input_ids[len(opening) : -1]}, "what looks like a control token is text"
    assert tokenizer.decode(row.input_ids[len(opening) : -1]).strip() == TEXT.strip()


@pytest.mark.parametrize("max_length", [7, 64, 100])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_long_text_loses_no_token_at_the_borders(name, max_length):
    tokenizer = TOKENIZERS[name]()
    (whole,) = encode_text(TEXT, tokenizer, max_length=10_000)
    rows = encode_text(TEXT, tokenizer, max_length=max_length)
    opening = len(tokenizer("").input_ids) if name != "byte_level" else 0
    kept = [row for row in rows if not row.dropped]
    assert [token for row in kept for token in row.input_ids[opening:]] == whole.input_ids[opening:] or rows[-1].dropped
    assert all(len(row.input_ids) == max_length for row in kept[:-1]) and len(kept[-1].input_ids) <= max_length
    assert [row.events for row in rows] == [("document_split",)] + [()] * (len(rows) - 1)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_text_encoded_in_parts_has_the_ids_of_the_whole(name, monkeypatch):
    tokenizer = TOKENIZERS[name]()
    (whole,) = encode_text(TEXT, tokenizer, max_length=10_000)
    counted = []
    encode = raw_text.TextEncoder.encode
    monkeypatch.setattr(
        raw_text.TextEncoder, "encode", lambda *given, **how: counted.append(given) or encode(*given, **how)
    )
    monkeypatch.setattr(raw_text, "_PART", 50)
    (row,) = encode_text(TEXT, tokenizer, max_length=10_000)
    assert row.input_ids == whole.input_ids and len(counted) > 5


def test_a_sequence_of_one_token_has_nothing_to_learn():
    tokenizer = byte_level()  # puts nothing in front
    (whole,) = encode_text(TEXT, tokenizer, max_length=10_000)
    rows = encode_text(TEXT, tokenizer, max_length=len(whole.input_ids) - 1)
    assert [row.reason for row in rows] == [None, "no_target"]


def test_no_room_is_refused():
    with pytest.raises(UserError, match=r"data\.max_length: got 2, expected 3"):
        encode_text(TEXT, sentencepiece(), max_length=2)
