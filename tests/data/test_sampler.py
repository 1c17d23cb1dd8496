from itertools import chain

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from longalign.data.datamodule import LongAlignData
from longalign.data.dataset import PackDataset
from longalign.data.plan import plan_batches
from longalign.data.sampler import PlanSampler

LENGTHS = np.random.default_rng(0).integers(2, 60, 200)


class Mixture:
    """200 sequences; sequence i consists of the token i."""

    eos_id = 0
    source_ids = np.arange(200) % 3
    lengths, num_targets = LENGTHS, LENGTHS - 1

    def __getitem__(self, i):
        return np.full(LENGTHS[i], i, np.int32), np.ones(LENGTHS[i], np.uint8)


def _plans(world_size=2, epochs=2, strategy="packing"):
    make = dict(strategy=strategy, max_length=128, packs_per_step=4, world_size=world_size, seed=1)
    return [plan_batches(LENGTHS, LENGTHS - 1, epoch=epoch, **make) for epoch in range(epochs)]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_share_the_packs_of_each_step(world_size):
    samplers = [PlanSampler(24, 4, world_size=world_size, rank=rank) for rank in range(world_size)]
    dealt = [list(sampler) for sampler in samplers]
    assert sorted(chain(*dealt)) == list(range(24))
    per_step = 4 // world_size
    for step in range(6):
        packs = chain(*(packs[step * per_step : (step + 1) * per_step] for packs in dealt))
        assert sorted(packs) == list(range(step * 4, step * 4 + 4))


def test_the_order_of_a_rank_is_that_of_the_plan():
    plan = _plans(epochs=1)[0]
    for rank in (0, 1):
        sampler = PlanSampler(plan.num_packs, plan.packs_per_step, world_size=2, rank=rank)
        steps, micro_steps = range(plan.num_steps), range(plan.packs_per_step // 2)
        assert list(sampler) == [
            plan.packs_per_step * step + 2 * micro + rank for step in steps for micro in micro_steps
        ]


def test_a_start_is_skipped_once_and_the_length_stays_that_of_the_run():
    whole = list(PlanSampler(24, 4, world_size=2, rank=1))
    sampler = PlanSampler(24, 4, world_size=2, rank=1, start_step=2)
    assert len(sampler) == 12
    assert list(sampler) == whole[4:]
    assert list(sampler) == whole
    assert list(PlanSampler(24, 4, start_step=6)) == []


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_shows_every_sequence_once_an_epoch_and_resumes_exactly(num_workers):
    plans = _plans()
    dataset = PackDataset(Mixture(), plans)
    assert len(dataset) == sum(plan.num_packs for plan in plans)

    def packs(start_step=0):
        seen = []
        for rank in (0, 1):
            sampler = PlanSampler(len(dataset), 4, world_size=2, rank=rank, start_step=start_step)
            seen.append(
                [pack.input_ids for pack in DataLoader(dataset, None, sampler=sampler, num_workers=num_workers)]
            )
        return [pack.tolist() for pair in zip(*seen, strict=True) for pack in pair]

    whole = packs()
    assert len(whole) == len(dataset)
    counts = np.bincount(np.concatenate([ids[0] for ids in whole if len(ids[0]) > 1]), minlength=200)
    assert np.array_equal(counts, 2 * LENGTHS)
    assert packs(start_step=3) == whole[12:]


@pytest.mark.parametrize("loss", ["sequence", "token", "pack"])
def test_weights_of_a_step_sum_to_its_normaliser(loss):
    dataset = PackDataset(Mixture(), _plans(), loss=loss)
    for step in range(len(dataset) // 4):
        packs = [dataset[step * 4 + k] for k in range(4)]
        total = sum(pack.loss_weights.double().sum().item() for pack in packs)
        assert [pack.step_weight for pack in packs] == pytest.approx([total] * 4, rel=1e-5)


def test_packs_know_their_sources_and_place():
    dataset = PackDataset(Mixture(), _plans())
    for number in (0, 5, len(dataset) - 5):
        pack = dataset[number]
        first = pack.input_ids[0, pack.cu_seqlens[:-1].long()]
        assert pack.source_ids.tolist() == (first % 3).tolist()
    assert dataset.locate(0) == (0, 0)
    assert dataset.locate(dataset.plans[0].num_packs) == (1, 0)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_packs_without_sequences_are_dummies_with_the_normaliser_of_their_step():
    plan = plan_batches(LENGTHS[:1], LENGTHS[:1] - 1, strategy="packing", max_length=128, packs_per_step=2)
    assert plan.num_packs == 2
    real, dummy = (PackDataset(Mixture(), [plan])[p] for p in (0, 1))
    assert not real.is_dummy and dummy.is_dummy
    assert real.step_weight == dummy.step_weight == 1


@pytest.mark.parametrize(("device", "waits"), [("cuda", False), ("cpu", True)])
def test_a_pack_goes_to_a_gpu_without_the_host_waiting(device, waits):
    class Moved:
        def to(self, device, non_blocking):
            return device.type, not non_blocking

    assert LongAlignData.transfer_batch_to_device(None, Moved(), torch.device(device), 0) == (device, waits)
