"""Rotary angles far from the start, which transformers makes by an fp32 product: TF32 could round the positions."""

import pytest
import torch
from transformers import AutoModelForCausalLM, GlmConfig, LlamaConfig

SIZE = {"hidden_size": 256, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 99}
CONFIGS = {
    "llama": LlamaConfig(**SIZE),
    "glm": GlmConfig(**SIZE, num_key_value_heads=2, head_dim=128, pad_token_id=None),
}
POSITIONS = torch.tensor([[0, 1, 2047, 2049, 32_767, 50_001, 65_534, 65_535, 131_071]])


@pytest.fixture
def precision():
    before = torch.get_float32_matmul_precision()
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision(before)


def largest_error(config, device):
    """Of the cosines and sines at POSITIONS, against float64."""
    rotary = AutoModelForCausalLM.from_config(config).base_model.rotary_emb.to(device)
    found = rotary(torch.zeros(1, device=device), POSITIONS.to(device))
    angles = POSITIONS[0, :, None].double() * rotary.inv_freq.cpu().double()
    both = torch.cat([angles, angles], dim=-1)
    truths = (both.cos(), both.sin())
    return max(float((x.cpu()[0].double() - truth).abs().max()) for x, truth in zip(found, truths, strict=True))


@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_angles_at_64k_and_128k_are_right(architecture, device, precision):
    precision("highest")
    assert largest_error(CONFIGS[architecture], device) < 131_072 * 2**-24  # fp32's own rounding of the angle
