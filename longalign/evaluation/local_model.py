"""Greedy answers of a local model to many prompts at a time: token ids in, token ids out.

The prompts of a batch are read as packs, with the packed attention of training: there is no padding and no mask, and
logits are computed for the last token of each prompt only. The keys and values are then copied into one cache in which
all prompts end in the same column, and the answers are generated together, a token of each at every step. A model that
does not support packs answers one prompt at a time (`model.generate`).
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding
from transformers import DynamicCache, GenerationConfig, PreTrainedConfig, PreTrainedModel

from longalign.data.collate import collate
from longalign.errors import UserError
from longalign.evaluation.batch_cache import DECODE, BatchLayer, Rows, register_decode
from longalign.model.attention import attention_name, choose_backend, register_attention
from longalign.model.generate import Generator, generation_settings
from longalign.model.hardware import beside_other_programs
from longalign.model.packed import attach_packed_loss, check_packed_forward, logits_scale
from longalign.model.support import check_packable

log = logging.getLogger(__name__)

CACHE_SHARE = 0.6
"""Share of the free GPU memory that the keys and values of a batch may take."""

READ_TOKENS = 65_536
"""Most tokens of a pack that is read in one forward; a longer prompt is a pack of its own."""

CPU_TOKENS = 4096
"""Most prompt tokens of a batch on a CPU; a longer prompt is a batch of its own. Results of a batch are written when it
is done, so small batches lose little when the process is killed."""

CPU_CACHE_BYTES = 2 * 2**30
"""Most bytes of the keys and values of a batch on a CPU; a prompt that needs more is a batch of its own."""


class LocalModel:
    """A loaded model that answers prompts in batches.

    Args:
        stop_ids: tokens that end an answer, beside those of the model's generation config.
        attention: kernel that reads the packs, as `model.attention` of a fit; "auto" also accepts a model that does not
            support packs, every other value refuses it.
        batch_size: most prompts of a batch.
    """

    def __init__(
        self, model: PreTrainedModel, stop_ids: Iterable[int], *, attention: str = "auto", batch_size: int = 32
    ) -> None:
        self.model, self._batch_size = model, batch_size
        settings = generation_settings(model.generation_config, stop_ids, max_new_tokens=1, temperature=0)
        self._stops = set(settings.eos_token_id)
        self.backend = self._prepare(attention)
        self._positions = learned_positions(model) or math.inf

    def _prepare(self, attention: str) -> str | None:
        """Set the model to packed attention and return its backend; None if it must answer one prompt at a time."""
        device, dtype = self.model.device, self.model.dtype
        own = self.model.config._attn_implementation  # to go back to: Gemma 2 and GPT-OSS cannot use sdpa
        try:
            check_packable(self.model.config, training=False)
            backend = choose_backend(attention, device, dtype)
            register_attention()
            register_decode()
            self.model.set_attn_implementation(attention_name(backend))
            check_packed_forward(attach_packed_loss(self.model), device)
            return backend
        except UserError as error:
            if attention != "auto":
                raise
            log.warning("prompts are read one at a time, not in batches: %s", str(error).removeprefix("model.model: "))
            self.model.set_attn_implementation(own)
            return None

    def batches(self, lengths: Iterable[int], max_new_tokens: int) -> Iterator[int]:
        """Batch sizes for prompts of these lengths, in their order: how many of the next prompts to answer together."""
        room, most = self._room(), math.inf if self.model.device.type == "cuda" else CPU_TOKENS
        size = longest = read = 0
        for length in lengths:
            longest, read = max(longest, length + max_new_tokens), read + length
            full = size == self._batch_size or longest * (size + 1) > room or read > most
            if size and (full or self.backend is None):
                yield size
                size, longest, read = 0, length + max_new_tokens, length
            size += 1
        if size:
            yield size

    def answer(
        self,
        prompts: list[list[int]],
        max_new_tokens: int,
        on_done: Callable[[int, list[int], bool], None],
    ) -> None:
        """Answer each prompt by greedy decoding.

        Every token is the likeliest one: penalties of the model's generation config (Qwen2.5 has one on tokens of the
        prompt) are not applied. If the GPU's memory is too small for a batch, it is answered in smaller ones.

        Args:
            prompts: the token ids of each prompt.
            max_new_tokens: most tokens of an answer.
            on_done: called as ``on_done(index, ids, ended)`` for each prompt when its batch is done. ids: the answer
                without the stop token; ended: whether a stop token ended it.

        Raises:
            UserError: the GPU's memory is too small for a single prompt, or a prompt is longer than the table of a
                model with learned positions.
        """
        longest = max(map(len, prompts), default=0)
        if longest + max_new_tokens > self._positions:
            raise UserError(
                f"a prompt of {longest} tokens with {max_new_tokens} new ones: {self.model.config.model_type} has "
                f"learned positions for only {self._positions} tokens; give shorter prompts"
            )
        first = 0
        for size in self.batches(map(len, prompts), max_new_tokens):
            self._answer(prompts[first : first + size], max_new_tokens, lambda n, *a, f=first: on_done(f + n, *a))
            first += size

    def _answer(self, prompts: list[list[int]], max_new_tokens: int, on_done: Callable[..., None]) -> None:
        try:
            answers = self._together(prompts, max_new_tokens) if self.backend else self._alone(prompts, max_new_tokens)
        except torch.OutOfMemoryError:
            answers = None  # the retry stands outside of the except block, which keeps the failed pass in memory
        if answers is not None:
            for n, (ids, ended) in enumerate(answers):
                on_done(n, ids, ended)
            return
        torch.cuda.empty_cache()
        if len(prompts) == 1:
            others = beside_other_programs(self.model.device)
            raise UserError(
                f"out of GPU memory with a prompt of {len(prompts[0])} tokens{others}; give shorter prompts"
            )
        half = len(prompts) // 2
        self._batch_size = max(1, half)
        log.info("out of GPU memory with %d prompts; %d at a time from now on", len(prompts), self._batch_size)
        self._answer(prompts[:half], max_new_tokens, on_done)
        self._answer(prompts[half:], max_new_tokens, lambda n, *a: on_done(half + n, *a))

    def _alone(self, prompts: list[list[int]], max_new_tokens: int) -> list[tuple[list[int], bool]]:
        """The same as `_together` for models that do not support packs: one prompt after the other, by `Generator`."""
        plain = GenerationConfig(pad_token_id=0)  # without the penalties that the model's own config may set
        settings = generation_settings(plain, self._stops, max_new_tokens=max_new_tokens, temperature=0)
        generator = Generator(self.model, settings)
        found = [generator.generate(prompt) for prompt in prompts]
        return [(one.ids, one.ended) for one in found]

    @torch.inference_mode()
    def _together(self, prompts: list[list[int]], max_new_tokens: int) -> list[tuple[list[int], bool]]:
        # `Rows._neighbours` makes one call for neighbours of equal length
        order = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
        answers = self._write([prompts[n] for n in order], max_new_tokens)
        return [answers[order.index(n)] for n in range(len(prompts))]

    def _write(self, prompts: list[list[int]], max_new_tokens: int) -> list[tuple[list[int], bool]]:
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        token, cache = self._read(prompts, max_new_tokens)
        longest = int(lengths.max())
        rows = Rows((longest - lengths).tolist(), longest + max_new_tokens, self.model.device)
        written = [token.tolist()]
        ended = [step in self._stops for step in written[0]]
        self.model.set_attn_implementation(DECODE)
        try:
            while not all(ended) and len(written) < max_new_tokens:
                positions = (lengths + len(written) - 1).unsqueeze(1).to(self.model.device)
                hidden = self.model.base_model(
                    input_ids=token.unsqueeze(1),
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    rows=rows,
                    columns=longest + len(written),
                ).last_hidden_state
                token = self._next(hidden[:, -1])
                written.append(token.tolist())  # the one device sync of a step
                ended = [was or step in self._stops for was, step in zip(ended, written[-1], strict=True)]
        finally:
            self.model.set_attn_implementation(attention_name(self.backend or "sdpa"))
        return [self._until_stop(row) for row in zip(*written, strict=True)]

    def _until_stop(self, row: tuple[int, ...]) -> tuple[list[int], bool]:
        end = next((n for n, token in enumerate(row) if token in self._stops), None)
        return list(row[:end]), end is not None

    def _read(self, prompts: list[list[int]], max_new_tokens: int) -> tuple[Tensor, DynamicCache]:
        """Run the prompts through the model.

        Returns the first token of each answer [B], and the cache of the prompts, with empty columns for the answers.
        """
        longest = max(map(len, prompts))
        layers: list[BatchLayer] = []
        tokens: list[Tensor] = []
        first = 0
        for some in _packs(prompts, READ_TOKENS):
            token, read = self._read_pack(some)
            size = len(prompts), longest, max_new_tokens
            for n, part in enumerate(read.layers):  # `fill` frees each layer of the pack before the next one is copied
                if first == 0:
                    layers.append(BatchLayer(part.keys, part.values, *size))
                layers[n].fill(first, part, [len(prompt) for prompt in some])
            tokens.append(token)
            first += len(some)
        cache = DynamicCache()
        cache.layers = list(layers)
        return torch.cat(tokens), cache

    def _read_pack(self, prompts: list[list[int]]) -> tuple[Tensor, Any]:
        pack = collate([(prompt, prompt) for prompt in prompts]).to(self.model.device)
        read = DynamicCache()
        output = self.model.base_model(
            input_ids=pack.input_ids,
            position_ids=pack.position_ids,
            past_key_values=read,
            use_cache=True,
            cu_seq_lens_q=pack.cu_seqlens,
            cu_seq_lens_k=pack.cu_seqlens,
            max_length_q=pack.max_seqlen,
            max_length_k=pack.max_seqlen,
        )
        return self._next(output.last_hidden_state[0, pack.cu_seqlens[1:].long() - 1]), read

    def _next(self, hidden: Tensor) -> Tensor:
        """The likeliest next token of each row [B], from its last hidden state [B, D]."""
        return self.model.get_output_embeddings()(hidden * logits_scale(self.model)).argmax(-1)

    def _room(self) -> int:
        """How many tokens the cache of a batch may hold."""
        device, free = self.model.device, CPU_CACHE_BYTES
        if device.type == "cuda":
            kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch holds it, unused
            free = int(CACHE_SHARE * (torch.cuda.mem_get_info(device)[0] + kept))
        return free // bytes_of_a_token(self.model.config, self.model.dtype.itemsize)


def learned_positions(model: PreTrainedModel) -> int | None:
    """The size of a model's table of learned position embeddings (GPT-2, OPT); None for a model without one."""
    names = (name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, Embedding))
    table = any(name == "wpe" or "position" in name for name in names)
    return model.config.get_text_config().max_position_embeddings if table else None


def bytes_of_a_token(config: PreTrainedConfig, itemsize: int) -> int:
    """Bytes that the keys and values of one token take in all layers, with numbers of `itemsize` bytes."""
    text: Any = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * heads * width * itemsize


def _packs(prompts: list[list[int]], tokens: int) -> Iterator[list[list[int]]]:
    """Split prompts, in their order, into packs of at most `tokens` tokens; a longer prompt is a pack of its own."""
    pack: list[list[int]] = []
    for prompt in prompts:
        if pack and sum(map(len, pack)) + len(prompt) > tokens:
            yield pack
            pack = []
        pack.append(prompt)
    yield pack
