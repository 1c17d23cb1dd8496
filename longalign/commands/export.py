"""``longalign export``: a training checkpoint, sharded or single, to a folder that plain transformers loads."""

import logging
import os
import shutil
import warnings
from pathlib import Path
from typing import Literal

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from longalign.commands.parse import call
from longalign.errors import UserError
from longalign.model.loading import load_generation_config
from longalign.training.checkpoints import COMPLETE_MARK, newest_checkpoint, read_metadata, resolve_checkpoint

log = logging.getLogger(__name__)

PREFIX = "model."  # of the transformers model inside LongAlignModule


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and export."""
    call(export, name, args)


def export(
    checkpoint: str,
    target: str,
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16",
    assets: str | None = None,
    max_shard_size: str = "5GB",
) -> Path:
    """Write a Hugging Face folder: weights, config, generation config, tokenizer and the chat format.

    The folder appears under its name only when it is whole.

    Args:
        checkpoint: a checkpoint of ``longalign fit``, or a run's folder (its newest checkpoint is taken).
        target: the folder to write; must not exist.
        dtype: of the exported weights; master weights are float32.
        assets: folder with config and tokenizer; by default ``hf`` beside the checkpoint, which ``fit`` writes.
        max_shard_size: of a safetensors file.
    """
    path = find_checkpoint(Path(checkpoint))
    folder = Path(assets) if assets else path.parent / "hf"
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} has no config.json; give --assets, a folder with the model's config and tokenizer")
    final = Path(target)
    if final.exists():
        raise UserError(f"target: {target} exists already; give a new folder")
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    state = {key.removeprefix(PREFIX): value for key, value in load_weights(path).items() if key.startswith(PREFIX)}
    state = {key: value.to(getattr(torch, dtype)) for key, value in state.items()}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    missing = set(model.state_dict()) - set(state)
    if missing:
        raise UserError(f"{path} lacks {len(missing)} weights of {folder}'s config, such as {min(missing)}")
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    temporary = final.with_name(f".{final.name}.incomplete")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        shutil.copytree(folder, temporary)
        model.generation_config = load_generation_config(folder) or GenerationConfig.from_model_config(config)
        model.save_pretrained(temporary, max_shard_size=max_shard_size)
        os.replace(temporary, final)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(f"{target} could not be written: {error.strerror or error}") from error
    log.info("exported %s to %s", path, final)
    print(final)
    return final


def find_checkpoint(path: Path) -> Path:
    """``path`` itself, or the newest checkpoint of a run's folder."""
    if path.is_dir() and not (path / COMPLETE_MARK).exists() and not path.name.endswith(".ckpt"):
        newest = newest_checkpoint(path / "checkpoints") or newest_checkpoint(path)
        if newest is None:
            raise UserError(f"checkpoint: {path} holds no whole checkpoint (step<number>.ckpt)")
        return newest
    found = resolve_checkpoint(str(path), path.parent)
    assert found is not None
    return found


def load_weights(path: Path) -> dict[str, Tensor]:
    """The module's weights on the CPU. Shards are read by this one process, optimizer states are not read."""
    if path.is_file():
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    reader = FileSystemReader(path)
    prefix = "state_dict."
    metadata = read_metadata(path).state_dict_metadata
    state = {
        key: torch.empty(entry.size, dtype=entry.properties.dtype)
        for key, entry in metadata.items()
        if key.startswith(prefix) and isinstance(entry, TensorStorageMetadata)
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*single process.*")  # which is what we want
        dcp.load(state, storage_reader=reader, no_dist=True)
    return {key.removeprefix(prefix): value for key, value in state.items()}
