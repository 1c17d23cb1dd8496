"""Each supported family: a pack's logits and gradients are those of each sequence alone."""

import json
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from longalign.data.collate import collate
from longalign.errors import UserError
from longalign.model.attention import BACKENDS
from longalign.model.loading import load_config
from longalign.model.packed import check_packed_forward
from longalign.model.sharding import prepare_model
from longalign.model.support import check_packable
from tests.largest_tensor import LargestTensor

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 97}
GROUPED = {**SMALL, "num_key_value_heads": 2}
FAMILIES = {
    "smollm2": {
        **SMALL,
        "num_attention_heads": 3,
        "hidden_size": 24,
        "num_key_value_heads": 1,
        "tie_word_embeddings": True,
    },
    "llama": GROUPED,
    "gemma": {**GROUPED, "head_dim": 8},
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "mistral": {**GROUPED, "sliding_window": None},
    "glm": {**GROUPED, "head_dim": 8, "pad_token_id": None},
    "glm4": {**GROUPED, "head_dim": 8, "pad_token_id": None},
    "olmo2": GROUPED,
    "granite": {**GROUPED, "logits_scaling": 8.0},
    "cohere": {**GROUPED, "logit_scale": 0.25},
    "phi": GROUPED,  # its lm_head has a bias
    "deepseek_v3": {  # its values have another size than its queries
        **SMALL,
        "num_key_value_heads": 4,
        "first_k_dense_replace": 2,
        "q_lora_rank": 12,
        "kv_lora_rank": 8,
        "qk_nope_head_dim": 6,
        "qk_rope_head_dim": 4,
        "v_head_dim": 6,
    },
    "mixtral": {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2},
}
LENGTHS = (1, 5, 33, 12, 2)


def tiny(family, dtype=torch.float64):
    torch.manual_seed(0)
    config = AutoConfig.for_model("llama" if family == "smollm2" else family, **FAMILIES[family])
    check_packable(config)
    return AutoModelForCausalLM.from_config(config, dtype=dtype).train()


def sequences():
    generator = torch.Generator().manual_seed(3)
    rows = [torch.randint(3, 90, (n,), generator=generator) for n in LENGTHS]
    return [(ids, torch.where(torch.rand(len(ids), generator=generator) < 0.6, ids, -100)) for ids in rows]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("checkpointing", ["none", "full", "attention", "matmuls"])
def test_a_pack_equals_each_sequence_alone(family, checkpointing):
    rows = sequences()
    dtype = torch.float32 if family == "mixtral" else torch.float64  # its grouped products know no float64
    alone = tiny(family, dtype)
    alone.config._attn_implementation = "eager"
    alone.set_attn_implementation("eager")
    logits = [alone(ids[None], use_cache=False).logits[0] for ids, _ in rows]
    losses = [
        cross_entropy(out[:-1], labels[1:], ignore_index=-100)
        for out, (_, labels) in zip(logits, rows, strict=True)
        if (labels[1:] != -100).any()
    ]
    torch.stack(losses).sum().backward()

    packed = prepare_model(tiny(family, dtype), "sdpa", checkpointing)
    pack = collate(rows)
    torch.testing.assert_close(packed.packed_logits(pack), torch.cat(logits), atol=1e-6, rtol=0)
    loss_sum, token_losses = packed.packed_loss(pack)
    loss_sum.backward()
    assert pack.step_weight == len(losses)
    assert float(loss_sum.detach()) == pytest.approx(float(sum(losses).detach()), abs=1e-6)
    assert len(token_losses) == pack.num_targets
    for (name, ours), theirs in zip(packed.named_parameters(), alone.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=0, msg=name)


def test_attention_runs_once_under_selective_checkpointing(monkeypatch):
    calls = {}
    for mode in ("none", "full", "attention", "matmuls"):
        count = []
        backend = BACKENDS["sdpa"]
        counting = replace(backend, forward=lambda *args, to=backend, seen=count: seen.append(1) or to.forward(*args))
        monkeypatch.setitem(BACKENDS, "sdpa", counting)
        model = prepare_model(tiny("llama"), "sdpa", mode)
        model.packed_loss(collate(sequences()))[0].backward()
        monkeypatch.setitem(BACKENDS, "sdpa", backend)
        calls[mode] = len(count)
    assert calls == {"none": 2, "full": 4, "attention": 2, "matmuls": 2}


def test_no_square_of_the_length_is_ever_made():
    model = prepare_model(tiny("llama", torch.float32), "sdpa", "none")
    ids = torch.arange(3000) % 97
    pack = collate([(ids[:1500], ids[:1500]), (ids[1500:], ids[1500:])])
    with LargestTensor() as largest, torch.no_grad():
        model.base_model(
            input_ids=pack.input_ids,
            position_ids=pack.position_ids,
            use_cache=False,
            cu_seq_lens_q=pack.cu_seqlens,
            max_length_q=pack.max_seqlen,
        )
    assert largest.numel < 3000 * 128


@pytest.mark.parametrize("family", ["llama", "glm", "granite", "cohere", "phi"])
def test_the_check_before_training_accepts_good_models(family):
    model = prepare_model(tiny(family), "sdpa", "attention")
    assert check_packed_forward(model.eval(), torch.device("cpu")) < 1e-5


def test_the_check_before_training_leaves_room_for_the_rounding_of_deep_models():
    config = AutoConfig.for_model("llama", **GROUPED | {"num_hidden_layers": 80, "vocab_size": 4000})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    ids = torch.arange(13)[None]
    with torch.no_grad():
        exact, rounded = model(ids).logits, model.to(torch.bfloat16)(ids).logits.float()
    rounding = (exact - rounded).square().mean(-1).sqrt().max() / exact.std()
    assert 0 < rounding < 0.03  # a fifth of what the check allows


def test_the_check_before_training_finds_a_model_that_cannot_be_packed(monkeypatch):
    model = prepare_model(tiny("granite"), "sdpa", "none").eval()
    monkeypatch.setattr("longalign.model.packed.logits_scale", lambda model: 1.0)
    with pytest.raises(UserError, match="cannot be packed"):
        check_packed_forward(model, torch.device("cpu"))


def test_a_model_that_hands_its_attention_a_mask_of_its_own_is_refused_in_one_line():
    config = AutoConfig.for_model("doge", **GROUPED)
    check_packable(config)
    model = prepare_model(AutoModelForCausalLM.from_config(config), "sdpa", "none").eval()
    with pytest.raises(UserError, match="doge cannot be packed: longalign attention takes no mask"):
        check_packed_forward(model, torch.device("cpu"))


def test_a_model_whose_masks_do_not_fit_its_config_is_refused_in_one_line():
    config = AutoConfig.for_model("cohere2", **GROUPED, layer_types=["full_attention"] * 2, sliding_window=None)
    check_packable(config)
    model = prepare_model(AutoModelForCausalLM.from_config(config), "sdpa", "none").eval()
    with pytest.raises(UserError, match=r"cohere2 cannot be packed: .*sliding_window"):
        check_packed_forward(model, torch.device("cpu"))


def test_weights_that_are_no_numbers_are_told_as_such():
    model = prepare_model(tiny("llama"), "sdpa", "none").eval()
    model.base_model.norm.weight.data[3] = float("nan")
    with pytest.raises(UserError, match="logits of this llama are not finite: its weights hold NaN"):
        check_packed_forward(model, torch.device("cpu"))


@pytest.mark.parametrize(
    ("family", "keys", "reason"),
    [
        ("gpt2", {}, "no rotary"),
        ("bloom", {}, "no rotary"),
        ("mistral", {"sliding_window": 4096}, "sliding"),
        ("gemma2", {}, "sliding"),
        ("llama", {"attention_dropout": 0.1}, "attention_dropout"),
        ("phi", {"resid_pdrop": 0.1}, "resid_pdrop"),
        ("seed_oss", {"attention_dropout": 0.0}, "residual_dropout: 0}' trains without"),
        ("starcoder2", {"embedding_dropout": 0.1}, "embedding_dropout"),
        ("mixtral", {"sliding_window": None, "router_jitter_noise": 0.01}, "router_jitter_noise"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, "dynamic"),
        ("t5", {}, "no causal"),
        ("mamba", {}, "no rotary"),
        ("gemma3", {}, "text_config"),
        ("phi4_multimodal", {}, "parts for images or sound .vision_config, audio_config"),
        ("gpt_oss", {"num_hidden_layers": 1, "layer_types": ["full_attention"]}, "SDPA"),
    ],
)
def test_models_that_cannot_be_packed_are_refused_by_name(family, keys, reason):
    with pytest.raises(UserError, match=f"{family} cannot be packed: .*{reason}"):
        check_packable(AutoConfig.for_model(family, **keys))


MUSICGEN = {  # transformers 5.17 reads no config without its parts
    "text_encoder": {"model_type": "t5"},
    "audio_encoder": {"model_type": "encodec"},
    "decoder": {"model_type": "musicgen_decoder"},
}


@pytest.mark.parametrize(("family", "parts"), [("musicgen", MUSICGEN), ("t5", {}), ("llava", {})])
@pytest.mark.parametrize("options", [{}, {"rope_theta": 1e6}, {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}])
def test_a_model_that_is_no_language_model_is_refused_by_name_whatever_is_asked_of_it(tmp_path, family, parts, options):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family, **parts}))
    with pytest.raises(UserError, match=f"{family} cannot be packed"):
        load_config(str(tmp_path), options)


def test_layers_of_unlike_sizes_are_refused(monkeypatch):
    config = AutoConfig.for_model("llama")
    monkeypatch.setattr(type(config), "is_heterogeneous", True, raising=False)
    with pytest.raises(UserError, match="llama cannot be packed: its layers have unlike sizes"):
        check_packable(config)


def test_dropout_is_no_reason_not_to_pack_where_nothing_is_trained():
    check_packable(AutoConfig.for_model("seed_oss"), training=False)
