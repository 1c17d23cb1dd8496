"""From a Hugging Face folder (or hub name, or GGUF file) to a model in memory: its config and its whole weights.

No remote code is ever run, and no pickle is read except by ``torch.load(weights_only=True)`` inside transformers.
"""

import json
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from longalign.counted import counted
from longalign.errors import UserError
from longalign.files import read_json
from longalign.hub import is_path, look_for_hub
from longalign.model.chatglm import ROPE_BASE, glm_config, is_chatglm, rope_theta
from longalign.model.context import extend_rope
from longalign.model.conversion import converted_folder
from longalign.model.support import check_language_model, check_packable

CACHE_DIR = "~/.cache/longalign"
UNREADABLE = (SafetensorError, pickle.UnpicklingError, json.JSONDecodeError)


def load_config(
    path: str, overrides: dict[str, Any] | None = None, gguf_file: str | None = None, *, packed: bool = True
) -> PreTrainedConfig:
    """The model's config, with ``overrides`` applied. No weight is read.

    A folder in ChatGLM3's own format gives the config of transformers' GLM.

    Args:
        overrides: ``rope_theta`` and ``rope_scaling`` (see `extend_rope`), for GLM also ``rope_ratio`` (rope_theta /
            10000), and keys that the config has.
        packed: refuse a model that cannot be trained on packs.

    Raises:
        UserError: no such model, an adapter alone, a config that only remote code can read, a wrong override, or a
            model that is refused.
    """
    if not Path(path).is_dir() and is_path(path):
        raise UserError(f"model.model: folder {path} does not exist; expected a folder or a hub name (owner/name)")
    if not Path(path).is_dir():
        look_for_hub()
    if Path(path, "adapter_config.json").is_file():
        raise UserError(
            f"model.model: {path} holds an adapter (adapter_config.json), as LoRA makes; expected a whole model: "
            "merge the adapter into its base model first"
        )
    overrides = dict(overrides or {})
    if is_chatglm_folder(path):
        config = glm_config(read_json(Path(path) / "config.json"), overrides.pop("rope_ratio", None))
    else:
        with _one_line(path):
            config = AutoConfig.from_pretrained(path, trust_remote_code=False, **_gguf(gguf_file))
    if packed:
        check_language_model(config)
    try:
        if config.model_type == "glm" and "rope_ratio" in overrides:
            overrides["rope_theta"] = ROPE_BASE * float(overrides.pop("rope_ratio"))
        extend_rope(config, overrides.pop("rope_theta", None), overrides.pop("rope_scaling", None))
        for key, value in overrides.items():
            if not hasattr(config, key):
                raise UserError(f"model.config_overrides: {config.model_type} has no config key {key!r}")
            setattr(config, key, value)
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise UserError(f"model.config_overrides: {_last_line(error)}") from error
    if hasattr(config, "quantization_config"):  # a GGUF is dequantised on loading
        if gguf_file is None:
            raise UserError(f"model.model: {path} is quantised; expected full-precision weights")
        del config.quantization_config
    if packed:
        check_packable(config)
    return config


def join_overrides(context: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """One dict of changes to the model's config, from options of their own and from ``model.config_overrides``.

    context: rope_theta, rope_scaling and max_position_embeddings, None for what is not given. others: the overrides.

    Raises:
        UserError: a key is given in both, or a number is not positive.
    """
    given = {key: value for key, value in context.items() if value is not None}
    if twice := sorted(given.keys() & others.keys()):
        raise UserError(f"model.{twice[0]}: it is in model.config_overrides, too; give one")
    for key, value in given.items():
        if key != "rope_scaling" and not 0 < value < float("inf"):
            raise UserError(f"model.{key}: got {value}, expected more than 0")
    return {**others, **given}


def is_chatglm_folder(path: str | Path) -> bool:
    """Whether this is a folder in the format of ChatGLM2's and ChatGLM3's own code."""
    file = Path(path) / "config.json"
    return file.is_file() and is_chatglm(read_json(file))


def weights_folder(path: str, config: PreTrainedConfig, cache_dir: str | Path = CACHE_DIR) -> str:
    """Where transformers can load the weights from: ``path`` itself, or a ChatGLM3 folder's conversion in the cache.

    Raises:
        UserError: a ChatGLM3 folder that cannot be converted.
    """
    if not is_chatglm_folder(path):
        return path
    return str(converted_folder(Path(path), rope_theta(config) / ROPE_BASE, Path(cache_dir).expanduser()))


def load_model(
    path: str, config: PreTrainedConfig, *, dtype: torch.dtype | str = "auto", gguf_file: str | None = None
) -> PreTrainedModel:
    """The whole model on this process's CPU, in train mode; ``dtype="auto"`` keeps the checkpoint's.

    ``path`` is a hub name or a folder; of ChatGLM3's own format, the ``weights_folder``.

    Raises:
        UserError: missing or incomplete weights.
    """
    if gguf_file is not None:
        dtype = torch.float32
    with _one_line(path):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path,
            config=config,
            dtype=dtype,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # refused below, by name
            output_loading_info=True,
            **_gguf(gguf_file),
        )
    model, info = loaded
    misshapen = (f"{name} (got {[*got]}, expected {[*size]})" for name, got, size in info.get("mismatched_keys", ()))
    if missing := sorted(info.get("missing_keys", ())) + sorted(misshapen):
        raise UserError(
            f"model.model: {path} lacks or misshapes {counted(len(missing), 'weight')}, the first is {missing[0]}"
        )
    return model.train()


def random_model(config: PreTrainedConfig) -> PreTrainedModel:
    """The model with random weights, the same at each call, in float32 on the CPU, in train mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).train()


def _gguf(gguf_file: str | None) -> dict[str, str]:
    return {} if gguf_file is None else {"gguf_file": gguf_file}


@contextmanager
def _one_line(path: str) -> Iterator[None]:
    """Turn what transformers raises for a wrong folder or file into one line."""
    try:
        yield
    except UserError:
        raise
    except StrictDataclassError as error:
        raise UserError(f"model.model: cannot load {path}: config.json: {_last_line(error)}") from error
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, EOFError, *UNREADABLE) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "couldn't connect to" in first:
            first = "there is no such folder here, it was not downloaded before, and the hub cannot be reached"
        if isinstance(error, pickle.UnpicklingError):
            first = "its weights are a pickle that is damaged or would run code; expected safetensors"
        if "trust_remote_code" in str(error):
            first = (
                "it needs remote code, which longalign never runs (ChatGLM2 and 3 need none from a folder: "
                "hf download NAME --local-dir DIR)"
            )
        if Path(path, "checkpoints").is_dir() or Path(path).suffix == ".ckpt":
            first = (
                f"it is of a training run: `longalign export --checkpoint {path} --target FOLDER` makes a model of it"
            )
        raise UserError(f"model.model: cannot load {path}: {first}") from error


def _last_line(error: Exception) -> str:
    """What is wrong with a config: the last line of the error, without its class. The others are about our call."""
    return re.sub(r"^\w+Error: ", "", str(error).strip().splitlines()[-1].strip())
