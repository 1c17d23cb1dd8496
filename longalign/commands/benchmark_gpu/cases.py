"""What is measured: models at their full size, and the cases, each of which is one fit."""

from dataclasses import dataclass
from pathlib import Path

from transformers import GlmConfig, LlamaConfig, PreTrainedConfig

from longalign.data.plan import ONE_SEQUENCE_A_PACK, STRATEGIES

WARM_UP = 2  # steps that are not measured, because kernels are compiled in them


def llama(width: int, mlp_width: int, layers: int, heads: int = 32, key_value_heads: int | None = None) -> LlamaConfig:
    """A Llama with the vocabulary of Llama-2; without ``key_value_heads`` as many as ``heads``."""
    return LlamaConfig(
        hidden_size=width,
        intermediate_size=mlp_width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value_heads or heads,
        vocab_size=32000,
    )


MODELS: dict[str, PreTrainedConfig] = {
    "tinyllama_1b": llama(2048, 5632, 22, key_value_heads=4),
    "llama2_7b": llama(4096, 11008, 32),
    "llama2_13b": llama(5120, 13824, 40, heads=40),
    "chatglm3_6b": GlmConfig(
        hidden_size=4096,
        intermediate_size=13696,
        num_hidden_layers=28,
        num_attention_heads=32,
        num_key_value_heads=2,
        head_dim=128,
        vocab_size=65024,
        attention_bias=True,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 2e6, "partial_rotary_factor": 0.5},
        eos_token_id=2,
        pad_token_id=None,
    ),
}
ADAMW = ("--model.optimizer.fused=true",)
ADAMW_8BIT = ("--model.optimizer=longalign.training.adamw_8bit.AdamW8bit", "--model.optimizer.lr=2e-5")
LONGALIGN_SEQUENCES = 11  # in a pack of 64k


@dataclass(frozen=True)
class Case:
    """One fit to measure.

    data: lengths of the conversations: document (one fills a pack), mix (five fill a pack, of about 1/2, 1/4, 1/8 ...
    of its length), or longalign (those of LongAlign's training mix, for comparing batching strategies).
    gpus: 0 for all of this machine, which then must be at least 2.
    max_length: tokens of a pack; 0 for the longest document that fits by the memory model.
    steps: None for those of --steps.
    """

    model: str
    data: str
    gpus: int = 1
    optimizer: tuple[str, ...] = ADAMW_8BIT
    options: tuple[str, ...] = ()
    max_length: int = 65536
    steps: int | None = None
    strategy: str = "packing"

    @property
    def packs_per_step(self) -> int:
        """More for ``naive`` and ``sorted``, whose packs have one sequence, so that all steps have about as many."""
        return self.gpus * (LONGALIGN_SEQUENCES if self.strategy in ONE_SEQUENCE_A_PACK else 1)

    @property
    def steps_differ(self) -> bool:
        """Whether one step has other lengths than the next."""
        return self.data == "longalign"


CASES = {
    "1b-document": Case("tinyllama_1b", "document"),  # by the memory model it fits a consumer card of 24 GB
    "7b-document": Case("llama2_7b", "document"),
    "7b-mix": Case("llama2_7b", "mix"),
    "7b-document-fp32": Case("llama2_7b", "document", optimizer=ADAMW),
    "6b-document": Case("chatglm3_6b", "document"),
    "6b-mix": Case("chatglm3_6b", "mix"),
    "7b-document-2": Case("llama2_7b", "document", 2, ADAMW, ("--model.gpu_memory_gib=86",)),
    "13b-document-2": Case("llama2_13b", "document", 2),
    **{
        f"7b-longalign-{strategy}": Case("llama2_7b", "longalign", 0, ADAMW, strategy=strategy)
        for strategy in STRATEGIES
    },
    "6b-longalign-packing": Case("chatglm3_6b", "longalign", 0, ADAMW),
    "13b-longalign-balanced": Case("llama2_13b", "longalign", 0, ADAMW, strategy="balanced"),
    "longest": Case("llama2_7b", "document", max_length=0, steps=3),
}
PEER, LOSSES = "7b-document-trl", "losses-trl"  # cases that also need TRL


@dataclass(frozen=True)
class Settings:
    """What holds for all cases of a call: the folder of all files, steps of each fit, and more options of each fit."""

    out: Path
    steps: int
    options: tuple[str, ...] = ()


def steps_measured(steps: int) -> int:
    """How many of the last steps of a fit are measured: 10, or as many as it has after the warm-up, but at least 1."""
    return min(10, max(1, steps - WARM_UP))
