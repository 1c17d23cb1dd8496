"""``longalign export``: turn a training checkpoint (shards or one file) into a folder that plain transformers loads."""

import logging
import re
import shutil
import warnings
from pathlib import Path
from typing import Literal

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from longalign.commands.interrupt import interruptible
from longalign.commands.model_loading import quiet_transformers
from longalign.commands.parse import call
from longalign.counted import counted
from longalign.errors import UserError
from longalign.files import new_folder
from longalign.model.generate import load_generation_config, save_generation_config
from longalign.model.shards import write_errors
from longalign.training.checkpoints import COMPLETE_MARK, is_whole, newest_checkpoint, read_metadata

log = logging.getLogger(__name__)

PREFIX = "model."  # in front of the transformers model's weights in a checkpoint of LongAlignModule
SIZE = re.compile(r"\d+(\.\d+)?\s*[KMGT]B", re.IGNORECASE)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and export."""
    with interruptible("; nothing was written"):
        call(export, name, args)


def export(
    checkpoint: str,
    target: str,
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16",
    assets: str | None = None,
    max_shard_size: str = "5GB",
) -> Path:
    """Write a Hugging Face folder: weights, config, generation config, tokenizer and the chat format.

    The folder gets its name only when it is complete.

    Args:
        checkpoint: a checkpoint of ``longalign fit``, or a run's folder (its newest checkpoint is taken).
        target: the folder to write; it must not exist.
        dtype: dtype of the exported weights; the checkpoint's are float32.
        assets: folder with config and tokenizer; by default ``hf`` beside the checkpoint, which ``fit`` writes.
        max_shard_size: largest size of a safetensors file, such as 500MB or 5GB.
    """
    if not SIZE.fullmatch(max_shard_size):
        raise UserError(f"max_shard_size: got {max_shard_size!r}, expected a size such as 500MB or 5GB")
    quiet_transformers()
    path = find_checkpoint(Path(checkpoint).expanduser())
    folder = Path(assets).expanduser() if assets else path.parent / "hf"
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} has no config.json; give --assets, a folder with the model's config and tokenizer")
    with new_folder(target) as temporary:
        model = assemble(path, folder, getattr(torch, dtype))
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        with write_errors("weights"):
            model.save_pretrained(temporary, max_shard_size=max_shard_size)
        settings = load_generation_config(folder) or GenerationConfig.from_model_config(model.config)
        save_generation_config(settings, temporary)
    log.info("exported %s to %s", path, target)
    print(target)
    return Path(target)


def assemble(checkpoint: Path, assets: Path, dtype: torch.dtype) -> PreTrainedModel:
    """The transformers model of the config in ``assets``, with a checkpoint's weights in ``dtype``."""
    config = AutoConfig.from_pretrained(assets, trust_remote_code=False)
    weights = {key.removeprefix(PREFIX): w for key, w in load_weights(checkpoint).items() if key.startswith(PREFIX)}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    missing = set(model.state_dict()) - set(weights)
    if missing:
        raise UserError(
            f"{checkpoint} lacks {counted(len(missing), 'weight')} of {assets}'s config, such as {min(missing)}"
        )
    try:
        model.load_state_dict({key: w.to(dtype) for key, w in weights.items()}, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()[:200]  # the whole message may list every weight
        raise UserError(f"assets: {assets} is not of {checkpoint}'s model: {first}") from error
    head = model.get_output_embeddings().weight
    model.tie_weights()
    if not torch.equal(head, model.get_output_embeddings().weight):
        raise UserError(
            f"assets: {assets} has tie_word_embeddings, and {checkpoint} an lm_head of its own; give assets whose "
            "config.json has it false, or none"
        )
    model.generation_config = GenerationConfig()  # `export` writes that of the assets
    return model


def find_checkpoint(path: Path) -> Path:
    """``path`` itself if it is a checkpoint, else the newest whole checkpoint of the run's folder ``path``."""
    if path.is_dir() and not (path / COMPLETE_MARK).exists() and not path.name.endswith(".ckpt"):
        newest = newest_checkpoint(path / "checkpoints") or newest_checkpoint(path)
        if newest is None:
            raise UserError(f"checkpoint: {path} holds no whole checkpoint (step<number>.ckpt)")
        return newest
    if not path.exists():
        raise UserError(f"checkpoint: {path} does not exist; give a run's folder, or a checkpoint in it")
    if not is_whole(path):
        raise UserError(
            f"checkpoint: {path} is not whole (a part is missing or damaged); give the run's folder for its newest "
            "whole one"
        )
    return path


def load_weights(path: Path) -> dict[str, Tensor]:
    """All weights of a checkpoint, on the CPU. This one process reads all shards, and no optimizer state."""
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
        warnings.filterwarnings("ignore", message=".*single process.*")  # that is on purpose
        dcp.load(state, storage_reader=reader, no_dist=True)
    return {key.removeprefix(prefix): value for key, value in state.items()}
