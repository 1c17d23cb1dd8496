"""Loading a tokenizer, without ever running code that comes with it."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from longalign.chat.chatglm import build_chatglm_tokenizer
from longalign.errors import UserError


def load_tokenizer(path: str | Path, *, revision: str | None = None, gguf_file: str | None = None) -> Any:
    """The tokenizer of a local folder or of a hub name; ChatGLM's own format (a sentencepiece model) is read too.

    Raises:
        UserError: nothing there, files that cannot be read, a tokenizer that is only code.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir() and _looks_local(str(path)):
        raise UserError(f"{path}: no such folder; model.model or model.tokenizer must name a folder or a hub model")
    config = _read_config(folder)
    if config.get("tokenizer_class") == "ChatGLMTokenizer" and not (folder / "tokenizer.json").is_file():
        return build_chatglm_tokenizer(folder, config)
    if folder.is_dir() and gguf_file is None and not any(map(_is_vocabulary, folder.iterdir())):
        raise UserError(f"{path}: no tokenizer in this folder (tokenizer.json or tokenizer.model)")
    optional = {"revision": revision, "gguf_file": gguf_file}
    try:
        return AutoTokenizer.from_pretrained(
            folder if folder.is_dir() else str(path),
            trust_remote_code=False,
            **{key: value for key, value in optional.items() if value is not None},
        )
    except Exception as error:  # whatever a broken file makes a reader raise
        raise UserError(f"{path}: {_explain(error)}") from error


def _is_vocabulary(file: Path) -> bool:
    # Without one, transformers makes some tokenizers up from three special tokens.
    return file.suffix in {".model", ".tiktoken"} or file.name in {
        "tokenizer.json",
        "vocab.json",
        "vocab.txt",
        "tekken.json",
    }


def _looks_local(path: str) -> bool:
    return path.startswith((".", "/", "~")) or path.count("/") > 1


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as JSON ({error})") from error
    if not isinstance(config, dict):
        raise UserError(f"{file}: expected a JSON object, got {type(config).__name__}")
    return config


def _explain(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "trust_remote_code" in text or "custom code" in text:
        return "its tokenizer is Python code, which longalign never runs; use a folder with tokenizer.json"
    return f"the tokenizer cannot be loaded ({type(error).__name__}: {text[:300]})"
