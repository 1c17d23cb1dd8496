"""Folders in ChatGLM3's own format to folders that plain transformers loads (GLM), and back.

Weights stream from shard to shard. What GLM's files cannot hold (ChatGLM's config, its unused rotary table) is kept in
``longalign.json``, so that the way back gives what was there, bit by bit.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, GenerationConfig, GlmConfig

from longalign.chat import ChatFormat, load_tokenizer, save_tokenizer
from longalign.data.cache import build_once, content_key, file_digest
from longalign.errors import UserError
from longalign.files import read_json, write_json
from longalign.model import chatglm
from longalign.model.generate import load_generation_config, save_generation_config
from longalign.model.record import read_record, write_record
from longalign.model.shards import ShardWriter, read_tensors, shard_files
from longalign.progress import byte_progress

log = logging.getLogger(__name__)

CACHE_FORMAT = 1  # of converted folders in the cache; a new number makes them anew

Advance = Callable[[int], None]  # told the bytes of each tensor when it is done


def convert_to_glm(
    source: Path,
    target: Path,
    *,
    rope_ratio: float | None = None,
    chat_format: ChatFormat | None = None,
    advance: Advance = lambda _: None,
) -> GlmConfig:
    """Fill the folder ``target`` with the GLM of a ChatGLM2/3 folder: weights, config, tokenizer, generation config.

    chat_format: by default the one that ``convert_to_chatglm`` has recorded, else ``template``.

    Raises:
        UserError: a config that GLM cannot express, a tokenizer or weights that are not ChatGLM's.
    """
    original = read_json(source / "config.json")
    if not chatglm.is_chatglm(original):
        raise UserError(f"{source}: model_type is {original.get('model_type')}, expected chatglm")
    with _named(source):
        config = chatglm.glm_config(original, rope_ratio)
    tokenizer = load_tokenizer(source) if (source / "tokenizer.model").is_file() else None
    chat_format = chat_format or read_record(source).get("chat_format", "template")
    files = shard_files(source)
    kept: dict[str, Tensor] = {}
    tensors = _setting_aside(read_tensors(files), kept)
    with _named(source):
        weights = chatglm.to_glm(tensors, config, interleaved=chatglm.heads_interleaved(original))
        config.dtype = _write_weights(weights, target, files, advance)  # which the config may not know
    config.save_pretrained(target)
    save_generation_config(_generation_config(source, config, tokenizer), target)
    if tokenizer is None:
        log.warning("%s has no tokenizer.model: the converted folder is without tokenizer", source)
    else:
        save_tokenizer(tokenizer, target, chat_format)
        shutil.copyfile(source / "tokenizer.model", target / "tokenizer.model")  # for the way back
    write_record(
        target,
        chat_format=chat_format,
        chatglm={
            "config": original,
            "tokenizer_config": _read_if_there(source / "tokenizer_config.json"),
            "generation_config": _read_if_there(source / "generation_config.json"),
            "inv_freq": _as_json(kept.get(chatglm.INV_FREQ)),
        },
    )
    return config


def convert_to_chatglm(source: Path, target: Path, *, advance: Advance = lambda _: None) -> dict[str, Any]:
    """Fill the folder ``target`` with ChatGLM's form of a GLM folder; the inverse of ``convert_to_glm``.

    Raises:
        UserError: a model that ChatGLM cannot express, or that is incomplete.
    """
    model_type = read_json(source / "config.json").get("model_type")
    if model_type != "glm":
        raise UserError(f"{source}: model_type is {model_type}, expected glm (as longalign convert writes it)")
    config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    recorded = read_record(source)
    record = recorded.get("chatglm", {})
    with _named(source):
        original = chatglm.chatglm_config(config, record.get("config"))
    files = shard_files(source)
    unused = {chatglm.INV_FREQ: _from_json(record["inv_freq"])} if record.get("inv_freq") else {}
    with _named(source):
        weights = chatglm.to_chatglm(read_tensors(files), config, interleaved=chatglm.heads_interleaved(original))
        dtype = _write_weights(chain(weights, unused.items()), target, files, advance)
    if str(dtype) != f"torch.{original.get('torch_dtype')}":
        original["torch_dtype"] = str(dtype).removeprefix("torch.")
    write_json(target / "config.json", original)
    for name in ("tokenizer_config", "generation_config"):
        if record.get(name):
            write_json(target / f"{name}.json", record[name])
    if (source / "tokenizer.model").is_file():
        shutil.copyfile(source / "tokenizer.model", target / "tokenizer.model")
    if (chat_format := recorded.get("chat_format", "template")) != "template":
        write_record(target, chat_format=chat_format)
    return original


def converted_folder(source: Path, rope_ratio: float | None, cache_dir: Path) -> Path:
    """The GLM of a ChatGLM3 folder in the cache, converted now if it is not there; one process works, others wait.

    Raises:
        UserError: as ``convert_to_glm``, and for a full disk.
    """
    names = ("config.json", "tokenizer_config.json", "tokenizer.model", "generation_config.json")
    present = [source / name for name in names if (source / name).is_file()]
    digests = [file_digest(str(file), cache_dir / "digests") for file in [*present, *shard_files(source)]]
    folder = (
        cache_dir / "models" / content_key({"files": digests, "rope_ratio": rope_ratio, "format": CACHE_FORMAT})[:32]
    )
    build_once(folder, lambda temporary: _convert_aloud(source, temporary, rope_ratio), option="model.cache_dir")
    return folder


def _convert_aloud(source: Path, target: Path, rope_ratio: float | None) -> None:
    log.info("converting %s from ChatGLM3's format, once, into the cache %s", source, target.parent)
    with byte_progress(f"converting {source.name}", weight_bytes(source)) as advance:
        convert_to_glm(source, target, rope_ratio=rope_ratio, advance=advance)


def weight_bytes(source: Path) -> int:
    """Size of a folder's weight files."""
    return sum(file.stat().st_size for file in shard_files(source))


def _write_weights(
    weights: Iterable[tuple[str, Tensor]], target: Path, like: list[Path], advance: Advance
) -> torch.dtype:
    """Write tensors into shards as large as the largest of the files ``like``; returns the first one's dtype."""
    writer = ShardWriter(target, max(file.stat().st_size for file in like))
    dtypes = []
    for name, tensor in weights:
        writer.add(name, tensor)
        advance(tensor.nbytes)
        dtypes.append(tensor.dtype)
    writer.close()
    return dtypes[0]


def _setting_aside(tensors: Iterable[tuple[str, Tensor]], kept: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The tensors, with a copy of the unused rotary table put into ``kept``."""
    for name, tensor in tensors:
        if name == chatglm.INV_FREQ:
            kept[name] = tensor.clone()
        yield name, tensor


def _generation_config(source: Path, config: GlmConfig, tokenizer: Any) -> GenerationConfig:
    """The folder's own, or a plain one; answers end at EOS and at the role tokens that ChatGLM3's code ends them at."""
    settings = load_generation_config(source) or GenerationConfig(pad_token_id=0)
    roles = {} if tokenizer is None else tokenizer.get_added_vocab()
    stops = settings.eos_token_id if settings.eos_token_id is not None else config.eos_token_id
    ends = {*(stops if isinstance(stops, list) else [stops])}
    ends |= {roles[role] for role in ("<|user|>", "<|observation|>") if role in roles}
    settings.eos_token_id = sorted(ends)
    return settings


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Put the folder's name in front of what is wrong with its content."""
    try:
        yield
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(str(folder)) else f"{folder}: {text}") from error


def _read_if_there(file: Path) -> dict[str, Any] | None:
    return read_json(file) if file.is_file() else None


def _as_json(tensor: Tensor | None) -> dict[str, Any] | None:
    """A small floating-point tensor as JSON; floats of 64 bits hold those of 16 and 32 exactly."""
    if tensor is None:
        return None
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "values": tensor.double().tolist()}


def _from_json(value: dict[str, Any]) -> Tensor:
    return torch.tensor(value["values"], dtype=torch.float64).to(getattr(torch, value["dtype"]))
