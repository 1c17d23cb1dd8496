"""``longalign convert``: turn a folder in ChatGLM3's own format into one that plain transformers loads, and back."""

import logging
import shutil
from pathlib import Path
from typing import Literal

from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call
from longalign.errors import UserError
from longalign.files import new_folder
from longalign.model.chatglm import ROPE_BASE, rope_theta
from longalign.model.conversion import convert_to_chatglm, convert_to_glm, weight_bytes
from longalign.progress import byte_progress

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and convert."""
    with interruptible("; nothing was written"):
        call(convert, name, args)


def convert(
    source: str,
    target: str,
    to: Literal["glm", "chatglm3"] = "glm",
    rope_ratio: float | None = None,
    chat_format: Literal["template", "chatglm3"] | None = None,
) -> Path:
    """Turn a ChatGLM3-format checkpoint into a GLM folder for plain transformers, without remote code, or back.

    Weights keep their bits and their dtype. The folder gets its name only when it is complete.

    Args:
        source: folder of the checkpoint: config.json, tokenizer.model, safetensors or .bin files.
        target: the folder to write; it must not exist.
        to: format to write: glm (GlmForCausalLM of transformers), or chatglm3 to go back.
        rope_ratio: base of the rotary angles divided by 10000, in place of the config's. The configs of ChatGLM3-6B-32k
            and -128k hold it; ChatGLM3-6B has 1; LongAlign-6B-64k and its base model have 200, in their code only.
        chat_format: format of the prompts that the model was trained on, which is recorded for ``longalign chat`` and
            for servers: by default what the source's longalign.json says, else template (ChatGLM3's roles); chatglm3
            for LongAlign's rounds (LongAlign-6B-64k).
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise UserError(f"source: {source} is no folder; for a hub model: hf download NAME --local-dir DIR")
    if to == "chatglm3" and (rope_ratio is not None or chat_format is not None):
        raise UserError("rope_ratio and chat_format are for --to glm; on the way back the config decides")
    with new_folder(target) as temporary:
        size = weight_bytes(folder)
        _check_room(temporary, size)
        with byte_progress(f"converting {folder.name}", size) as advance:
            if to == "glm":
                config = convert_to_glm(
                    folder, temporary, rope_ratio=rope_ratio, chat_format=chat_format, advance=advance
                )
                base = rope_theta(config)
                result = f"GlmForCausalLM, rope_theta {base:,.0f} (rope_ratio {base / ROPE_BASE:g})"
            else:
                convert_to_chatglm(folder, temporary, advance=advance)
                result = (
                    "ChatGLM3's format; its Python files are not written: copy them from the original if you need them"
                )
    log.info("converted %s (%.2f GB) to %s: %s", source, size / 1e9, target, result)
    print(target)
    return Path(target)


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(f"target: needs {size / 1e9:.1f} GB, its disk has {free / 1e9:.1f} GB free")
