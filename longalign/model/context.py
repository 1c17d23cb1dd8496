"""Longer contexts by the config alone: another base of the rotary positions, or scaled rotary positions."""

import logging
from typing import Any

from transformers import PreTrainedConfig, modeling_rope_utils

from longalign.errors import UserError
from longalign.model.support import LENGTH_DEPENDENT_ROPE

KEPT = ("rope_theta", "partial_rotary_factor")
"""Keys of a config's ``rope_parameters`` that a new ``rope_scaling`` does not replace."""


def extend_rope(config: PreTrainedConfig, rope_theta: float | None, rope_scaling: dict[str, Any] | None) -> None:
    """Change the config's ``rope_parameters`` in place.

    With a larger base the rotary angles grow more slowly, so that distances longer than those of the pre-training can
    be told apart (LongAlign, arXiv 2401.18058, section 4.1: 200 times the base, then further pre-training).
    ``rope_scaling`` replaces the model's own scaling. A type that needs ``original_max_position_embeddings`` and is not
    given any takes that of the model's own scaling, or the config's ``max_position_embeddings`` as it is now: call this
    before the latter is changed.

    Raises:
        UserError: transformers does not know the scaling, or misses one of its keys.
    """
    if rope_theta is None and rope_scaling is None:
        return
    rope: dict[str, Any] = dict(getattr(config, "rope_parameters", None) or {})
    if rope_scaling is not None:
        if "rope_type" not in rope_scaling:
            raise UserError(f"model.rope_scaling: got {rope_scaling}, expected rope_type among the keys")
        if rope_scaling["rope_type"] not in (types := {"default", *modeling_rope_utils.ROPE_INIT_FUNCTIONS}):
            expected = ", ".join(sorted(types - LENGTH_DEPENDENT_ROPE))
            raise UserError(f"model.rope_scaling.rope_type: got {rope_scaling['rope_type']}, expected {expected}")
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
    """A logger that collects all warnings, whatever log levels and handlers the process has."""

    def __init__(self) -> None:
        super().__init__("complaints")
        self.texts: list[str] = []

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.texts.append(str(msg) % args if args else str(msg))

    warning_once = warning  # transformers' own says nothing the second time


def _validate(config: PreTrainedConfig) -> None:
    """Run transformers' own check, and make its warnings about wrong values errors."""
    complaints = _Complaints()
    module: Any = modeling_rope_utils
    logger, module.logger = module.logger, complaints
    try:
        config.validate_rope()
    except (KeyError, ValueError) as error:
        complaints.texts.append(str(error.args[0]))
    finally:
        module.logger = logger
    # a factor that disagrees with the lengths is no mistake: max_position_embeddings still has its old value
    if wrong := [text for text in complaints.texts if "implicit" not in text]:
        raise UserError(f"model.rope_scaling: {wrong[0]}")
