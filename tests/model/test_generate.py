"""Reading only what is new changes nothing: ids equal those of transformers' generate without a cache."""

import pytest
import torch
from transformers import (
    DynamicCache,
    GenerationConfig,
    GlmConfig,
    GlmForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
)

from longalign.model import generate
from longalign.model.generate import Generator, generation_settings

VOCAB = 97
NEVER = VOCAB  # a stop token that no model makes
SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4)


def tiny(kind: str) -> torch.nn.Module:
    torch.manual_seed(1)
    more = {"num_key_value_heads": 2, "initializer_range": 0.3}  # so that no two logits are close
    if kind == "glm":
        return GlmForCausalLM(GlmConfig(**SIZES, **more, head_dim=8, pad_token_id=None, eos_token_id=2)).eval()
    if kind == "sliding":
        return MistralForCausalLM(MistralConfig(**SIZES, **more, sliding_window=16)).eval()
    return LlamaForCausalLM(LlamaConfig(**SIZES, **more)).eval()


@pytest.fixture(params=["llama", "glm", "sliding"])
def model(request):
    return tiny(request.param)


def prompt(length: int, seed: int = 0) -> list[int]:
    return torch.randint(3, VOCAB, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def settings(count: int = 12) -> GenerationConfig:
    return generation_settings(GenerationConfig(), [NEVER], max_new_tokens=count, temperature=0)


def plain(model, ids: list[int], count: int = 12) -> list[int]:
    """What transformers writes without any cache."""
    given = torch.tensor([ids])
    config = GenerationConfig(max_new_tokens=count, eos_token_id=NEVER, pad_token_id=NEVER, use_cache=False)
    output = model.generate(given, attention_mask=torch.ones_like(given), generation_config=config)
    return output[0, len(ids) :].tolist()


@pytest.fixture
def reads(model, monkeypatch):
    """Lengths of the model's passes."""
    lengths = []
    forward = model.base_model.forward

    def spy(*args, **kwargs):
        lengths.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.base_model, "forward", spy)
    return lengths


def test_turns_read_only_what_is_new_and_give_the_same_ids(model, reads):
    document, first, second = prompt(50), prompt(5, 1), prompt(7, 2)
    expected = plain(model, document + first)
    longer = document + first + expected + second
    expected_second, other = plain(model, longer), document + second
    expected_other = plain(model, other)
    reads.clear()
    generator = Generator(model, settings())
    one = generator.generate(document + first)
    assert one.ids == expected and (one.tokens_read, one.tokens_kept) == (55, 0)
    two = generator.generate(longer)
    assert two.ids == expected_second
    # the last written token has not gone through the model
    assert (two.tokens_read, two.tokens_kept) == (8, len(longer) - 8)
    three = generator.generate(other)  # another question on the same document
    assert three.ids == expected_other and (three.tokens_read, three.tokens_kept) == (7, 50)
    read = [length for length in reads if length > 1]
    assert read == [54, 7, 6]


def growing(rope_type: str) -> torch.nn.Module:
    """Angles change behind the first 16 positions, and with them those of what was read before."""
    torch.manual_seed(1)
    own = dict(initializer_range=0.3, num_key_value_heads=2)
    if rope_type == "dynamic":
        rope = {"rope_type": "dynamic", "rope_theta": 100.0, "factor": 4.0}
        return LlamaForCausalLM(LlamaConfig(**SIZES, **own, max_position_embeddings=16, rope_parameters=rope)).eval()
    rope = {"rope_type": "longrope", "rope_theta": 100.0, "original_max_position_embeddings": 16}
    rope |= {"short_factor": [1.0] * 4, "long_factor": [9.0] * 4}
    config = Phi3Config(**SIZES, **own, max_position_embeddings=64, pad_token_id=0, rope_parameters=rope)
    config.original_max_position_embeddings = 16
    return Phi3ForCausalLM(config).eval()


@pytest.mark.parametrize("rope_type", ["longrope", "dynamic"])
def test_angles_that_depend_on_the_length_give_the_ids_of_generate(rope_type, monkeypatch):
    monkeypatch.setattr(generate, "READ_CHUNK", 8)
    generator = Generator(growing(rope_type), settings())
    for ids in (prompt(10), [*prompt(10), *prompt(25, 1)], prompt(12), prompt(30)):
        given = torch.tensor([ids])
        expected = growing(rope_type).generate(
            given, attention_mask=torch.ones_like(given), generation_config=settings()
        )
        assert generator.generate(ids).ids == expected[0, len(ids) :].tolist()


def test_the_same_prompt_again_reads_its_last_token(model):
    generator = Generator(model, settings())
    first, again = generator.generate(prompt(20)), generator.generate(prompt(20))
    assert again.ids == first.ids and (again.tokens_read, again.tokens_kept) == (1, 19)


def test_chunks_change_nothing(model, reads, monkeypatch):
    expected = plain(model, prompt(50))
    reads.clear()
    monkeypatch.setattr(generate, "READ_CHUNK", 16)
    seen = []
    result = Generator(model, settings()).generate(prompt(50), on_read=lambda done, total: seen.append((done, total)))
    assert result.ids == expected
    assert reads[:4] == [16, 16, 16, 1]
    assert [done for done, _ in seen] == [0, 16, 32, 48, 49]


@pytest.mark.parametrize("after", [0, 4])
def test_an_answer_that_is_stopped_leaves_a_cache_that_is_right(model, after):
    """Ctrl-C may come between two layers."""
    layers = model.base_model.layers
    calls, forward = [0], layers[1].forward

    def interrupted(*args, **kwargs):
        calls[0] += 1
        if calls[0] == after + 1:
            raise KeyboardInterrupt
        return forward(*args, **kwargs)

    generator = Generator(model, settings())
    layers[1].forward = interrupted
    with pytest.raises(KeyboardInterrupt):
        generator.generate(prompt(30))
    layers[1].forward = forward
    lengths = {layer.get_seq_length() for layer in generator._cache.layers}
    assert len(lengths) <= 1
    again = generator.generate(prompt(30))
    assert again.ids == plain(model, prompt(30))
    assert again.tokens_kept == (29 if after else 0)


def test_a_gpu_without_room_reads_in_chunks(model, monkeypatch):
    generator = Generator(model, settings())
    sizes, read = [], generator._read_chunks

    def small(ids, kept, size, on_read):
        sizes.append(size)
        if size > 16:
            read(ids[:, :40], kept, 40, on_read)
            raise torch.OutOfMemoryError
        read(ids, kept, size, on_read)

    monkeypatch.setattr(generator, "_read_chunks", small)
    monkeypatch.setattr(generate, "READ_CHUNK", 10**6)
    monkeypatch.setattr(generate, "SMALL_MEMORY_CHUNK", 16)
    assert generator.generate(prompt(50)).ids == plain(model, prompt(50))
    assert sizes == [10**6, 16]


def test_the_stop_token_is_kept_back(model):
    written = plain(model, prompt(20))
    stop = written[5]
    count = written.index(stop)
    tokens = []
    result = Generator(
        model, generation_settings(GenerationConfig(eos_token_id=stop), [NEVER], max_new_tokens=12, temperature=0)
    ).generate(prompt(20), tokens.append)
    assert result.ids == written[:count] == tokens and result.ended


def test_settings_keep_the_models_own_unless_asked():
    own = GenerationConfig(do_sample=True, temperature=0.6, top_p=0.9, top_k=20, eos_token_id=[5, 7], max_length=99)
    kept = generation_settings(own, [2], max_new_tokens=3)
    assert (kept.do_sample, kept.temperature, kept.top_p, kept.top_k) == (True, 0.6, 0.9, 20)
    assert kept.eos_token_id == [2, 5, 7] and kept.max_length is None and own.max_length == 99
    assert generation_settings(own, [2], max_new_tokens=3, temperature=0).do_sample is False
    hotter = generation_settings(GenerationConfig(), [2], max_new_tokens=3, temperature=1.5)
    assert hotter.do_sample and hotter.temperature == 1.5


def test_a_window_does_not_hinder_going_back():
    cache = Generator(tiny("sliding"), settings())._cache
    assert isinstance(cache, DynamicCache) and not any(cache.is_sliding)


def test_a_model_with_a_running_state_reads_all_again():
    torch.manual_seed(1)
    sizes = {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
    generator = Generator(MambaForCausalLM(MambaConfig(**sizes)).eval(), settings())
    first = generator.generate(prompt(20))
    again = generator.generate(prompt(20))
    assert first.ids == again.ids and again.tokens_kept == 0
