"""Checkpointing changes what is kept, not what is computed."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from longalign.data.collate import collate
from longalign.model.checkpointing import MATMULS, _attention_on_host, _saved_on_gpu
from longalign.model.kernels import BACKENDS, sdpa_forward
from longalign.model.loading import load_config, random_model
from longalign.model.offload import ActivationOffload
from longalign.model.sharding import decoder_layers, prepare_model
from tests.model.golden_numbers import GOLDEN
from tests.model.test_packed import tiny

TINY = str(GOLDEN / "llama_tiny")
IDS = list(range(3, 60))


def gradients(mode, kept_layers=0, offload=False, device="cpu"):
    """Gradients of a pack's loss, and how often each layer's MLP began."""
    model = random_model(load_config(TINY)).to(device)
    prepare_model(model, "sdpa", mode, kept_layers=kept_layers, offload=offload)
    runs = [0] * len(decoder_layers(model))
    for number, layer in enumerate(decoder_layers(model)):
        layer.mlp.register_forward_pre_hook(lambda *_, n=number: runs.__setitem__(n, runs[n] + 1))
    model.packed_loss(collate([(IDS, IDS), (IDS[:9], IDS[:9])]).to(device))[0].backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}, runs


@pytest.mark.parametrize(
    ("mode", "kept", "runs"),
    [
        ("none", 0, [1, 1, 1]),
        ("attention", 0, [2, 2, 2]),
        ("full", 1, [2, 2, 1]),
        ("attention", 2, [2, 1, 1]),
        ("full", 3, [1, 1, 1]),
        ("matmuls", 2, [2, 2, 2]),
    ],
)
def test_gradients_are_the_same_and_kept_layers_run_once(mode, kept, runs):
    expected, _ = gradients("none")
    ours, found = gradients(mode, kept)
    assert found == runs
    for name, gradient in expected.items():
        torch.testing.assert_close(ours[name], gradient, atol=0, rtol=0)


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = (random_model(load_config(TINY)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "glm"])  # without and with biases, gate and up in one
def test_matmuls_computes_no_matrix_product_again_but_queries_and_keys(model_type):
    expected, products = products_of_backward(model_type, "none", 0)
    for kept_layers in (1, 2):
        ours, again = products_of_backward(model_type, "matmuls", kept_layers)
        others = 5 if model_type == "glm" else 6  # products of a layer, without the down projection's
        assert again == products + 2 * kept_layers + others * (2 - kept_layers)
        for gradient, truth in zip(ours, expected, strict=True):
            torch.testing.assert_close(gradient, truth, atol=0, rtol=0)


def products_of_backward(model_type, mode, kept_layers):
    """Gradients of a small model, and how many matrix products the backward took."""
    model = prepare_model(tiny(model_type, torch.float32), "sdpa", mode, kept_layers=kept_layers)
    loss = model.packed_loss(collate([(IDS, IDS), (IDS[:9], IDS[:9])]))[0]
    with CountMatmuls() as count:
        loss.backward()
    return [parameter.grad for parameter in model.parameters()], count.products


class CountMatmuls(TorchDispatchMode):
    products = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.products += func in MATMULS
        return func(*args, **(kwargs or {}))


DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", ["attention", "matmuls", "full"])
def test_offloaded_activations_give_the_same_gradients_and_attention_runs_once(mode, device, monkeypatch):
    offload = ActivationOffload(min_bytes=1)
    monkeypatch.setattr("longalign.model.checkpointing.ActivationOffload", lambda: offload)
    expected, _ = gradients("none", device=device)
    calls = []
    counted = replace(BACKENDS["sdpa"], forward=lambda *args: calls.append(args) or sdpa_forward(*args))
    monkeypatch.setitem(BACKENDS, "sdpa", counted)
    ours, runs = gradients(mode, kept_layers=1, offload=True, device=device)
    assert len(calls) == (5 if mode == "full" else 3)
    of_layers = {"full": [1, 1], "attention": [2, 2], "matmuls": [2, 2, 2]}[mode]  # input; attention output
    assert len(offload.host.free) == sum(of_layers)
    assert runs == [2, 2, 2 if mode == "matmuls" else 1]
    for name, gradient in expected.items():
        torch.testing.assert_close(ours[name], gradient, atol=0 if device == "cpu" else 1e-6, rtol=0)


@pytest.mark.parametrize("contexts", [_saved_on_gpu, lambda: _attention_on_host(ActivationOffload())])
def test_compiled_functions_stay_compiled(contexts):
    compiled = []
    with contexts()[0]:
        torch.compile(torch.sin, backend=lambda graph, _: compiled.append(graph) or graph.forward)(torch.ones(2))
    assert len(compiled) == 1


def steps(layers, offload, x, backward=(True, True)):
    """Gradients of x and weights after passes through checkpointed layers, some of which have no backward."""
    x = x.clone().requires_grad_()
    for wanted in backward:
        y = x
        for layer in layers:
            with offload.layer():
                y = checkpoint(lambda h, layer=layer: torch.tanh(layer(h)), y, use_reentrant=False)
        if wanted:
            y.sum().backward()
        del y
    return [x.grad, *(parameter.grad for parameter in layers.parameters())]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("backward", [(True, True, True), (True, False, True), (False, True)])
def test_host_buffers_are_used_again_and_forwards_without_backward_do_no_harm(device, backward):
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(torch.nn.Linear(512, 512) for _ in range(5)).to(device)
    x = torch.randn(2048, 512, device=device)
    expected = steps(layers, ActivationOffload(min_bytes=1 << 40), x, backward)
    layers.zero_grad()
    offload = ActivationOffload()
    ours = steps(layers, offload, x, backward)
    for gradient, truth in zip(ours, expected, strict=True):
        torch.testing.assert_close(gradient, truth, atol=0, rtol=0)
    assert len(offload.host.free) == 5


def test_packs_of_all_sizes_share_the_chunks():
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(3))
    offload, plain = ActivationOffload(min_bytes=0, chunk_bytes=500), ActivationOffload(min_bytes=1 << 40)
    for tokens in (50, 31, 64, 7, 63, 64, 10):
        x = torch.randn(tokens, 8)
        layers.zero_grad()
        expected = [gradient.clone() for gradient in steps(layers, plain, x, (True,))]
        layers.zero_grad()
        for ours, truth in zip(steps(layers, offload, x, (True,)), expected, strict=True):
            torch.testing.assert_close(ours, truth, atol=0, rtol=0)
    chunks = [len(chunk) for chunk in offload.host.free]
    assert chunks == [500] * 3 * 5  # 64 rows of 8 numbers of 4 bytes, in each layer
