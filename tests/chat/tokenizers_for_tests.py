"""Small tokenizers, made on the spot: byte-level BPE as Qwen's, Llama 3's and DeepSeek's; sentencepiece from golden."""

from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from longalign.chat import load_tokenizer

GOLDEN = Path(__file__).parent.parent / "golden" / "prep"
TEXT = [
    "The ferry leaves the harbour at six every morning, and the crew checks the ropes twice.",
    "红色文件夹放发票，蓝色文件夹放没有回复的信。",
    "def f(x):\n    if x > 10:\n        return x\n\nuser: assistant:\n system",
] * 3
SPECIAL = [
    "<|endoftext|>", "<|begin|>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>", "<|eot|>",
    "<|user|>", "<|assistant|>", "<|system|>",
]  # fmt: skip
PLAIN_ADDED = ["<think>", "</think>", "<｜User｜>", "<｜Assistant｜>"]
_SPLIT = r"""[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""


@cache
def _byte_level_state() -> str:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_SPLIT), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in PLAIN_ADDED])
    return backend.to_str()


def byte_level(template: str | None = None, eos: str = "<|endoftext|>") -> Any:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_byte_level_state()),
        bos_token="<|begin|>",
        eos_token=eos,
        chat_template=template,
    )


def sentencepiece(template: str | None = None, folder: str = "llama") -> Any:
    tokenizer = load_tokenizer(GOLDEN / "tokenizer" / folder)
    tokenizer.chat_template = template
    return tokenizer


def greedy_marks() -> Any:
    """Sentencepiece with marks that swallow the white space beside them (Phi-3)."""
    tokenizer = sentencepiece()
    marks = [
        AddedToken("<|user|>", special=True, rstrip=True),
        AddedToken("<|end|>", special=True, lstrip=True, rstrip=True),
    ]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    return tokenizer


def unigram(template: str | None = None) -> Any:
    """A Unigram model that puts a word-start mark in front of each piece of a text (as Japanese models have it)."""
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    backend.train_from_iterator(TEXT, trainer)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", chat_template=template
    )
