"""Which models can be packed: refused by name and reason before anything is loaded."""

import re
from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from longalign.errors import UserError

LENGTH_DEPENDENT_ROPE = {"dynamic", "longrope"}
"""RoPE types whose frequencies depend on the longest position of a batch: a sequence would see its neighbours."""

RANDOMNESS = re.compile("^(?!classifier).*(dropout|pdrop|jitter)")
"""Keys of randomness that no checkpoint holds: a resumed run would not be the same."""


def check_packable(config: PreTrainedConfig, *, training: bool = True) -> None:
    """Refuse a model whose packed forward could differ from each sequence alone.

    Packing needs rotary positions (so that each sequence restarts at 0), full causal attention in every layer through
    transformers' attention interface, and logits that are a plain linear function of the hidden states. In training
    there must be no dropout or other noise, which an evaluation does not see.

    Raises:
        UserError: naming the model type and what stands in the way.
    """
    _refuse(config, _other_kind(config) or _obstacle(config) or (_noise(config) if training else None))


def check_language_model(config: PreTrainedConfig) -> None:
    """The first part of `check_packable`, which no change of the config's keys can mend.

    Raises:
        UserError: it is another kind of model.
    """
    _refuse(config, _other_kind(config))


def _refuse(config: PreTrainedConfig, reason: str | None) -> None:
    if reason:
        raise UserError(
            f"model.model: {config.model_type} cannot be packed: {reason}; "
            "expected a causal model with rotary positions and full attention, such as Llama, Qwen, Mistral or GLM"
        )


def _other_kind(config: PreTrainedConfig) -> str | None:
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return "transformers has no causal language model of this type"
    if not _is_language_model(config):
        return "its language model is a part of it (text_config), beside others for images or sound"
    return None


def _obstacle(config: PreTrainedConfig) -> str | None:
    if others := [key for key in ("vision_config", "audio_config") if getattr(config, key, None) is not None]:
        return f"it has parts for images or sound ({', '.join(others)})"
    rope: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    if not rope:
        return "it has no rotary attention (no rope_parameters in its config)"
    if rope.get("rope_type") in LENGTH_DEPENDENT_ROPE:
        return f"its rope_type {rope['rope_type']!r} depends on the longest sequence of the batch"
    layers = set(getattr(config, "layer_types", None) or ())
    if other := layers - {"full_attention"}:
        return f"it has layers of type {', '.join(sorted(other))}"
    if getattr(config, "is_heterogeneous", False):
        return "its layers have unlike sizes"
    if not layers and getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        window = f"it has a sliding window of {config.sliding_window} tokens"
        return f"{window} (if it does without: --model.config_overrides '{{sliding_window: null}}')"
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        if getattr(config, key, None):
            return f"its {key} is {getattr(config, key)}"
    model: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    if not getattr(model, "_supports_attention_backend", False):
        return "its attention does not go through transformers' attention interface"
    if not getattr(model, "_supports_sdpa", False):
        return "its attention is more than a softmax of scores (transformers has none by SDPA for it)"
    return None


def _is_language_model(config: PreTrainedConfig) -> bool:
    """Whether the config itself is that of a language model, and not one or several of its parts."""
    try:
        return config.get_text_config() is config
    except ValueError:  # several parts, as MusicGen has
        return False


def _noise(config: PreTrainedConfig) -> str | None:
    noise = {key: value for key, value in vars(config).items() if value and RANDOMNESS.match(key)}
    if not noise:
        return None
    given = ", ".join(f"{key} is {value}" for key, value in noise.items())
    zeros = ", ".join(f"{key}: 0" for key in noise)
    return f"its {given} (a run has no randomness: --model.config_overrides '{{{zeros}}}' trains without)"
