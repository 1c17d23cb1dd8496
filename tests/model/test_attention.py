import os
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from longalign.errors import UserError
from longalign.model.attention import _attention_forward, _no_mask, attention_name, choose_backend, varlen_attention
from longalign.model.kernels import BACKENDS, _keep_compiled

LENGTHS = [[257], [1], [1, 1, 1], [5, 1, 64, 130]]


def inputs(lengths, heads=4, kv_heads=2, size=32, dtype=torch.float64, device="cpu"):
    generator = torch.Generator().manual_seed(sum(lengths))
    total = sum(lengths)
    q, k, v = (
        torch.randn(total, h, size, generator=generator, dtype=torch.float64) for h in (heads, kv_heads, kv_heads)
    )
    cu = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32)
    return [x.to(device, dtype).requires_grad_() for x in (q, k, v)], cu.to(device), max(lengths)


def truth(q, k, v, cu, scale):
    """Softmax attention written out, one sequence and one head at a time."""
    out = torch.zeros_like(q)
    group = q.shape[1] // k.shape[1]
    for a, b in zip(cu[:-1].tolist(), cu[1:].tolist(), strict=True):
        future = torch.ones(b - a, b - a, device=q.device).triu(1).bool()
        for head in range(q.shape[1]):
            scores = scale * q[a:b, head] @ k[a:b, head // group].T
            out[a:b, head] = scores.masked_fill(future, float("-inf")).softmax(-1) @ v[a:b, head // group]
    return out


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_sdpa_backend_equals_attention_written_out(lengths, kv_heads):
    qkv, cu, longest = inputs(lengths, kv_heads=kv_heads)
    out, _ = varlen_attention(*qkv, cu, longest, 0.3, "sdpa")
    expected = truth(*qkv, cu, 0.3)
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=0)
    dout = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad(out, qkv, dout)
    theirs = torch.autograd.grad(expected, qkv, dout)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "sdpa"])
@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("lengths", [*LENGTHS, [1] * 4096, [4096, 3, 700]])
def test_gpu_backend_is_as_near_to_the_truth_as_plain_bf16(backend, size, lengths):
    device = torch.device("cuda")
    if reason := BACKENDS[backend].missing(device, torch.bfloat16):
        pytest.skip(f"{backend} {reason}")
    qkv64, cu, longest = inputs(lengths, 8, 2, size, device=device)
    expected, _ = varlen_attention(*qkv64, cu, longest, size**-0.5, "sdpa")
    dout = torch.randn(expected.shape, dtype=torch.float64, device=device)
    expected_grads = torch.autograd.grad(expected, qkv64, dout)

    def errors(name):
        qkv = [x.detach().bfloat16().requires_grad_() for x in qkv64]
        out, _ = varlen_attention(*qkv, cu, longest, size**-0.5, name)
        grads = torch.autograd.grad(out, qkv, dout.bfloat16())
        pairs = zip((out, *grads), (expected, *expected_grads), strict=True)
        return [float((a.double() - b).norm() / b.norm().clamp(min=1e-9)) for a, b in pairs]

    for ours, plain in zip(errors(backend), errors("sdpa"), strict=True):
        assert ours <= 1.5 * plain + 2e-3


def test_values_narrower_than_queries_are_padded_for_a_kernel_of_one_size(monkeypatch):
    def forward(q, k, v, *more):
        assert q.shape[-1] == k.shape[-1] == v.shape[-1]
        return BACKENDS["sdpa"].forward(q, k, v, *more)

    monkeypatch.setitem(BACKENDS, "torch", replace(BACKENDS["torch"], forward=forward))
    (q, k, v), cu, longest = inputs([5, 1, 64])
    q, k, v = (x.detach().transpose(0, 1).unsqueeze(0) for x in (q, k, v[..., :24]))
    pack = {"cu_seq_lens_q": cu, "max_length_q": longest}
    padded, plain = (_attention_forward(None, q, k, v, None, backend=name, **pack)[0] for name in ("torch", "sdpa"))
    assert padded.shape == (1, 70, 4, 24)
    torch.testing.assert_close(padded, plain, atol=1e-12, rtol=0)


class Called(Exception):
    """Carries the options that a kernel was called with."""


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize(
    ("backend", "module", "function"),
    [
        ("flash_attn_2", "flash_attn.flash_attn_interface", "_flash_attn_varlen_backward"),
        ("flash_attn_3", "flash_attn_interface", "_flash_attn_backward"),
        ("flash_attn_4", "flash_attn.cute.interface", "_flash_attn_bwd"),
    ],
)
def test_kernels_are_as_deterministic_as_torch_is_told_to_be(backend, module, function, on, monkeypatch):
    def kernel(*args, **options):
        raise Called(options["deterministic"])

    parts = module.split(".")
    for name in (".".join(parts[: n + 1]) for n in range(len(parts))):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules[module], function, kernel, raising=False)
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: on)
    x = torch.zeros(3, 1, 8)
    with pytest.raises(Called, match=str(on)):
        BACKENDS[backend].backward(x, x, x, x, x, torch.zeros(1, 3), torch.tensor([0, 3]), 3, 1.0)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "sdpa"])
def test_gpu_backend_repeats_its_bits_where_asked(backend, monkeypatch):
    device = torch.device("cuda")
    if reason := BACKENDS[backend].missing(device, torch.bfloat16):
        pytest.skip(f"{backend} {reason}")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        qkv, cu, longest = inputs([4096, 3, 700], 8, 2, 128, dtype=torch.bfloat16, device=device)
        out, _ = varlen_attention(*qkv, cu, longest, 128**-0.5, backend)
        dout = torch.randn_like(out)
        first = torch.autograd.grad(out, qkv, dout, retain_graph=True)
        for _ in range(5):
            again = torch.autograd.grad(out, qkv, dout, retain_graph=True)
            assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    finally:
        torch.use_deterministic_algorithms(False)


def test_op_contracts_hold():
    qkv, cu, longest = inputs([3, 5], dtype=torch.float32)
    torch.library.opcheck(
        torch.ops.longalign.varlen_attention.default,
        (*qkv, cu, longest, 0.3, "sdpa"),
        test_utils=("test_schema", "test_faketensor"),
    )


def test_transformers_does_not_take_our_kernels_for_its_own():
    assert not [name for name in BACKENDS if "flash" in attention_name(name)]


def test_choice_of_backend():
    assert choose_backend("auto", torch.device("cpu")) == "sdpa"
    for name in BACKENDS:
        if name != "sdpa":
            with pytest.raises(UserError, match="needs a CUDA GPU"):
                choose_backend(name, torch.device("cpu"))
    with pytest.raises(UserError, match="expected auto"):
        choose_backend("flash9", torch.device("cpu"))


def test_without_a_pack_it_is_plain_causal_attention_with_a_cache():
    (q, k, v), _, _ = inputs([6])
    heads_first = [x.detach().transpose(0, 1)[None] for x in (q, k, v)]
    whole, _ = _attention_forward(torch.nn.Module(), *heads_first, None, backend="sdpa")
    last = [heads_first[0][:, :, 4:], *heads_first[1:]]
    behind_cache, _ = _attention_forward(torch.nn.Module(), *last, None, backend="sdpa")
    torch.testing.assert_close(behind_cache, whole[:, 4:])
    one = [heads_first[0][:, :, 5:], *heads_first[1:]]
    torch.testing.assert_close(_attention_forward(torch.nn.Module(), *one, None, backend="sdpa")[0], whole[:, 5:])


def test_nothing_is_ignored_in_silence():
    (q, k, v), _, _ = inputs([6])
    heads_first = [x.detach().transpose(0, 1)[None] for x in (q, k, v)]
    for extra in ({"dropout": 0.1}, {"sliding_window": 4}, {"softcap": 30.0}):
        with pytest.raises(NotImplementedError):
            _attention_forward(torch.nn.Module(), *heads_first, None, backend="sdpa", **extra)
    assert _no_mask(attention_mask=torch.ones(2, 3)) is None
    with pytest.raises(NotImplementedError, match="padding"):
        _no_mask(attention_mask=torch.tensor([[0, 1, 1]]))


KEEP = "FLASH_ATTENTION_CUTE_DSL_CACHE_ENABLED", "FLASH_ATTENTION_CUTE_DSL_CACHE_DIR"


def test_compiled_kernels_are_kept_where_a_folder_can_be_made_and_as_the_user_says(tmp_path, monkeypatch):
    for name in KEEP:
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    (tmp_path / "file").touch()
    _keep_compiled(tmp_path / "file" / "kernels")
    assert not any(name in os.environ for name in KEEP)
    _keep_compiled(tmp_path / "kernels")
    assert [os.environ[name] for name in KEEP] == ["1", str(tmp_path / "kernels")]
    monkeypatch.setenv(KEEP[0], "0")
    _keep_compiled(tmp_path / "elsewhere")
    assert [os.environ[name] for name in KEEP] == ["0", str(tmp_path / "kernels")]


ATTEND = """
import torch
from longalign.model.kernels import BACKENDS
x, cu = torch.ones(9, 2, 64, device="cuda", dtype=torch.bfloat16), torch.tensor([0, 9], device="cuda").int()
if reason := BACKENDS["flash_attn_4"].missing(x.device, x.dtype):
    raise SystemExit(f"skip: {reason}")
out, lse = BACKENDS["flash_attn_4"].forward(x, x, x, cu, 9, 0.1)
BACKENDS["flash_attn_4"].backward(out, x, x, x, out, lse, cu, 9, 0.1)
torch.cuda.synchronize()
"""


@pytest.mark.gpu
def test_a_second_process_finds_the_kernels_that_the_first_has_compiled(tmp_path):
    found = []
    for _ in range(2):
        command = [sys.executable, "-c", ATTEND]
        done = subprocess.run(command, env=os.environ | {KEEP[1]: str(tmp_path)}, capture_output=True, text=True)
        if done.stderr.startswith("skip:"):
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        found.append({file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.o")})
    assert found[0] and found[0] == found[1]
