"""What is replaced by fused kernels is what computes the same, and the replacement computes it."""

import sys
from types import ModuleType

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Glm4MoeConfig,
    GlmConfig,
    LlamaConfig,
    Phi3Config,
    Qwen3Config,
)
from transformers.models.glm4_moe.modeling_glm4_moe import Glm4MoeAttention, apply_rotary_pos_emb

from longalign.data.collate import collate
from longalign.errors import UserError
from longalign.model.fused import _fuse_rotary, choose_fused, liger_missing
from longalign.model.fusible import kind_of
from longalign.model.sharding import prepare_model

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 97,
    "pad_token_id": None,
}
FULL = {"norm", "split_mlp", "rotary"}
KINDS = [
    (LlamaConfig, FULL),
    (Qwen3Config, FULL),
    (GlmConfig, {"norm", "joint_mlp", "other_rotary"}),  # its neighbours rotate, not its halves
    (Phi3Config, {"norm", "joint_mlp"}),
    (Gemma2Config, {"rotary"}),  # norms with an offset, GELU
]


@pytest.mark.parametrize(("config", "kinds"), KINDS, ids=lambda x: getattr(x, "model_type", ""))
def test_layers_are_known_by_what_they_compute(config, kinds):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config(**SMALL))
    assert {kind_of(module) for module in model.modules()} - {None} == kinds


def test_an_activation_that_is_not_silu_is_left_alone():
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(LlamaConfig(**SMALL, hidden_act="gelu"))
    assert "split_mlp" not in {kind_of(module) for module in model.modules()}


def test_without_a_gpu_nothing_is_fused():
    assert not choose_fused("auto", torch.device("cpu"))
    with pytest.raises(UserError, match=r"model\.fused=liger needs a CUDA GPU"):
        choose_fused("liger", torch.device("cpu"))


def test_heads_of_which_a_part_rotates_keep_their_own_rotary(monkeypatch):
    class Liger:
        apply = staticmethod(lambda q, k, cos, sin: "liger")

    rope = ModuleType("liger_kernel.ops.rope")
    rope.LigerRopeFunction = Liger
    monkeypatch.setitem(sys.modules, "liger_kernel", ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.ops", ModuleType("liger_kernel.ops"))
    monkeypatch.setitem(sys.modules, "liger_kernel.ops.rope", rope)
    with torch.device("meta"):
        module = Glm4MoeAttention(Glm4MoeConfig(**SMALL), 0)
    assert kind_of(module) == "rotary"
    _fuse_rotary(module)
    fused = module.forward.__func__.__globals__["apply_rotary_pos_emb"]
    q, k = torch.randn(2, 1, 4, 3, 16)
    assert fused(q, k, torch.ones(1, 3, 16), torch.ones(1, 3, 16)) == "liger"
    half = torch.randn(1, 3, 4).repeat(1, 1, 2)
    for ours, plain in zip(
        fused(q, k, half.cos(), half.sin()), apply_rotary_pos_emb(q, k, half.cos(), half.sin()), strict=True
    ):
        torch.testing.assert_close(ours, plain, atol=0, rtol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("config", [LlamaConfig, Qwen3Config, GlmConfig])
def test_fused_layers_equal_plain_ones_to_bf16(config):
    device = torch.device("cuda")
    if reason := liger_missing(device):
        pytest.skip(reason)
    rows = [(list(range(1, n)), list(range(1, n))) for n in (65, 18, 2)]
    pack = collate(rows).to(device)

    def run(dtype, fused):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config(**SMALL), dtype=torch.float32).to(device, dtype)
        prepare_model(model, "sdpa", "attention", fused=fused).train()
        loss, _ = model.packed_loss(pack)
        loss.backward()
        return [loss.detach().double(), *(p.grad.double() for p in model.parameters())]

    truth, plain, fused = run(torch.float64, False), run(torch.bfloat16, False), run(torch.bfloat16, True)
    for exact, one, other in zip(truth, plain, fused, strict=True):
        scale = exact.norm().clamp(min=1e-6)
        assert (other - exact).norm() / scale <= 1.5 * (one - exact).norm() / scale + 5e-3
