"""Numbers of the original LongAlign code (tests/golden/README.md): logits, greedy answers, losses and gradients."""

import json
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed import init_process_group
from torch.distributed.device_mesh import init_device_mesh

from longalign.data.collate import collate
from longalign.model.sharding import prepare_model, shard_model
from tests.model.golden_numbers import FAMILIES, FULL_PACKS, GOLDEN, MODES, rank_packs


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", params=["none", "attention"])
def checkpointing(request):
    return request.param


@pytest.fixture(scope="module", params=FAMILIES)
def golden(request, checkpointing, cache):
    family = FAMILIES[request.param]
    config, model = family.load(cache)
    return family, config, prepare_model(model, "sdpa", checkpointing)


def golden_pack(expected):
    ids = expected["pack.input_ids"][0]
    return collate([(ids[a:b], ids[a:b]) for a, b in pairwise(expected["pack.cu_seqlens"].tolist())])


def test_packed_logits_equal_the_originals_llama(cache):
    expected = load_file(GOLDEN / "llama_tiny/expected.safetensors")
    model = prepare_model(FAMILIES["llama"].load(cache)[1], "sdpa", "none")
    logits = model.packed_logits(golden_pack(expected))[expected["pack.rows"]]
    torch.testing.assert_close(logits, expected["pack.logits"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("ratio", [200, 1])
def test_logits_and_greedy_answers_equal_the_originals_chatglm(ratio, cache):
    expected = load_file(GOLDEN / "chatglm3_tiny/expected.safetensors")
    model = FAMILIES["chatglm"].load(cache, ratio)[1].eval()
    with torch.no_grad():
        plain = model(expected["plain.input_ids"]).logits[0, expected["plain.rows"]]
    torch.testing.assert_close(plain, expected[f"ratio_{ratio}.plain.logits"], atol=1e-4, rtol=0)
    greedy = json.loads((GOLDEN / "chatglm3_tiny/greedy.json").read_text())[str(ratio)]
    prompt = torch.tensor([greedy["prompt"]])
    answer = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False)
    assert answer[0, prompt.shape[1] :].tolist() == greedy["generated"]
    packed = prepare_model(model, "sdpa", "none").packed_logits(golden_pack(expected))[expected["pack.rows"]]
    torch.testing.assert_close(packed, expected[f"ratio_{ratio}.pack.logits"], atol=1e-4, rtol=0)


def check_step(family, config, gradients, rank_losses, scenario, mode):
    expected = family.losses[scenario][mode]
    assert rank_losses == pytest.approx(expected["rank_losses"], rel=1e-5)
    assert sum(rank_losses) / len(rank_losses) == pytest.approx(expected["mean_loss"], rel=1e-5)
    ours = family.originals(gradients, config)
    norms = {name: float(gradient.norm()) for name, gradient in ours.items()}
    assert norms == pytest.approx(expected["grad_norms"], rel=1e-4)
    given = family.gradients(scenario, mode)
    for name, gradient in given.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-5, rtol=0)
    return len(given)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", FULL_PACKS)
def test_step_losses_and_gradients_equal_the_originals(golden, scenario, mode):
    family, config, model = golden
    packs, step_weight = rank_packs(scenario, mode)
    model.zero_grad()
    rank_losses = []
    for pack in packs:
        loss = model.packed_loss(pack)[0] * len(packs) / step_weight
        (loss / len(packs)).backward()
        rank_losses.append(loss.item())
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    compared = check_step(family, config, gradients, rank_losses, scenario, mode)
    assert compared == (3 if (scenario, mode) in WITH_GRADIENTS else 0)


WITH_GRADIENTS = {("n1.idx35", "pack_loss"), ("n8.step4", "pack_loss"), ("n8.step4", "no_pack_loss")}


def one_of_two_ranks(rank, folder, name):
    """The original's 8 ranks on 2 real ones: FSDP2 shards, gloo, four packs accumulated on each."""
    init_process_group("gloo")
    config, whole = FAMILIES[name].load(folder / "cache")
    model = shard_model(
        config,
        whole if rank == 0 else None,
        init_device_mesh("cpu", (2,)),
        torch.device("cpu"),
        attention="sdpa",
        checkpointing="attention",
        compute_dtype=torch.float32,
    )
    for mode in MODES:
        packs, step_weight = rank_packs("n8.step4", mode)
        model.zero_grad()
        losses = []
        for pack in packs[rank::2]:
            loss = model.packed_loss(pack)[0] * len(packs) / step_weight
            (loss / 4).backward()  # FSDP averages over the two ranks
            losses.append(loss.item())
        gradients = {name: parameter.grad.full_tensor() for name, parameter in model.named_parameters()}
        torch.save((losses, gradients), folder / f"{mode}{rank}.pt")


@pytest.mark.parametrize("name", FAMILIES)
def test_two_gloo_ranks_equal_the_originals_eight(ranks, name, tmp_path):
    family = FAMILIES[name]
    config, _ = family.load(tmp_path / "cache")
    ranks.call(one_of_two_ranks, tmp_path, name)
    for mode in MODES:
        results = [torch.load(tmp_path / f"{mode}{rank}.pt", weights_only=True) for rank in range(2)]
        rank_losses = [results[rank % 2][0][rank // 2] for rank in range(8)]
        for _, gradients in results:
            assert check_step(family, config, gradients, rank_losses, "n8.step4", mode) == 3
