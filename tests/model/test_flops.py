import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DeepseekV3Config, LlamaConfig

from longalign.data.plan import SequenceCost
from longalign.errors import UserError
from longalign.model.flops import model_shape, sequence_cost, train_flops
from longalign.model.hardware import peak_bf16_flops

LLAMA_2_7B = LlamaConfig()


def test_llama_2_7b_counts():
    shape = model_shape(LLAMA_2_7B)
    assert shape.total == 6_738_415_616
    assert shape.linear == 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    assert shape.attention_width == 32 * 4096 and shape.lm_head == 32000 * 4096


def test_flops_of_one_document_are_causal_and_count_the_lm_head_on_targets():
    shape, length, targets = model_shape(LLAMA_2_7B), 65536, 100
    matrices, attention = 6 * shape.linear * length, 6 * 32 * 4096 * length**2
    assert train_flops(shape, [length], targets) == pytest.approx(matrices + attention + 6 * shape.lm_head * targets)
    assert train_flops(shape, [length // 2] * 2, 0) == pytest.approx(matrices + attention / 2)


def test_a_head_whose_values_have_another_size_counts_as_the_mean_of_both():
    config = DeepseekV3Config(num_hidden_layers=2, n_routed_experts=2, num_experts_per_tok=1, n_group=1, topk_group=1)
    assert (config.qk_head_dim, config.v_head_dim, config.num_attention_heads) == (192, 128, 128)
    assert model_shape(config).attention_width == 2 * 128 * 160  # scores of 192, values of 128


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
        ("aria_text", {"moe_num_experts": 4, "moe_topk": 2}),
        ("hunyuan_v1_moe", {"num_experts": 4, "moe_topk": [2, 2], "head_dim": 8}),
    ],
)
def test_a_token_visits_some_of_the_experts(family, keys):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 97}
    config = AutoConfig.for_model(family, **sizes, intermediate_size=48, pad_token_id=0, **keys)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    stacked = sum(p.numel() for p in model.parameters() if p.ndim == 3)
    others = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear))
    assert stacked >= 2 * 4 * 3 * 32 * 48
    assert model_shape(config).linear == others - model.lm_head.weight.numel() + stacked // 2


def test_a_config_of_which_no_model_can_be_made_is_one_line():
    with pytest.raises(UserError, match=r"model.model: transformers makes no llama of this config.json \(.*Division"):
        model_shape(LlamaConfig(num_attention_heads=4, num_key_value_heads=0))


def test_cost_of_a_sequence_agrees_with_the_plans_default():
    ours, default = sequence_cost(model_shape(LLAMA_2_7B)), SequenceCost()
    assert ours.linear == pytest.approx(default.linear, rel=0.03)
    assert ours.quadratic == pytest.approx(default.quadratic, rel=0.01)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989.5e12),
        ("NVIDIA H200 NVL", 835e12),
        ("NVIDIA H100 80GB HBM3", 989.5e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("Tesla V100-SXM2-16GB", None),
        ("NVIDIA A1000", None),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
    ],
)
def test_peak_of_known_gpus_and_none_for_others(name, peak):
    assert peak_bf16_flops(name) == peak
