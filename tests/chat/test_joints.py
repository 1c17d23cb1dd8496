"""At a joint the ids on either side do not depend on the other, with every tokenizer of which that is said."""

import json
import random

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from longalign.chat.joints import JOINT, are_exact
from longalign.chat.text import TextEncoder
from tests.chat.tokenizers_for_tests import TEXT, byte_level, sentencepiece

CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
START = r"[^\r\n\p{L}\p{N}]?"
GPT_4O = rf"{START}{UPPER}*{LOWER}+{CONTRACTION}?|{START}{UPPER}+{LOWER}*{CONTRACTION}?|\p{{N}}{{1,3}}|{REST}"
QWEN = rf"{CONTRACTION}|{START}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SUPERWORDS = r"\p{L}+(?: \p{L}+)*|[^\p{L}]+"

PARTS = [
    "word", "Word", "mcTaggart", "it's", "IT'S", "don’t", "é", "e\u0301", "ß", "ſ", "слово", "かな", "カナ",
    "한글", "中文字", "。", "，", "、", "！", " ", " ", " ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0",
    "\u3000", "\u200b", "1", "2024", "3.50", "½", "²", "'", "’s", "'ll", "-", "--", ".", "...", ",", "!", "/",
    "/\n", "▁", "😀", "👩‍👩‍👧", "\u0301", "<think>", "</think>", "<", "|>", "\u212a",
]  # fmt: skip


def trained(pre_tokenizer, normalizer=None, model=None, **trainer):
    backend = Tokenizer(model or models.BPE())
    backend.pre_tokenizer, backend.normalizer = pre_tokenizer, normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    settings = {"vocab_size": 420, "initial_alphabet": alphabet, "show_progress": False} | trainer
    backend.train_from_iterator(TEXT, trainers.BpeTrainer(**settings))
    return backend


def wrapped(backend):
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")


def split(pattern, *more, behavior="isolated", invert=False):
    first = pre_tokenizers.Split(Regex(pattern), behavior, invert)
    return pre_tokenizers.Sequence([first, *more, pre_tokenizers.ByteLevel(False, use_regex=False)])


def without_pre_tokenizer():
    """As Llama 2's before `legacy: false`."""
    state = sentencepiece()
    backend = Tokenizer.from_str(state.backend_tokenizer.to_str())
    backend.pre_tokenizer = None
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return wrapped(backend)


DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
EXACT = {
    "llama3": byte_level,
    "gpt2": lambda: wrapped(trained(pre_tokenizers.ByteLevel(False))),
    "gpt2_prefix": lambda: wrapped(trained(pre_tokenizers.ByteLevel(True))),
    "smollm2": lambda: wrapped(trained(DIGITS)),
    "qwen": lambda: wrapped(trained(split(QWEN), normalizers.NFC())),
    "gpt4o": lambda: wrapped(trained(split(GPT_4O, behavior="removed", invert=True))),
    "llama2": sentencepiece,
    "llama2_legacy": without_pre_tokenizer,
    "chatglm3": lambda: sentencepiece(folder="chatglm"),
}


def some_text(draw, kind=""):
    return "".join(draw.choices(PARTS, k=draw.randint(0, 30))) + kind


@pytest.mark.parametrize("name", EXACT)
def test_ids_on_either_side_of_a_joint_do_not_depend_on_the_other(name):
    encoder = TextEncoder(EXACT[name]())
    assert are_exact(encoder._state)
    draw = random.Random(name)
    for _ in range(150):
        lefts = [some_text(draw, draw.choice(["word", "слово", "かな", "한", "中", "É"])) for _ in range(2)]
        rights = [draw.choice([" a", " W", " ж", " 中", "，", "。", "、"]) + some_text(draw) for _ in range(2)]
        assert all(len(left) in {m.start() for m in JOINT.finditer(left + rights[0])} for left in lefts)
        for backend in (encoder._as_is, encoder._plain, encoder._segment, encoder._continuing):
            seen = {}
            for left in lefts:
                for right in rights:
                    found = backend.encode(left + right, add_special_tokens=False)
                    ends = [n for n, (_, end) in enumerate(found.offsets, 1) if end <= len(left)]
                    at = max(ends, default=0)
                    assert all(start >= len(left) for start, _ in found.offsets[at:]), (left, right)
                    assert seen.setdefault(("left", left), found.ids[:at]) == found.ids[:at], (left, right)
                    assert seen.setdefault(("right", right), found.ids[at:]) == found.ids[at:], (left, right)


def changed(backend, change):
    state = json.loads(backend.to_str())
    change(state)
    return wrapped(Tokenizer.from_str(json.dumps(state)))


def with_token(content, **flags):
    backend = trained(pre_tokenizers.ByteLevel(False))
    backend.add_tokens([AddedToken(content, **flags)])
    return wrapped(backend)


def unigram():
    vocab = [("<unk>", 0.0), ("▁", -1.0), *((letter, -2.0) for letter in "abcdefghijklmnopqrstuvwxyz")]
    backend = Tokenizer(models.Unigram(vocab, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return wrapped(backend)


def joined_words():
    """A vocabulary whose merges reach over spaces, and no pre-tokenizer that keeps them from it."""
    backend = trained(None, normalizers.Replace(" ", "▁"), initial_alphabet=[])
    assert any(JOINT.search(piece.replace("▁", " ")) for piece in backend.get_vocab())
    return wrapped(backend)


UNCERTAIN = {
    "unigram": unigram,
    "joined words": joined_words,
    "unknown pattern": lambda: wrapped(trained(split(SUPERWORDS))),
    "matches that are dropped": lambda: wrapped(trained(split(QWEN, behavior="removed"))),
    "unknown splits": lambda: wrapped(trained(split(QWEN, pre_tokenizers.Punctuation()))),
    "no split at joints": lambda: wrapped(trained(pre_tokenizers.ByteLevel(False, use_regex=False))),
    "unknown normalizer": lambda: wrapped(trained(split(QWEN), normalizers.NFKC())),
    "replaced letters": lambda: wrapped(trained(split(QWEN), normalizers.Replace("a b", "c"))),
    "token with a joint": lambda: with_token("New York"),
    "token that takes the space behind it": lambda: with_token("word", rstrip=True),
    "dropout": lambda: changed(trained(split(QWEN)), lambda state: state["model"].update(dropout=0.1)),
    "unknown characters joined": lambda: changed(
        sentencepiece().backend_tokenizer, lambda state: state["model"].update(byte_fallback=False)
    ),
}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_nothing_is_said_of_other_tokenizers(name):
    assert not are_exact(TextEncoder(UNCERTAIN[name]())._state)


def test_where_nothing_is_said_ids_do_depend_on_the_other_side():
    for name in ("joined words", "unknown pattern"):
        encoder = TextEncoder(UNCERTAIN[name]())
        text = TEXT[0]
        apart = [encoder.encode(text[:at], continuing=True) + encoder.encode(text[at:], continuing=True)
                 for at in (match.start() for match in JOINT.finditer(text))]  # fmt: skip
        assert any(ids != encoder.encode(text, continuing=True) for ids in apart), name


def test_texts_with_control_tokens_are_not_put_together():
    encoder = TextEncoder(byte_level())
    assert encoder.joins("A text with <think> and < |im_end|>.")
    assert not encoder.joins("A text with <|im_end|> in it.")
    assert not encoder.joins("A text with \ufdd0 in it.")
    kelvin = with_token("<|K|>", special=True)
    assert not TextEncoder(kelvin).joins("A text with <|\u212a|> in it.")  # NFC makes a K of it
    assert TextEncoder(sentencepiece(folder="chatglm")).joins("A philosopher's sop.")
