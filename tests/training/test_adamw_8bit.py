"""AdamW with 8-bit states: torchao's numbers to the bit, through whole runs with checkpoints."""

import shutil

import pytest
import torch

from longalign.errors import UserError
from tests.training.conftest import final_weights, run_here, scalars

pytest.importorskip("torchao")
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")

STEPS = [
    "--data.packs_per_step=2",
    "--data.max_length=256",
    "--model.optimizer=longalign.training.adamw_8bit.AdamW8bit",
    "--model.optimizer.lr=1e-3",
    "--model.scheduler=torch.optim.lr_scheduler.ConstantLR",
    "--model.scheduler.factor=1",
]


def updates(optimizer_class):
    """Parameters and states after three updates; some are too small for 8 bits."""
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in ((64, 64), (128, 64), (64,), (3, 7))]
    optimizer = optimizer_class(parameters, lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(3):
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    return parameters, optimizer


def test_updates_are_torchaos_to_the_bit():
    from torchao.optim import AdamW8bit as Torchao

    from longalign.training.adamw_8bit import AdamW8bit

    (ours, optimizer), (theirs, reference) = updates(AdamW8bit), updates(Torchao)
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p, q)
        for key in ("exp_avg", "exp_avg_sq"):
            a, b = optimizer.state[p][key], reference.state[q][key]
            assert type(a) is type(b)
            whole = [x.dequantize() if hasattr(x, "codes") else x for x in (a, b)]
            assert torch.equal(*whole)
    assert optimizer.state[ours[0]]["exp_avg"].codes.dtype == torch.uint8


def test_what_the_step_does_not_have_is_refused():
    from longalign.training.adamw_8bit import AdamW8bit

    with pytest.raises(UserError, match="amsgrad"):
        AdamW8bit([torch.nn.Parameter(torch.zeros(4))], amsgrad=True)


def test_a_run_saves_and_goes_on_to_the_same_bits(arguments, tmp_path):
    run_here(arguments(*STEPS, "--trainer.max_steps=3", root="whole"))
    run_here(arguments(*STEPS, "--trainer.max_steps=2"))
    run_here(arguments(*STEPS, "--trainer.max_steps=3", "--ckpt_path=auto"))
    assert list(scalars(tmp_path / "run", "train/loss")) == [1, 2, 3]
    reference = final_weights(tmp_path / "whole")
    for name, tensor in final_weights(tmp_path / "run").items():
        assert torch.equal(tensor, reference[name]), name
