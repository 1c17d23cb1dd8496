from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from longalign.data.collate import collate
from longalign.model.flops import ModelShape
from longalign.training.callbacks import StepLogger, step_logger
from longalign.training.metrics import StepMeter

SHAPE = ModelShape(linear=1000, lm_head=50, total=1100, attention_width=8)
CPU = torch.device("cpu")


def test_losses_by_source_and_length_and_flops_of_a_step():
    short = ([1, 2, 3], [-100, 2, 3])
    long = (list(range(1100)), [-100] * 1099 + [7])
    without = ([5, 6], [-100, -100])
    meter = StepMeter(["long", "short"], SHAPE)
    meter.update(collate([long, short], source_ids=[0, 1]), torch.tensor([3.0, 1.0, 2.0]))
    meter.update(collate([short, without], source_ids=[1, 1]), torch.tensor([4.0, 6.0]))
    meter.update(collate([]), torch.zeros(0))
    result = meter.reduce(lambda x: x, CPU)
    assert result["loss"] == pytest.approx((3.0 + 1.5 + 5.0) / 3)  # Eq. 2: means of sequences with targets
    assert result["loss_source/long"] == pytest.approx(3.0)
    assert result["loss_source/short"] == pytest.approx((1.5 + 5.0) / 2)
    assert result["loss_length/0-1k"] == pytest.approx(3.25) and result["loss_length/1k-4k"] == pytest.approx(3.0)
    assert "loss_length/64k-up" not in result
    assert (result["tokens"], result["targets"], result["sequences"]) == (1108, 5, 4)
    squares = 1100**2 + 2 * 3**2 + 2**2
    assert result["flops"] == 6 * (1000 * 1108 + 50 * 5 + 8 * squares)
    assert meter.reduce(lambda x: x, CPU)["tokens"] == 0


def test_ranks_are_summed_before_dividing():
    meter = StepMeter(["all"], SHAPE)
    meter.update(collate([([1, 2], [-100, 2])]), torch.tensor([4.0]))
    assert meter.reduce(lambda x: x * 2, CPU)["loss"] == pytest.approx(4.0)


def test_losses_by_position_are_means_over_targets():
    lengths = (9000, 1500)
    rows = [(list(range(n)), [-100] * 500 + [1] * (n - 500)) for n in lengths]
    pack = collate(rows)
    losses = torch.rand(pack.num_targets)
    meter = StepMeter(["a"], SHAPE, by_position=True)
    meter.update(pack, losses)
    meter.update(collate([]), torch.zeros(0))
    found = meter.reduce(lambda x: x, torch.device("cpu"))
    positions = torch.cat([torch.arange(499, n - 1) for n in lengths])
    for name, low, high in (("0-1k", 0, 1024), ("1k-4k", 1024, 4096), ("4k-8k", 4096, 8192), ("8k-16k", 8192, 16384)):
        inside = (positions >= low) & (positions < high)
        assert found[f"loss_position/{name}"] == pytest.approx(float(losses[inside].double().mean()))
    assert "loss_position/16k-32k" not in found
    assert found["loss_length/8k-16k"] == pytest.approx(float(losses[: 9000 - 500].double().mean()))


class DeviceReads(TorchDispatchMode):
    """Collects what makes the host wait for a device: values that are read, and copies from one device to another."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        source = next((arg.device for arg in args if isinstance(arg, torch.Tensor)), None)
        target = (kwargs or {}).get("device", source)
        if func is torch.ops.aten._local_scalar_dense.default or (source is not None and target != source):
            self.found.append(func)
        return func(*args, **(kwargs or {}))


def test_a_micro_step_is_counted_without_waiting_for_the_device():
    pack = collate([([1, 2, 3], [-100, 2, 3]), ([1, 2], [-100, -100])], source_ids=[1, 0]).to("meta")
    meter = StepMeter(["a", "b"], SHAPE, by_position=True)
    with DeviceReads() as reads:
        meter.update(pack, torch.zeros(2, device="meta"))
    assert reads.found == []
    assert meter.losses.device.type == "meta" and meter.host["targets"] == 2


@pytest.mark.parametrize(("peak", "mfu"), [(200e12, 0.25), (None, None)])
def test_an_unknown_gpu_has_tflops_and_no_mfu(peak, mfu, monkeypatch):
    monkeypatch.setattr(step_logger, "device_peak_flops", lambda device: peak)
    monkeypatch.setattr(step_logger, "memory_figures", lambda device: {"memory/peak_gib": 1.0})
    data = SimpleNamespace(epochs=1, num_steps=4, working_share=lambda step: 1.0)
    trainer = SimpleNamespace(datamodule=data, global_step=1, world_size=2)
    module = SimpleNamespace(device=torch.device("cuda"), grad_norm=1.0, skipped_steps=0)
    logger = StepLogger()
    logger.rate = 1e-5
    found = logger._metrics(trainer, module, {"flops": 300e12, "tokens": 5.0}, 3.0)
    assert found["perf/tflops_per_s_per_gpu"] == 50 and found.get("perf/mfu") == mfu
