"""Numbers of the original LongAlign code (tests/golden/README.md): logits of a pack, losses and gradients of a step."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from longalign.data.collate import Pack, collate
from longalign.model.loading import load_config, load_model, prepare_model

GOLDEN = Path(__file__).parent.parent / "golden"
TINY = str(GOLDEN / "llama_tiny")
BATCHES = load_file(GOLDEN / "pack_loss/batches.safetensors")
LOSSES = json.loads((GOLDEN / "pack_loss/llama_losses.json").read_text())
GRADS = load_file(GOLDEN / "pack_loss/llama_grads.safetensors")
FULL_PACKS = {"n1.idx32": 1, "n1.idx35": 1, "n1.idx45": 1, "n8.step4": 8}  # scenario -> ranks
MODES = {"pack_loss": "sequence", "no_pack_loss": "pack"}  # the original's switch -> our loss


@pytest.fixture(scope="module", params=["none", "attention"])
def model(request):
    model = load_model(TINY, load_config(TINY), dtype=torch.float32)
    return prepare_model(model, "sdpa", request.param)


def rank_packs(scenario: str, ranks: int, loss: str) -> list[Pack]:
    packs = []
    for rank in range(ranks):
        ids, labels, cu = (BATCHES[f"{scenario}.rank{rank}.{key}"] for key in ("input_ids", "labels", "cu_seqlens"))
        bounds = list(zip(cu[:-1].tolist(), cu[1:].tolist(), strict=True))
        packs.append(collate([(ids[0, a:b], labels[0, a:b]) for a, b in bounds], loss=loss))
    return packs


def test_packed_logits_equal_the_original(model):
    expected = load_file(GOLDEN / "llama_tiny/expected.safetensors")
    cu = expected["pack.cu_seqlens"].tolist()
    ids = expected["pack.input_ids"][0]
    pack = collate([(ids[a:b], ids[a:b]) for a, b in pairwise(cu)])
    torch.testing.assert_close(model.packed_logits(pack), expected["pack.logits"][0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", FULL_PACKS)
def test_step_losses_and_gradients_equal_the_original(model, scenario, mode):
    ranks = FULL_PACKS[scenario]
    expected = LOSSES[scenario][mode]
    packs = rank_packs(scenario, ranks, MODES[mode])
    step_weight = sum(float(pack.loss_weights.double().sum()) for pack in packs)
    model.zero_grad()
    rank_losses = []
    for pack in packs:
        loss_sum, _ = model.packed_loss(pack)
        loss = loss_sum * ranks / step_weight
        (loss / ranks).backward()
        rank_losses.append(loss.item())
    assert rank_losses == pytest.approx(expected["rank_losses"], rel=1e-5)
    assert sum(rank_losses) / ranks == pytest.approx(expected["mean_loss"], rel=1e-5)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    norms = {name: float(gradient.norm()) for name, gradient in gradients.items()}
    assert norms == pytest.approx(expected["grad_norms"], rel=1e-4)
    compared = [key for key in GRADS if key.startswith(f"{scenario}.{mode}.")]
    for key in compared:
        ours = gradients[key.removeprefix(f"{scenario}.{mode}.")]
        torch.testing.assert_close(ours, GRADS[key], atol=1e-5, rtol=0)
