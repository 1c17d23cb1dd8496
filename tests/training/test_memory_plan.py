"""What a run does with the memory that is there."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn

from longalign.errors import UserError
from longalign.model.memory import GIB
from longalign.model.memory_choice import UNKNOWN_HOST
from longalign.training import module
from longalign.training.module import LongAlignModule
from longalign.training.strategy import ShardStrategy
from tests.training.conftest import TINY


def test_a_validation_needs_no_room_for_training(monkeypatch):
    monkeypatch.setattr(module, "free_memory", lambda *_: (3 * GIB, UNKNOWN_HOST))
    monkeypatch.setattr(module, "beside_other_programs", lambda _: "")
    monkeypatch.setattr(ShardStrategy, "root_device", torch.device("cuda"))
    data = SimpleNamespace(max_length=1 << 24, packs_per_step=1, plans=[SimpleNamespace(fill=lambda: 1.0)])

    def plan(what):
        trainer = SimpleNamespace(datamodule=data, world_size=1, num_devices=1, state=SimpleNamespace(fn=what))
        monkeypatch.setattr(LongAlignModule, "trainer", trainer)
        return LongAlignModule(TINY)._plan_memory(ShardStrategy(), fused=True, dtype=torch.bfloat16)

    with pytest.raises(UserError, match="a step on packs of 16,777,216 tokens needs"):
        plan(TrainerFn.FITTING)
    assert not plan(TrainerFn.VALIDATING).offloaded
