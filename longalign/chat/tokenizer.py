"""Loading a tokenizer without running code that comes with it, and saving it with a chat template for servers."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from longalign.chat.bpe_model import PROBES, agrees, bpe_backend, encoder_of, read_model
from longalign.chat.chatglm import build_chatglm_tokenizer
from longalign.chat.encode import ChatFormat
from longalign.chat.plain_template import plain_chat_template
from longalign.chat.text import TextEncoder
from longalign.errors import UserError
from longalign.files import read_json
from longalign.hub import is_path, look_for_hub

log = logging.getLogger(__name__)


def load_tokenizer(path: str | Path, *, revision: str | None = None, gguf_file: str | None = None) -> Any:
    """Load the tokenizer of a local folder or a hub name; ChatGLM's own format (a sentencepiece model) is read too.

    Raises:
        UserError: there is no tokenizer, its files cannot be read, or it is Python code only.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir() and is_path(str(path)):
        raise UserError(f"{path}: no such folder; model.model or data.tokenizer must name a folder or a hub model")
    config = _read_json(folder / "tokenizer_config.json")
    if _is_chatglm(folder, config):
        return build_chatglm_tokenizer(folder, config)
    if folder.is_dir() and gguf_file is None and not any(map(_is_vocabulary, folder.iterdir())):
        raise UserError(f"{path}: no tokenizer in this folder (tokenizer.json or tokenizer.model)")
    if not folder.is_dir():
        look_for_hub()
    optional = {"revision": revision, "gguf_file": gguf_file}
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder if folder.is_dir() else str(path),
            trust_remote_code=False,
            **{key: value for key, value in optional.items() if value is not None},
        )
    except Exception as error:  # broken files make the libraries raise errors of many types
        raise UserError(f"{path}: {_explain(error)}") from error
    if gguf_file or not isinstance(tokenizer, PreTrainedTokenizerFast):
        return tokenizer
    if config.get("add_prefix_space") is False:  # who says so wants other ids than sentencepiece's
        return tokenizer
    if (folder / "tokenizer.json").is_file():
        return _with_ids_of_its_file(tokenizer, folder)
    return _with_ids_of_sentencepiece(tokenizer, folder) if (folder / "tokenizer.model").is_file() else tokenizer


def _with_ids_of_its_file(tokenizer: Any, folder: Path) -> Any:
    """The tokenizer with the ids of the folder's tokenizer.json, of which LlamaTokenizer takes only the vocabulary.

    So do other classes. But where transformers prefers them to the class that the folder names, an exported folder
    would not keep other ids than theirs.
    """
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    one, other = (encoder_of(each)(PROBES[0]) for each in (backend, tokenizer.backend_tokenizer))
    if one == other:
        return tokenizer
    name = type(tokenizer).__name__
    if name == "LlamaTokenizer":
        return _with_backend(tokenizer, backend, folder)
    log.warning("%s: its ids are those of transformers' %s, and not those of its tokenizer.json", folder, name)
    return tokenizer


def _with_ids_of_sentencepiece(tokenizer: Any, folder: Path) -> Any:
    """The tokenizer of a folder that has a sentencepiece model only, with the model's ids.

    transformers reads every such model by what is usual in its class: it adds a word-start mark to a text that has none
    or leaves it out (Mistral's), and drops characters without a token where the model has no byte fallback.
    """
    file = folder / "tokenizer.model"
    try:
        model = read_model(file)
    except UserError:  # a file of another kind, which transformers could read
        return tokenizer
    if agrees(model, TextEncoder(tokenizer).encode, file):
        return tokenizer
    backend = bpe_backend(model)
    if not agrees(model, encoder_of(backend), file):
        raise UserError(
            f"{file}: a sentencepiece model of another kind than Llama's (BPE, its text not normalised), of which "
            "transformers makes other ids; use a folder with a tokenizer.json made of it"
        )
    return _with_backend(tokenizer, backend, folder)


def _with_backend(tokenizer: Any, backend: Tokenizer, folder: Path) -> Any:
    """The tokenizer with the ids of another backend, of a class that keeps them when it is saved and loaded."""
    parts = ("model", "normalizer", "pre_tokenizer", "decoder")
    exact = json.loads(backend.to_str())
    state = json.loads(tokenizer.backend_tokenizer.to_str()) | {part: exact[part] for part in parts}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)),
        name_or_path=str(folder),
        chat_template=tokenizer.chat_template,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        **tokenizer.special_tokens_map,
    )


def save_tokenizer(
    tokenizer: Any, folder: str | Path, chat_format: ChatFormat, *, max_length: int | None = None
) -> None:
    """Save a tokenizer with a chat template of the format that its model is trained on, which servers then use.

    max_length: the model's longest input in tokens; a lower ``model_max_length`` of the tokenizer is raised to it.
    """
    own, own_length = tokenizer.chat_template, tokenizer.model_max_length
    try:
        tokenizer.model_max_length = max(own_length, max_length or 0)
        if chat_format != "template":
            tokenizer.chat_template, exact = plain_chat_template(tokenizer, chat_format)
            if not exact:
                log.warning(
                    "chat format %s: with this tokenizer a server's prompts differ from those trained on by a token "
                    "where an earlier answer begins or ends; prompts of one round are the same",
                    chat_format,
                )
        tokenizer.save_pretrained(folder)
    finally:
        tokenizer.chat_template, tokenizer.model_max_length = own, own_length


def _is_vocabulary(file: Path) -> bool:
    # without such a file transformers does not fail, but makes a tokenizer of three special tokens
    return file.suffix in {".model", ".tiktoken"} or file.name in {
        "tokenizer.json",
        "vocab.json",
        "vocab.txt",
        "tekken.json",
    }


def _is_chatglm(folder: Path, config: dict[str, Any]) -> bool:
    """Whether a folder has ChatGLM's own format, by its tokenizer_class, or without that by its model_type."""
    if (folder / "tokenizer.json").is_file():
        return False
    if "tokenizer_class" in config or not (folder / "tokenizer.model").is_file():
        return config.get("tokenizer_class") == "ChatGLMTokenizer"
    return _read_json(folder / "config.json").get("model_type") == "chatglm"


def _read_json(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _explain(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "trust_remote_code" in text or "custom code" in text:
        return "its tokenizer is Python code, which longalign never runs; use a folder with tokenizer.json"
    return f"the tokenizer cannot be loaded ({type(error).__name__}: {text[:300]})"


@dataclass(frozen=True)
class TokenCount:
    """The number of tokens of a text on its own, without special tokens. Picklable, for other processes."""

    tokenizer: Any

    def __call__(self, text: str) -> int:
        return len(self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)
