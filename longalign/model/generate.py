"""A prompt's ids in, the model's next tokens out, one at a time; a beginning that prompts share is read once.

The keys and values of the last prompt and its answer stay in memory, and the next prompt is read from the first token
that differs: of a longer conversation the last turn, of another question about the same document the question alone.
Logits are computed for new tokens only.
"""

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, PreTrainedModel
from transformers.generation.streamers import BaseStreamer
from transformers.utils import GENERATION_CONFIG_NAME

from longalign.errors import UserError
from longalign.model.hardware import beside_other_programs
from longalign.model.support import LENGTH_DEPENDENT_ROPE

READ_CHUNK = 1024
"""Tokens of a prompt that a CPU reads at once, so that it can show how far it is."""

SMALL_MEMORY_CHUNK = 4096
"""Tokens that a GPU reads at once where all do not fit in its memory. SDPA has its fast kernel only for all at once."""

_ATTENTION = {"full_attention", "sliding_attention"}


@dataclass(frozen=True)
class Generation:
    """The answer to a prompt: ``ids`` without the stop token, and whether one ``ended`` it. Counts are of tokens."""

    ids: list[int]
    ended: bool
    tokens_read: int
    tokens_kept: int  # of the prompt: in the cache from earlier calls
    read_s: float  # seconds up to the first token
    write_s: float  # seconds from then on


class Generator:
    """A model with its cache. ``generate`` may be called with any prompts; those that share a beginning are cheaper."""

    def __init__(self, model: PreTrainedModel, settings: GenerationConfig) -> None:
        self._model = model
        model.generation_config = settings  # given to generate() instead, its None would be filled from the model's
        self._stops = set(settings.eos_token_id)
        self._rewinds = _rewinds(model)
        self.forget()

    def forget(self) -> None:
        """Free the cache."""
        self._ids: list[int] = []  # the tokens whose keys and values it holds
        # made without the config, so that every layer keeps every token: a sliding window could not be moved back
        self._cache: Any = DynamicCache()

    @torch.inference_mode()
    def generate(
        self,
        prompt: list[int],
        on_token: Callable[[int], None] = lambda _: None,
        on_read: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Generation:
        """Continue ``prompt`` up to a stop token or ``max_new_tokens``.

        ``on_token`` is called with each new token, ``on_read`` with the number of tokens of the prompt that are read so
        far, and that are to be read. An exception in them, or Ctrl-C, leaves a cache that can be used on.

        Raises:
            UserError: the GPU's memory is too small.
        """
        kept = self._rewind(prompt)
        started = time.monotonic()
        streamer = _Streamer(on_token, self._stops)
        try:
            output = self._run(prompt, kept, streamer, on_read)
        except torch.OutOfMemoryError as error:
            self.forget()
            others = beside_other_programs(self._model.device)
            raise UserError(
                f"out of GPU memory with a prompt of {len(prompt)} tokens{others}; "
                "give a shorter --file, or --device cpu"
            ) from error
        finally:
            self._settle([*prompt, *streamer.seen[:-1]] if streamer.seen else self._ids)
        now = time.monotonic()
        first = streamer.first_at or now
        ids = output[0, len(prompt) :].tolist()
        ended = bool(ids) and ids[-1] in self._stops
        read = len(prompt) - kept
        return Generation(ids[:-1] if ended else ids, ended, read, kept, first - started, now - first)

    def _run(self, prompt: list[int], kept: int, streamer: "_Streamer", on_read: Callable[[int, int], None]) -> Tensor:
        ids = torch.tensor([prompt], device=self._model.device)
        memory: dict[str, Any] = {}
        on_read(0, len(prompt) - kept)
        if self._rewinds:
            self._read(ids, kept, on_read)
            memory["past_key_values"] = self._cache
        generate: Any = self._model.generate
        return generate(ids, attention_mask=torch.ones_like(ids), streamer=streamer, **memory)

    def _read(self, ids: Tensor, kept: int, on_read: Callable[[int, int], None]) -> None:
        """Fill the cache with all of ``ids`` but the last."""
        end = ids.shape[1] - 1
        size = READ_CHUNK if ids.device.type == "cpu" else max(end - kept, 1)
        try:
            self._read_chunks(ids[:, :end], kept, size, on_read)
            return
        except torch.OutOfMemoryError:
            if size <= SMALL_MEMORY_CHUNK:
                raise
        self._crop(kept)  # out of the except block, which keeps the failed pass in memory
        torch.cuda.empty_cache()
        self._read_chunks(ids[:, :end], kept, SMALL_MEMORY_CHUNK, on_read)

    def _read_chunks(self, ids: Tensor, kept: int, size: int, on_read: Callable[[int, int], None]) -> None:
        for start in range(kept, ids.shape[1], size):
            chunk = ids[:, start : start + size]
            self._model.base_model(input_ids=chunk, past_key_values=self._cache, use_cache=True)
            self._ids += chunk[0].tolist()
            on_read(start + chunk.shape[1] - kept, ids.shape[1] - kept)

    def _rewind(self, prompt: list[int]) -> int:
        """Cut the cache to the beginning that it shares with ``prompt``; the length of that.

        The last token of the prompt is always read again, because its logits are needed.
        """
        common = 0
        for known, asked in zip(self._ids, prompt[:-1], strict=False):
            if known != asked:
                break
            common += 1
        self._crop(common)
        return common

    def _settle(self, ids: list[int]) -> None:
        """Cut every layer of the cache to ``ids``, which all have read; an interrupted pass leaves more in some."""
        self._ids = ids
        self._crop(len(ids) if self._rewinds else 0)
        layers = (layer for layer in self._cache.layers if layer.is_initialized)
        if any(layer.keys.shape[-2] != layer.values.shape[-2] for layer in layers):  # Ctrl-C came between the two
            self.forget()

    def _crop(self, length: int) -> None:
        if length == 0:
            return self.forget()
        for layer in self._cache.layers:
            layer.crop(length - layer.get_seq_length())
        self._ids = self._ids[:length]


def load_generation_config(path: str | Path) -> GenerationConfig | None:
    """The checkpoint's generation settings, None where it has none."""
    try:
        return GenerationConfig.from_pretrained(path)
    except (OSError, ValueError):
        return None


def save_generation_config(settings: GenerationConfig, folder: str | Path) -> None:
    """Write a checkpoint's generation settings as they are.

    transformers' own ``save_pretrained`` refuses combinations that published models have, such as Llama-2's.
    """
    settings.to_json_file(Path(folder) / GENERATION_CONFIG_NAME)


def ends_of_answers(settings: GenerationConfig, stop_ids: Iterable[int]) -> list[int]:
    """The tokens that end an answer: ``stop_ids`` and the config's own stop tokens, ascending."""
    own = settings.eos_token_id
    return sorted({*stop_ids, *([] if own is None else [own] if isinstance(own, int) else own)})


def generation_settings(
    defaults: GenerationConfig,
    stop_ids: Iterable[int],
    *,
    max_new_tokens: int,
    temperature: float | None = None,
    top_p: float | None = None,
) -> GenerationConfig:
    """A model's generation config with what was asked for: ``temperature`` 0 is greedy, None leaves it as it is.

    Answers end at ``stop_ids`` and at the config's own stop tokens.
    """
    settings = copy.deepcopy(defaults)
    settings.eos_token_id = stops = ends_of_answers(settings, stop_ids)
    settings.pad_token_id = min(stops) if settings.pad_token_id is None else settings.pad_token_id
    settings.max_new_tokens, settings.max_length = max_new_tokens, None
    settings.num_beams, settings.use_cache, settings.cache_implementation = 1, True, None
    if temperature == 0:
        settings.do_sample, settings.temperature, settings.top_p, settings.top_k = False, None, None, None
    elif temperature is not None or top_p is not None:
        settings.do_sample = True
        settings.temperature = settings.temperature if temperature is None else temperature
        settings.top_p = settings.top_p if top_p is None else top_p
    return settings


def _rewinds(model: PreTrainedModel) -> bool:
    """Whether the cache can be cut back to any length, and filled in parts.

    That is where all layers are attention, none has a running state, and keys do not depend on how long the text is.
    """
    config: Any = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    types = {rope.get("rope_type"), *(part.get("rope_type") for part in rope.values() if isinstance(part, dict))}
    layer_types = set(getattr(config, "layer_types", None) or ())
    return not model._is_stateful and layer_types <= _ATTENTION and not types & LENGTH_DEPENDENT_ROPE


class _Streamer(BaseStreamer):
    """Passes new tokens on. transformers also gives it the prompt, in the first call, and the stop token."""

    def __init__(self, on_token: Callable[[int], None], stops: set[int]) -> None:
        self._on_token = on_token
        self._stops = stops
        self._prompt_is_past = False
        self.seen: list[int] = []
        self.first_at: float | None = None

    def put(self, value: Tensor) -> None:
        if not self._prompt_is_past:
            self._prompt_is_past = True
            return
        self.first_at = self.first_at or time.monotonic()
        for token in value.flatten().tolist():
            self.seen.append(token)
            if token not in self._stops:
                self._on_token(token)

    def end(self) -> None:
        pass
