"""``longalign.json``, a model folder's record of what its other files cannot tell.

``chat_format``: the format of its prompts (``template``: the tokenizer's chat template). ``chatglm``: what the folder
held in ChatGLM's own format (config, tokenizer_config, inv_freq), for the way back.
"""

import logging
from pathlib import Path
from typing import Any

from longalign.chat import ChatFormat, plain_chat_template
from longalign.files import read_json, write_json

log = logging.getLogger(__name__)

NAME = "longalign.json"


def read_record(folder: str | Path) -> dict[str, Any]:
    """The folder's record, empty where it has none.

    Raises:
        UserError: it is not a JSON object.
    """
    file = Path(folder) / NAME
    return read_json(file) if file.is_file() else {}


def write_record(folder: str | Path, **values: Any) -> None:
    """Write the record, without the values that are None."""
    kept = {key: value for key, value in values.items() if value is not None}
    write_json(Path(folder) / NAME, kept)


def save_tokenizer(tokenizer: Any, folder: str | Path, chat_format: ChatFormat) -> None:
    """Save a tokenizer with the chat template of the format that its model is trained on, so that servers use it."""
    own = tokenizer.chat_template
    try:
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
        tokenizer.chat_template = own
