"""The folder of a model without weights, and conversations that have exactly the lengths of a case."""

import json
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedConfig, PreTrainedTokenizerFast

from longalign.commands.benchmark_gpu.cases import LONGALIGN_SEQUENCES, Case
from longalign.data.length_mix import longalign_like_lengths

ANSWER = 200  # tokens of each conversation's answer, which are its targets


def make_model(folder: Path, config: PreTrainedConfig, max_length: int) -> None:
    """Write a model's folder with a config and the `byte_tokenizer`, without weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config.max_position_embeddings = max_length
    config.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each byte, so that a text has exactly the length that is wanted."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({character: i for i, character in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def pack_lengths(kind: str, max_length: int) -> list[int]:
    """Tokens of the conversations that fill one pack to the last token. kind: `document` or `mix`."""
    if kind == "document":
        return [max_length]
    lengths = [max_length // parts + 8 for parts in (2, 4, 8, 16)]  # 8 more, so that two of 1/2 do not fit in a pack
    return [*lengths, max_length - sum(lengths)]


def all_lengths(case: Case, steps: int) -> list[int]:
    """Tokens of all conversations of a fit; those of document and mix fill every pack."""
    if case.data != "longalign":
        return pack_lengths(case.data, case.max_length) * (steps * case.gpus)
    lengths = longalign_like_lengths(max_length=case.max_length)[: steps * case.gpus * LONGALIGN_SEQUENCES]
    return np.maximum(lengths, 64).tolist()


def make_data(file: Path, lengths: Iterable[int]) -> None:
    """Write a file of conversations of these numbers of tokens."""
    letters = random.Random(0)
    frame = len("[INST][/INST]") + 2  # and BOS and EOS
    with file.open("w") as out:
        for length in lengths:
            text = "".join(letters.choices("abcdefghijklmnopqrst", k=length - frame))
            answer = min(ANSWER, len(text) // 2)
            row = [{"role": "user", "content": text[:-answer]}, {"role": "assistant", "content": text[-answer:]}]
            out.write(json.dumps({"messages": row}) + "\n")
