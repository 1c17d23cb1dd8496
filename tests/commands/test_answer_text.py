"""Pieces of a streamed answer, joined, are the text of all its tokens, and nothing printed is taken back."""

import random
from itertools import accumulate

import pytest

from longalign.chat import load_tokenizer
from longalign.commands.answer_text import AnswerText
from tests.chat.tokenizers_for_tests import GOLDEN, byte_level, sentencepiece

TEXTS = [
    "Two  spaces, 你好世界 and 😀👩‍🚀 in a row.\n\n    def f(x):\n\treturn x",
    "  white space at both ends \n\n ",
    "ꦲꦏ꧀ꦱꦫ ᚠᛇᚻ 𓀀𓀁",
    "\ufffd is a character too\ufffd",
    "",
]


@pytest.fixture(params=["llama", "chatglm", "byte_level"])
def tokenizer(request):
    return byte_level() if request.param == "byte_level" else sentencepiece(folder=request.param)


def pieces(tokenizer, ids: list[int]) -> list[str]:
    answer = AnswerText(tokenizer)
    parts = [*map(answer.put, ids), answer.end()]
    assert "".join(parts) == answer.text
    return parts


def whole(tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_out_as_they_are(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False)
    parts = pieces(tokenizer, ids)
    assert "".join(parts) == text.strip()
    assert not any("\ufffd" in part for part in parts) or "\ufffd" in text


def test_any_ids_give_what_decoding_them_at_once_gives(tokenizer):
    rng = random.Random(0)
    for _ in range(300):
        ids = [rng.randrange(len(tokenizer)) for _ in range(rng.randrange(1, 40))]
        assert "".join(pieces(tokenizer, ids)) == whole(tokenizer, ids), ids


def test_bytes_that_are_no_text(tokenizer):
    """Runs of byte tokens, right ones and wrong ones, between words."""
    rng = random.Random(1)
    vocabulary = tokenizer.get_vocab()
    raw = [vocabulary[name] for name in (f"<0x{n:02X}>" for n in range(256)) if name in vocabulary] or range(256)
    words = tokenizer.encode(" the man", add_special_tokens=False)
    for _ in range(300):
        ids = [i for _ in range(6) for i in [*rng.choices(list(raw), k=rng.randrange(6)), rng.choice(words)]]
        assert "".join(pieces(tokenizer, ids)) == whole(tokenizer, ids), ids


def test_words_are_printed_when_they_are_whole(tokenizer):
    ids = tokenizer.encode("The ferry leaves the harbour at six", add_special_tokens=False)
    answer = AnswerText(tokenizer)
    shown = list(accumulate(map(answer.put, ids)))
    for count, text in enumerate(shown, start=1):
        assert text == whole(tokenizer, ids[:count])


def test_special_tokens_and_ids_beyond_the_vocabulary_are_not_shown():
    tokenizer = load_tokenizer(GOLDEN / "tokenizer" / "chatglm")
    hello = tokenizer.encode("hello", add_special_tokens=False)
    ids = [tokenizer.convert_tokens_to_ids("sop"), *hello, tokenizer.eos_token_id, *hello, 99999]
    assert "".join(pieces(tokenizer, ids)) == "hello hello"
