"""How much GPU memory a training step takes, by component, from the config alone.

In: the model's config, ranks, tokens of the longest pack, bytes of optimizer state, and the way that activations are
kept. Out: `MemoryEstimate`. `memory_choice.py` finds the fastest way that fits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig

from longalign.errors import UserError
from longalign.model.checkpointing import Checkpointing
from longalign.model.flops import ModelShape
from longalign.model.loss import LOGITS_BYTES

GIB = 2**30
EIGHT_BIT_STATE = 2 * (1 + 4 / 256)  # bytes a parameter: two states of a byte, and an fp32 scale for each 256


@dataclass(frozen=True)
class LayerSizes:
    """The sizes of a model that decide its memory: numbers a token of one decoder layer, and counts of parameters.

    query: heads × head size. key_value: key-value heads × head size. parameters: of one layer.
    """

    hidden: int
    intermediate: int
    query: int
    key_value: int
    heads: int
    parameters: int
    layers: int
    root_parameters: int  # embeddings, lm_head and the last norm
    lm_head_parameters: int

    @property
    def total_parameters(self) -> int:
        return self.layers * self.parameters + self.root_parameters

    def all_activations(self, bytes_a_number: int, fused: bool) -> int:
        """Bytes for each token that a layer keeps for its backward without checkpointing.

        These are the inputs of both norms, of the projections and of the MLP, q, k, v, the attention output, gate, up
        and their product. Without fused kernels, norms keep two fp32 copies each, and the MLP SiLU's output.
        """
        numbers = 4 * self.hidden + 2 * self.query + 2 * self.key_value + 3 * self.intermediate
        extra = 0 if fused else 2 * 2 * 4 * self.hidden + self.intermediate * bytes_a_number
        return numbers * bytes_a_number + 4 * self.heads + extra

    def kept(self, mode: Checkpointing, bytes_a_number: int, fused: bool, offload: bool) -> int:
        """Bytes for each token that a layer keeps on the GPU under a checkpointing mode."""
        if mode == "none":
            return self.all_activations(bytes_a_number, fused)
        there = 0 if offload else self.movable(mode, bytes_a_number)
        if mode == "matmuls":  # values, outputs of the attention block, gate and up
            there += (self.key_value + self.hidden + 2 * self.intermediate) * bytes_a_number
        return there

    def movable(self, mode: Checkpointing, bytes_a_number: int) -> int:
        """Bytes for each token of a checkpointed layer that can wait on the host: input, attention output and lse."""
        attention = 0 if mode == "full" else self.query * bytes_a_number + 4 * self.heads
        return self.hidden * bytes_a_number + attention


COMPONENTS = {"optimizer": "optimizer states", "gathered": "gathered weights", "working": "buffers of the kernels"}


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one GPU at the fullest moment of a step, by component."""

    weights: int
    optimizer: int
    gradients: int
    gathered: int
    activations: int
    working: int

    @property
    def peak(self) -> int:
        return self.weights + self.optimizer + self.gradients + self.gathered + self.activations + self.working

    def first_over(self, budget: float) -> str | None:
        """The component, in words, at which the sum of all up to it exceeds ``budget`` bytes; None if all fit."""
        total = 0
        for name, value in vars(self).items():
            total += value
            if total > budget:
                return COMPONENTS.get(name, name)
        return None

    def gib(self) -> dict[str, float]:
        """Components and peak in GiB."""
        return {key: value / GIB for key, value in {**vars(self), "peak": self.peak}.items()}


@dataclass(frozen=True)
class StepMemory:
    """What the memory of a step depends on. ``tokens``: of the longest pack. ``micro_steps``: of a rank in a step."""

    sizes: LayerSizes
    tokens: int
    ranks: int = 1
    micro_steps: int = 1
    state_bytes: float = 8.0  # optimizer states, for each parameter: AdamW in fp32
    update_bytes: float = 0.0  # for each parameter while the optimizer steps: 4 for AdamW without its fused kernel
    compute_bytes: int = 2  # of a number in the compute dtype
    fused: bool = True
    checkpointing: Checkpointing = "attention"
    kept_layers: int = 0
    offload: bool = False  # inputs and kept attention outputs of checkpointed layers wait in the host's memory
    resharded: bool = True  # a layer's gathered weights are freed between its forward and its backward
    gathered_once: bool = False  # a step gathers weights and reduces gradients once, not in each micro-step
    states_offloaded: bool = False  # each layer's optimizer states wait there, too, from its forward to its backward
    fill: float = 1.0  # tokens of the mean pack, as a share of the longest one's

    def __str__(self) -> str:
        """The line of the log that says how the activations are kept."""
        what = "inputs" if self.checkpointing == "full" else "inputs and attention outputs"
        kept = max(self.kept_layers, self.layers_kept_whole)
        return (
            f"checkpointing: {self.checkpointing}, {kept} of {self.sizes.layers} layers "
            f"{'with matrix products kept' if self.checkpointing == 'matmuls' else 'kept whole'}"
            f"{f', {what} offloaded' if self.offload else ''}"
            f"{', optimizer states offloaded' if self.states_offloaded else ''}"
            f"{', weights gathered once a step' if self.gathered_once else ''}; "
            f"expecting a peak of {self.estimate().peak / GIB:.1f} GiB"
        )

    @property
    def offloaded(self) -> int:
        """Bytes of one GPU's activations and optimizer states that wait in the host's memory."""
        layers = self.sizes.layers
        return self.copied_activations * (layers - self.layers_kept_whole) + int(self.copied_states * layers)

    @property
    def copied_activations(self) -> int:
        """Bytes of a layer's activations that go to the host in a forward, and come back."""
        return self.tokens * self.sizes.movable(self.checkpointing, self.compute_bytes) if self.offload else 0

    @property
    def copied_states(self) -> float:
        """Bytes of a layer's optimizer states that go to the host in a step, and come back."""
        return self.state_bytes * self.sizes.parameters / self.ranks if self.states_offloaded else 0.0

    @property
    def layers_kept_whole(self) -> int:
        """Layers that keep all activations."""
        return {"none": self.sizes.layers, "matmuls": 0}.get(self.checkpointing, self.kept_layers)

    @property
    def computed_again(self) -> float:
        """Share (0-1) of the layers' matrix products that the backward computes again."""
        if self.checkpointing == "none":
            return 0.0
        sizes = self.sizes
        queries_and_keys = sizes.hidden * (sizes.query + sizes.key_value) / sizes.parameters
        in_kept = queries_and_keys if self.checkpointing == "matmuls" else 0.0
        return 1 - (1 - in_kept) * self.kept_layers / sizes.layers

    def estimate(self) -> MemoryEstimate:
        """The fullest moment of a step: the backward of the loss, of a layer or of the embeddings, or the update.

        fp32 master weights, gradients and optimizer states are sharded over the ranks; activations are not.
        """
        sizes, n = self.sizes, self.sizes.layers
        shard = 4 * sizes.parameters // self.ranks
        root = 4 * sizes.root_parameters // self.ranks
        weights = n * shard + root
        moments = [
            MemoryEstimate(weights, **moment) for moment in (self._at_loss(), *self._at_layers(), self._at_embeddings())
        ]
        copy = int(self.update_bytes * sizes.total_parameters / self.ranks)
        moments.append(MemoryEstimate(weights, self._states(n) + copy, weights, 0, 0, 0))
        return max(moments, key=lambda moment: moment.peak)

    def _at_layers(self) -> Iterator[dict[str, int]]:
        """The moment of each layer's backward: all activations of this layer exist, and what earlier layers keep."""
        sizes, n = self.sizes, self.sizes.layers
        everything = self.tokens * sizes.all_activations(self.compute_bytes, self.fused)
        kept = self._kept()
        copied = self.ranks > 1 or self.gathered_once  # else one rank's gradients need no second place
        reduced = 4 * sizes.parameters if copied else 0
        for layer in range(n):
            done = 0 if self.micro_steps > 1 else n - layer
            lm_head = self.compute_bytes * sizes.lm_head_parameters  # not yet reduced
            yield {
                "optimizer": self._states(n - layer),  # of this layer they are not yet gone, or there already
                "gradients": self._earlier_gradients() + done * 4 * sizes.parameters // self.ranks + lm_head,
                "gathered": self._gathered(),
                "activations": sum(kept[:layer]) + everything + self._beside_layers(),
                "working": self.tokens * sizes.intermediate * self.compute_bytes + reduced,
            }

    def _at_loss(self) -> dict[str, int]:
        """The backward of the loss: the lm_head's fp32 gradient, a chunk's part of it, its logits in both dtypes."""
        sizes = self.sizes
        logits = min(LOGITS_BYTES, 4 * self.tokens * sizes.lm_head_parameters // sizes.hidden)
        return {
            "optimizer": self._states(1),  # the last layer's are not yet gone
            "gradients": self._earlier_gradients() + 4 * sizes.lm_head_parameters,
            "gathered": self._gathered(),
            "activations": sum(self._kept()) + self._beside_layers(),
            "working": self.compute_bytes * sizes.lm_head_parameters + logits * (4 + self.compute_bytes) // 4,
        }

    def _at_embeddings(self) -> dict[str, int]:
        """The end of the backward: the root's gradients are reduced, for which they exist twice."""
        sizes = self.sizes
        layers = 4 * sizes.layers * sizes.parameters // self.ranks
        more = max(self.compute_bytes, 4 // self.ranks) * sizes.root_parameters
        gradients = layers + 4 * sizes.root_parameters + more
        nothing = {"gathered": 0, "activations": 0, "working": 0}
        return {"optimizer": self._states(sizes.layers), "gradients": gradients, **nothing}

    def _earlier_gradients(self) -> int:
        """Bytes of the gradients of earlier micro-steps: a rank's shards, or whole if they are reduced at the end."""
        if self.micro_steps == 1:
            return 0
        return 4 * self.sizes.total_parameters // (1 if self.gathered_once else self.ranks)

    def _states(self, layers: int) -> int:
        """Bytes of optimizer states on the GPU: the root's, and those of some layers if the others' are offloaded."""
        there = layers if self.states_offloaded else self.sizes.layers
        parameters = self.sizes.root_parameters + there * self.sizes.parameters
        return int(self.state_bytes * parameters / self.ranks)

    def _kept(self) -> list[int]:
        """Bytes that each layer keeps between its forward and its backward."""
        sizes = self.sizes
        matmuls = self.checkpointing == "matmuls"
        modes: tuple[Checkpointing, Checkpointing] = (
            ("attention", "matmuls") if matmuls else (self.checkpointing, "none")
        )
        some, more = (self.tokens * sizes.kept(m, self.compute_bytes, self.fused, self.offload) for m in modes)
        return [some] * (sizes.layers - self.kept_layers) + [more] * self.kept_layers

    def _gathered(self) -> int:
        layers = 2 if self.resharded and not self.gathered_once else self.sizes.layers
        return self.compute_bytes * (layers * self.sizes.parameters + self.sizes.root_parameters)

    def _beside_layers(self) -> int:
        """Bytes of the embeddings' output; with offloading, also of one layer's tensors on their way and its input."""
        moving = self.sizes.movable(self.checkpointing, self.compute_bytes) if self.offload else 0
        return self.tokens * (self.sizes.hidden * self.compute_bytes * (2 if self.offload else 1) + moving)


def layer_sizes(config: PreTrainedConfig, shape: ModelShape) -> LayerSizes:
    """The sizes of a model's layers, from its config and its count of parameters.

    Raises:
        UserError: the config does not say how wide its feed-forward layers are.
    """
    text: Any = config.get_text_config()
    heads, layers = text.num_attention_heads, text.num_hidden_layers
    query = shape.attention_width // layers
    key_value_heads = getattr(text, "num_key_value_heads", None) or heads
    embeddings = text.vocab_size * text.hidden_size
    tied = getattr(text, "tie_word_embeddings", False)
    root = embeddings * (1 if tied else 2) + text.hidden_size
    return LayerSizes(
        hidden=text.hidden_size,
        intermediate=_intermediate_size(text),
        query=query,
        key_value=query // heads * key_value_heads,
        heads=heads,
        parameters=(shape.total - root) // layers,
        layers=layers,
        root_parameters=root,
        lm_head_parameters=embeddings,
    )


def _intermediate_size(config: Any) -> int:
    if (size := getattr(config, "intermediate_size", None)) is not None:
        return size
    try:  # a model of experts alone (Solar-Open), of which a token visits some
        return config.moe_intermediate_size * config.num_experts_per_tok
    except AttributeError as error:
        raise UserError(
            f"model.model: {config.model_type} is not supported: its config has no intermediate_size, of which the "
            "memory of a step is calculated"
        ) from error


def optimizer_state_bytes(optimizer: Any) -> float:
    """Bytes of optimizer states for each parameter, tried on a few numbers; of 8- and 4-bit ones known by the name.

    optimizer: makes one from a list of parameters.
    """
    probe = nn.Parameter(torch.zeros(4096))
    made = optimizer([probe])
    name = type(made).__name__.lower()
    for word, size in (("8bit", EIGHT_BIT_STATE), ("fp8", EIGHT_BIT_STATE), ("4bit", 1 + 8 / 128)):
        if word in name:
            return size
    probe.grad = torch.zeros_like(probe)
    made.step(lambda: probe.detach().sum())  # LBFGS asks for the loss
    states = (value for state in made.state.values() for value in state.values())
    return sum(value.nbytes for value in states if isinstance(value, torch.Tensor) and value.ndim) / probe.numel()


def optimizer_update_bytes(optimizer: Any) -> float:
    """Bytes for each parameter that a step takes and frees again: torch's AdamW copies a state unless it is fused."""
    made = optimizer([nn.Parameter(torch.zeros(1))])
    plain = isinstance(made, torch.optim.Adam) and not made.defaults.get("fused")  # AdamW is an Adam
    return 4.0 if plain and made.defaults.get("foreach") is not False else 0.0
