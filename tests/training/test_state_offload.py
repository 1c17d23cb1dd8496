"""Optimizer states that wait on the host: away while the activations are there, back before they are needed."""

from contextlib import contextmanager

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh

from longalign.data.collate import collate
from longalign.model.loading import load_config
from longalign.model.sharding import decoder_layers, shard_model
from longalign.training import module
from longalign.training.state_offload import StateOffload
from tests.model.test_checkpointing import IDS, TINY
from tests.training.conftest import final_weights, run_here

STAYS, LEAVES = 1 << 40, 5
"""Least bytes of what leaves: that which nothing has, and that which all but counts of steps have."""


def sharded(device):
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    settings = {"attention": "sdpa", "checkpointing": "attention", "kept_layers": 1, "random_weights": True}
    return shard_model(load_config(TINY), None, mesh, device, compute_dtype=torch.float32, **settings)


@contextmanager
def process_group(device):
    torch.distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def trained(rank, min_bytes, device="cpu"):
    """Weights after three steps of two micro-steps, what is away at the end of each forward and backward, all bytes."""
    with process_group(device):
        model = sharded(torch.device(device))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        states, away = StateOffload(optimizer, decoder_layers(model), min_bytes), []
        for micro_step in range(6):
            ids = [i + micro_step + rank for i in IDS]
            pack = collate([(ids, ids)]).to(device)
            with torch.no_grad():  # as a callback may: nothing leaves, as no backward would bring it back
                model.packed_loss(pack)
            states.begin(last_micro_step=micro_step % 2 == 1)
            loss, _ = model.packed_loss(pack)
            away.append(states.bytes_away)
            loss.backward()
            away.append(states.bytes_away)
            if micro_step % 2 == 1:
                states.wait()
                optimizer.step()
                optimizer.zero_grad()
        of_layers = sum(p.to_local().nbytes for layer in decoder_layers(model) for p in layer.parameters())
        return [p.full_tensor().detach().cpu() for p in model.parameters()], away, 2 * of_layers


class Watched(StateOffload):
    """Notes, whenever states of a layer are called back, whether its gradients are reduced already."""

    def __init__(self, *given):
        super().__init__(*given)
        self.reduced = []

    def _bring(self, states):
        if states.away:
            self.reduced.append(all(parameter.grad is not None for parameter in states.parameters))
        super()._bring(states)


def called_back(rank):
    with process_group("cpu"):
        model = sharded(torch.device("cpu"))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        states = Watched(optimizer, decoder_layers(model), LEAVES)
        for _ in range(2):
            states.begin(last_micro_step=True)
            model.packed_loss(collate([(IDS, IDS)]))[0].backward()
            states.wait()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return states.reduced


def test_states_come_back_behind_the_reduction_of_the_layers_gradients(ranks):
    assert all(reduced == [True] * 3 for reduced in ranks.call(called_back))  # of three layers, in the second step


def test_states_are_away_from_forward_to_backward_and_the_training_is_the_same(ranks):
    expected, ours = ranks.call(trained, STAYS), ranks.call(trained, LEAVES)
    for (truth, stayed, _), (weights, away, everything) in zip(expected, ours, strict=True):
        assert stayed == [0] * 12
        assert away == [0] * 4 + [everything, everything, everything, 0] * 2  # at first there are none
        assert all(map(torch.equal, weights, truth))


@pytest.mark.gpu
def test_on_a_gpu_the_training_is_the_same(ranks, monkeypatch):
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    (truth, _, _), (weights, away, everything) = trained(0, STAYS, "cuda"), trained(0, LEAVES, "cuda")
    assert away == [0] * 4 + [everything, everything, everything, 0] * 2
    for ours, other in zip(weights, truth, strict=True):
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=0)


def test_a_checkpoint_of_the_optimizer_is_whole_at_any_moment():
    layers = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(2))
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-2)
    states = StateOffload(optimizer, layers, min_bytes=LEAVES)

    def forward():
        states.begin(last_micro_step=True)
        return layers[1](layers[0](torch.ones(1, 8, requires_grad=True))).sum()

    forward().backward()
    optimizer.step()
    before = [{key: value.clone() for key, value in state.items()} for state in optimizer.state.values()]
    loss = forward()
    assert states.bytes_away == 2 * 4 * sum(parameter.numel() for parameter in layers.parameters())
    saved = optimizer.state_dict()["state"].values()
    assert states.bytes_away == 0
    assert all(torch.equal(old[key], new[key]) for old, new in zip(before, saved, strict=True) for key in old)
    loss.backward()  # and goes on


@pytest.mark.parametrize("more", [(), ("--model.optimizer=longalign.training.adamw_8bit.AdamW8bit",)])
def test_a_fit_and_its_resumption_end_with_the_same_weights(arguments, tmp_path, monkeypatch, more):
    if more:
        pytest.importorskip("torchao")
    made = []

    def offload(*given):
        made.append(StateOffload(*given, min_bytes=LEAVES))
        return made[-1]

    monkeypatch.setattr(module, "StateOffload", offload)
    constant = ("--model.scheduler=torch.optim.lr_scheduler.ConstantLR", "--model.scheduler.factor=1")
    common = ("--trainer.max_steps=4", "--data.packs_per_step=2", *more, "--model.optimizer.lr=1e-2", *constant)
    run_here(arguments(*common, root="plain"))
    run_here(arguments(*common, "--model.offload=all", "--trainer.max_steps=2", root="ours"))
    run_here(arguments(*common, "--model.offload=all", "--ckpt_path=auto", root="ours"))
    assert len(made) == 2 and all(states._host.free for states in made)
    plain, ours = (final_weights(tmp_path / name) for name in ("plain", "ours"))
    assert all(torch.equal(ours[name], plain[name]) for name in plain)
