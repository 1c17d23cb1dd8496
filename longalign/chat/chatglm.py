"""ChatGLM's tokenizer as a fast tokenizer of transformers, built from the folder's sentencepiece model.

The original tokenizer is Python code in the model's folder, which is never run; this one gives the same ids. Special
tokens have the ids behind the sentencepiece vocabulary. Role tokens such as `<|user|>` are recognised anywhere in a
text, as is usual; the other special tokens only if they are the whole text, and `[gMASK]sop` at the start of a text
(see the module `standalone`).
"""

import json
import logging
from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from longalign.chat import standalone
from longalign.chat.chatglm_template import choose_template
from longalign.errors import UserError

log = logging.getLogger(__name__)

# With N pieces in the sentencepiece model, [MASK] has the id N, eop N+4; ChatGLM3's four role tokens follow.
SPECIAL_TOKENS = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")
ROLE_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
_PROBES = ("Hello  world\n\n问：x 😀", " a\tb", "[Round 1]\n\n答：1987")


def build_chatglm_tokenizer(
    folder: Path, config: dict[str, Any] | None = None, *, role_tokens: tuple[str, ...] | None = None
) -> PreTrainedTokenizerFast:
    """Build the tokenizer of a folder in ChatGLM's format. If it is saved, AutoTokenizer can load it.

    A special token whose name is also a piece of the vocabulary is named with angle brackets, such as `<sop>`.

    Args:
        config: the content of the folder's tokenizer_config.json, if it has one.
        role_tokens: tokens that follow the five special ones. By default `ROLE_TOKENS` if `config` lists one of them
            or the folder's tokenization_chatglm.py names them. If there is no such file to tell, also by default,
            unless they would exceed the `padded_vocab_size` of the folder's config.json: ChatGLM3's first releases do
            not list them, and tokens that are not used do no harm.

    Raises:
        UserError: the folder has no sentencepiece BPE model, or `config` gives a special token another id.
    """
    config = config or {}
    file = folder / "tokenizer.model"
    model = _read_model(file)
    backend = _backend(model)
    _check_probes(model, backend, file)
    pieces = backend.get_vocab()
    names = [f"<{name}>" if name in pieces else name for name in SPECIAL_TOKENS]
    opening = (names[1], names[3])
    if role_tokens is None:
        role_tokens = ROLE_TOKENS if _has_roles(folder, config, len(pieces)) else ()
    _add_special_tokens(model, backend, names, opening, role_tokens)
    _check_ids(backend, len(pieces), [*names, *role_tokens], _listed(config), file)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        name_or_path=str(folder),
        unk_token="<unk>",
        pad_token="<unk>",
        eos_token="</s>",
        additional_special_tokens=[*names, *role_tokens],
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.chat_template = choose_template(
        tokenizer, opening, model.encode, role_tokens, _own_template(folder, config)
    )
    return tokenizer


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
    ordinary = [i for i in range(len(pieces)) if not (model.IsControl(i) or model.IsUnknown(i) or model.IsByte(i))]
    ordinary.sort(key=lambda i: -model.GetScore(i))
    merges = _merges(vocab, [pieces[i] for i in ordinary])
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [
            standalone.unmarking(),
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return backend


def _merges(vocab: dict[str, int], by_score: list[str]) -> list[tuple[str, str]]:
    """The BPE merges: all pairs of pieces that make a piece, best-scored pieces first, as sentencepiece."""
    merges = []
    for piece in by_score:
        splits = ((piece[:k], piece[k:]) for k in range(1, len(piece)))
        found = [(left, right) for left, right in splits if left in vocab and right in vocab]
        merges += sorted(found, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
    return merges


def _add_special_tokens(
    model: sentencepiece.SentencePieceProcessor,
    backend: Tokenizer,
    names: list[str],
    opening: tuple[str, str],
    role_tokens: tuple[str, ...],
) -> None:
    control = [model.IdToPiece(i) for i in range(model.GetPieceSize()) if model.IsControl(i) or model.IsUnknown(i)]
    alone = [*control, *names]
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), *standalone.marking(alone, opening), normalizers.Replace(" ", "▁")]
    )
    backend.add_special_tokens(standalone.added_tokens(alone))
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in role_tokens])
    prefix = " ".join(opening)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{prefix} $A",
        pair=f"{prefix} $A $B",
        special_tokens=[(name, backend.token_to_id(name)) for name in opening],
    )


def _check_probes(model: sentencepiece.SentencePieceProcessor, backend: Tokenizer, file: Path) -> None:
    for probe in _PROBES:
        if backend.encode(probe).ids != model.encode(probe):
            raise UserError(f"{file}: not a BPE model with byte fallback as ChatGLM's is")
    pieces = [model.IdToPiece(i) for i in range(model.GetPieceSize()) if not model.IsByte(i)]
    probes = ["".join(pieces[i : i + 8]).replace("▁", " ") for i in range(0, len(pieces), 8)]
    ids = [encoding.ids for encoding in backend.encode_batch_fast(probes)]
    differing = sum(one != other for one, other in zip(ids, model.encode(probes), strict=True))
    if differing > len(probes) // 10:
        raise UserError(f"{file}: not a BPE model with byte fallback as ChatGLM's is")
    if differing:
        log.warning("%s: %d of %d probes get other ids than sentencepiece's", file, differing, len(probes))


def _check_ids(backend: Tokenizer, first: int, names: list[str], listed: dict[str, int | None], file: Path) -> None:
    for expected, name in enumerate(names, start=first):
        got = {backend.token_to_id(name), listed.get(name, expected) or expected} - {expected}
        if got:
            raise UserError(
                f"{file}: {name} is token {got.pop()} by the vocabulary or by tokenizer_config.json, expected "
                f"{expected}, as ChatGLM has it"
            )


def _has_roles(folder: Path, config: dict[str, Any], pieces: int) -> bool:
    if _listed(config).keys() & set(ROLE_TOKENS):
        return True
    code = folder / "tokenization_chatglm.py"  # only read, never run
    if code.is_file():
        return ROLE_TOKENS[1] in code.read_text(encoding="utf-8", errors="replace")
    try:
        padded = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("padded_vocab_size")
    except (OSError, ValueError, AttributeError):
        return True  # a broken config.json is reported where the model is loaded
    return not isinstance(padded, int) or pieces + len(SPECIAL_TOKENS) + len(ROLE_TOKENS) <= padded


def _listed(config: dict[str, Any]) -> dict[str, int | None]:
    """The names of the added tokens in a tokenizer_config.json, each with its id, or None if the file gives none."""
    named = [*(config.get("additional_special_tokens") or []), *(config.get("extra_special_tokens") or [])]
    listed: dict[str, int | None] = dict.fromkeys(map(_content, named))
    for token_id, token in (config.get("added_tokens_decoder") or {}).items():
        listed[_content(token)] = int(token_id)
    return listed


def _content(token: Any) -> str:
    return str(token.get("content")) if isinstance(token, dict) else str(token)


def _own_template(folder: Path, config: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    return template if isinstance(template, str) else None
