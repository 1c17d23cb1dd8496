import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from longalign.model.loss import weighted_linear_cross_entropy
from tests.largest_tensor import LargestTensor

T, D, V = 257, 24, 509


def naive(hidden, weight, labels, loss_weights, bias=None):
    """The docstring's definition."""
    ce = cross_entropy(linear(hidden, weight, bias).to(loss_weights.dtype), labels, ignore_index=-100, reduction="none")
    return (loss_weights * ce).sum(), ce[labels != -100]


def example(targets: float, dtype=torch.float64, with_bias=True):
    generator = torch.Generator().manual_seed(7)
    hidden = torch.randn(T, D, generator=generator, dtype=torch.float64)
    weight = torch.randn(V, D, generator=generator, dtype=torch.float64)
    bias = torch.randn(V, generator=generator, dtype=torch.float64) if with_bias else None
    labels = torch.randint(V, (T,), generator=generator)
    labels[torch.rand(T, generator=generator) >= targets] = -100
    weights = torch.rand(T, generator=generator, dtype=torch.float64)
    parts = [x.to(dtype).requires_grad_() if x is not None else None for x in (hidden, weight, bias)]
    return parts, labels, weights


def grads(loss, parts):
    return torch.autograd.grad(loss, [p for p in parts if p is not None], materialize_grads=True)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("targets", [0.0, 0.003, 0.1, 1.0])
@pytest.mark.parametrize("chunk_size", [1, 7, 64, None])
def test_equals_the_naive_definition(targets, chunk_size, with_bias):
    (hidden, weight, bias), labels, weights = example(targets, with_bias=with_bias)
    loss, losses = weighted_linear_cross_entropy(hidden, weight, labels, weights, bias=bias, chunk_size=chunk_size)
    expected, expected_losses = naive(hidden, weight, labels, weights, bias)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(losses, expected_losses.detach())
    for a, b in zip(grads(3 * loss, (hidden, weight, bias)), grads(3 * expected, (hidden, weight, bias)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_is_no_further_from_the_truth_than_the_naive_loss(dtype):
    parts64, labels, weights = example(0.5)
    true_loss, _ = naive(*parts64[:2], labels, weights, parts64[2])
    true_grads = grads(true_loss, parts64)
    parts, _, _ = example(0.5, dtype)
    results = []
    for function in (weighted_linear_cross_entropy, naive):
        loss, _ = function(*parts[:2], labels, weights.float(), bias=parts[2])
        results.append([loss.detach(), *grads(loss, parts)])
    for ours, plain, truth in zip(*results, [true_loss, *true_grads], strict=True):
        error, plain_error = ((x.double() - truth).norm() / truth.norm() for x in (ours, plain))
        assert error <= 1.5 * plain_error + 4 * torch.finfo(dtype).eps


def test_known_positions_give_the_same_and_carry_no_gradient_to_weights():
    (hidden, weight, _), labels, weights = example(0.3)
    index = (labels != -100).nonzero().squeeze(1)
    plain, _ = weighted_linear_cross_entropy(hidden[None], weight, labels[None], weights[None])
    known, losses = weighted_linear_cross_entropy(
        hidden[None], weight, labels[None], weights.requires_grad_()[None], target_index=index
    )
    assert torch.equal(plain, known) and not losses.requires_grad
    assert torch.autograd.grad(known, weights, allow_unused=True) == (None,)


def test_no_logits_of_the_whole_pack_ever_exist():
    (hidden, weight, _), labels, weights = example(1.0)
    with LargestTensor() as largest:
        loss, _ = weighted_linear_cross_entropy(hidden, weight, labels, weights, chunk_size=8)
        loss.backward()
    assert largest.numel <= V * D < T * V  # the weight's gradient is the largest thing made


def test_autocast_holds_in_the_backward_too():
    (hidden, weight, bias), labels, weights = example(0.5, torch.float32)
    low = [part.detach().bfloat16().requires_grad_() for part in (hidden, weight, bias)]
    expected, _ = weighted_linear_cross_entropy(*low[:2], labels, weights.float(), bias=low[2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = weighted_linear_cross_entropy(hidden, weight, labels, weights.float(), bias=bias)
    assert torch.equal(loss, expected)
    for ours, theirs in zip(grads(loss, (hidden, weight, bias)), grads(expected, low), strict=True):
        assert ours.dtype == torch.float32 and torch.equal(ours, theirs.float())
