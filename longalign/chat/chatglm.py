"""ChatGLM's tokenizer as a fast tokenizer of transformers, built from the folder's sentencepiece model.

The original tokenizer is Python code in the model's folder, which is never run; this one gives the same ids. Special
tokens have the ids behind the sentencepiece vocabulary. Role tokens such as `<|user|>` are recognised anywhere in a
text, as is usual; the other special tokens only if they are the whole text, and `[gMASK]sop` at the start of a text
(see the module `standalone`).
"""

import json
from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
from transformers import PreTrainedTokenizerFast

from longalign.chat import standalone
from longalign.chat.bpe_model import agrees, bpe_backend, decoder_steps, encoder_of, has_prefix, read_model
from longalign.chat.chatglm_template import choose_template
from longalign.errors import UserError

# With N pieces in the sentencepiece model, [MASK] has the id N, eop N+4; ChatGLM3's four role tokens follow.
SPECIAL_TOKENS = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")
ROLE_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")


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
    if not file.is_file():
        raise UserError(f"{file}: no such file; a ChatGLM tokenizer needs its sentencepiece model")
    model = read_model(file)
    backend = bpe_backend(model)
    if not (has_prefix(model) and agrees(model, encoder_of(backend), file)):
        raise UserError(f"{file}: not a BPE model with a word-start mark in front of a text, as ChatGLM's is")
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
    backend.decoder = decoders.Sequence([standalone.unmarking(), *decoder_steps(prefix=True)])
    backend.add_special_tokens(standalone.added_tokens(alone))
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in role_tokens])
    prefix = " ".join(opening)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{prefix} $A",
        pair=f"{prefix} $A $B",
        special_tokens=[(name, backend.token_to_id(name)) for name in opening],
    )


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
