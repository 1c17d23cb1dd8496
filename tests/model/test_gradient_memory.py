"""Reduced gradients: of every parameter once, and where the activations' memory is."""

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from longalign.data.collate import collate
from longalign.model.gradient_memory import use_compute_stream
from longalign.model.loading import load_config
from longalign.model.sharding import decoder_layers, shard_model
from tests.model.test_checkpointing import IDS, TINY


class Reduced(nn.Module):
    """Remembers the reduce-scatter that it is given."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.weight, self.parts = nn.Parameter(torch.zeros(1)), nn.ModuleList(parts)

    def set_custom_reduce_scatter(self, comm):
        self.comm = comm


def test_each_parameter_is_reduced_by_its_layer_or_else_by_the_root():
    layers = [Reduced(nn.Linear(2, 2)) for _ in range(3)]
    root = Reduced(*layers, nn.Linear(3, 3))
    use_compute_stream(root, layers)
    groups = [module.comm.parameters for module in (root, *layers)]
    assert [len(group) for group in groups] == [3, 3, 3, 3]
    assert {id(p) for group in groups for p in group} == {id(p) for p in root.parameters()}


@pytest.mark.gpu
def test_gradients_lie_in_the_computing_streams_memory_and_are_those_of_fsdp(tmp_path):
    torch.distributed.init_process_group("nccl", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        plain, ours = (gradients(own) for own in (False, True))
    finally:
        torch.distributed.destroy_process_group()
    segments = {s["address"]: s for s in torch.cuda.memory_snapshot()}
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, plain[name], atol=0, rtol=0)
        where = max(address for address in segments if address <= gradient.data_ptr())
        assert segments[where]["stream"] == 0, name


def gradients(own):
    """Of two micro-steps, on a GPU."""
    device = torch.device("cuda")
    model = shard_model(
        load_config(TINY),
        None,
        init_device_mesh("cuda", (1,)),
        device,
        attention="sdpa",
        checkpointing="attention",
        compute_dtype=torch.float32,
        random_weights=True,
    )
    if not own:
        for module in (model, *decoder_layers(model)):
            module.set_custom_reduce_scatter(fsdps_own())
    for ids in (IDS, IDS[:9]):
        model.packed_loss(collate([(ids, ids)]).to(device))[0].backward()
    return {name: parameter.grad.to_local() for name, parameter in model.named_parameters()}


def fsdps_own():
    from torch.distributed.fsdp._fully_shard._fsdp_collectives import DefaultReduceScatter

    return DefaultReduceScatter()
