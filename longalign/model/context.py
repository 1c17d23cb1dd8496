"""Longer contexts: another base of the rotary positions, or scaled ones. Nothing is trained here."""

import logging
from typing import Any

from transformers import PreTrainedConfig, modeling_rope_utils

from longalign.errors import UserError

KEPT = ("rope_theta", "partial_rotary_factor")
"""What a new ``rope_scaling`` leaves as it is in a config's ``rope_parameters``."""


def extend_rope(config: PreTrainedConfig, rope_theta: float | None, rope_scaling: dict[str, Any] | None) -> None:
    """Change the config's ``rope_parameters`` in place.

    A larger base turns the slow dimensions of the rotary embedding more slowly, so that distances beyond those of the
    pre-training stay apart (LongAlign, arXiv 2401.18058, section 4.1: 200 times the base, then further pre-training).
    ``rope_scaling`` replaces any scaling of the model's own; where it needs ``original_max_position_embeddings`` and
    has none, that is the config's ``max_position_embeddings`` as it is now, before it is raised.

    Raises:
        UserError: transformers does not know the scaling, or misses one of its keys.
    """
    if rope_theta is None and rope_scaling is None:
        return
    rope: dict[str, Any] = dict(getattr(config, "rope_parameters", None) or {})
    if rope_scaling is not None:
        if "rope_type" not in rope_scaling:
            raise UserError(f"model.rope_scaling: got {rope_scaling}, expected rope_type among the keys")
        original = rope.get("original_max_position_embeddings", config.max_position_embeddings)
        rope = {key: rope[key] for key in KEPT if key in rope} | rope_scaling
        if rope["rope_type"] in ("yarn", "llama3"):
            rope.setdefault("original_max_position_embeddings", original)
    if rope_theta is not None:
        rope["rope_theta"] = float(rope_theta)
    config.rope_parameters = rope
    if rope_scaling is not None:
        _validate(config)


class _Complaints(logging.Logger):
    """Keeps every warning, whatever log levels, handlers and earlier warnings the process has."""

    def __init__(self) -> None:
        super().__init__("complaints")
        self.texts: list[str] = []

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.texts.append(str(msg) % args if args else str(msg))

    warning_once = warning  # transformers' own is silent the second time


def _validate(config: PreTrainedConfig) -> None:
    """transformers' own check, whose warnings of wrong values are errors here."""
    complaints = _Complaints()
    module: Any = modeling_rope_utils
    logger, module.logger = module.logger, complaints
    try:
        config.validate_rope()
    except (KeyError, ValueError) as error:
        complaints.texts.append(str(error.args[0]))
    finally:
        module.logger = logger
    # that factor and lengths disagree is no mistake while max_position_embeddings has its old value
    if wrong := [text for text in complaints.texts if "implicit" not in text]:
        raise UserError(f"model.rope_scaling: {wrong[0]}")
