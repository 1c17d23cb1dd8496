"""``longalign.json``, a model folder's record of what its other files cannot tell.

``chat_format``: the format of its prompts (``template``: the tokenizer's chat template). ``chatglm``: what the folder
held in ChatGLM's own format (config, tokenizer_config, generation_config, inv_freq), for the way back.
"""

from pathlib import Path
from typing import Any

from longalign.files import read_json, write_json

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
