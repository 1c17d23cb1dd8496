"""ChatGLM's tokenizer as a fast tokenizer: a sentencepiece BPE model and special tokens after its vocabulary.

The original is Python code in the model's folder; this reads `tokenizer.model` and gives the same ids.
"""

from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from longalign.errors import UserError

# [MASK] = N, ..., eop = N+4 with N pieces in the sentencepiece model. ChatGLM3 has four role tokens behind them.
SPECIAL_TOKENS = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")
ROLE_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
_PROBES = ("Hello  world\n\n问：x 😀", " a\tb", "[Round 1]\n\n答：1987")


def build_chatglm_tokenizer(
    folder: Path, config: dict[str, Any] | None = None, *, role_tokens: tuple[str, ...] | None = None
) -> PreTrainedTokenizerFast:
    """The tokenizer of a folder in ChatGLM's format; saved, it loads with AutoTokenizer.

    `role_tokens` follow the five special tokens; by default there are `ROLE_TOKENS` where `config` (the folder's
    tokenizer_config.json) lists them among its added tokens. Special tokens written in a text are text
    (`split_special_tokens`), as in the original: "sop" is part of words.
    """
    config = config or {}
    model = _read_model(folder / "tokenizer.model")
    if role_tokens is None:
        listed = {str(token.get("content")) for token in config.get("added_tokens_decoder", {}).values()}
        role_tokens = ROLE_TOKENS if listed.issuperset(ROLE_TOKENS) else ()
    backend = _backend(model)
    for probe in _PROBES:
        if backend.encode(probe).ids != model.encode(probe):
            raise UserError(f"{folder / 'tokenizer.model'}: not a BPE model with byte fallback as ChatGLM's is")
    special = [*SPECIAL_TOKENS, *role_tokens]
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    prefix = [(token, backend.token_to_id(token)) for token in ("[gMASK]", "sop")]
    backend.post_processor = processors.TemplateProcessing(
        single="[gMASK] sop $A", pair="[gMASK] sop $A $B", special_tokens=prefix
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        name_or_path=str(folder),
        unk_token="<unk>",
        pad_token="<unk>",
        eos_token="</s>",
        additional_special_tokens=special,
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )


def _read_model(file: Path) -> sentencepiece.SentencePieceProcessor:
    if not file.is_file():
        raise UserError(f"{file}: no such file; a ChatGLM tokenizer needs its sentencepiece model")
    model = sentencepiece.SentencePieceProcessor()
    try:
        model.LoadFromFile(str(file))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{file}: not a sentencepiece model ({' '.join(str(error).split())[:200]})") from error
    return model


def _backend(model: sentencepiece.SentencePieceProcessor) -> Tokenizer:
    pieces = [model.IdToPiece(i) for i in range(model.GetPieceSize())]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    special = {i for i in range(len(pieces)) if model.IsControl(i) or model.IsUnknown(i) or model.IsByte(i)}
    backend = Tokenizer(
        models.BPE(vocab=vocab, merges=_merges(vocab, special), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return backend


def _merges(vocab: dict[str, int], special: set[int]) -> list[tuple[str, str]]:
    """Every way to put a piece together from two others, in order of the pieces' ids, which is sentencepiece's."""
    merges = []
    for piece, rank in vocab.items():
        if rank in special:
            continue
        splits = ((piece[:k], piece[k:]) for k in range(1, len(piece)))
        found = [(left, right) for left, right in splits if left in vocab and right in vocab]
        merges += sorted(found, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
    return merges
