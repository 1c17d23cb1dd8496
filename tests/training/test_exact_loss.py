"""One optimizer step through the real command line is the gradient of Eq. 2, whatever the packing, ranks and strategy.

With SGD at rate 1, no clipping and the whole data in one step, the change of the weights is the gradient itself.
"""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from longalign.chat import encode_conversation, load_tokenizer
from longalign.data.sources import read_conversations
from longalign.model.gradient_memory import ComputeStreamGradients
from tests.training.conftest import TINY, final_weights, run_here, scalars

SGD = [
    "--model.optimizer=torch.optim.SGD",
    "--model.optimizer.lr=1.0",
    "--model.scheduler=torch.optim.lr_scheduler.ConstantLR",
    "--model.scheduler.factor=1.0",
    "--trainer.gradient_clip_val=null",
]
DDP = "--trainer.strategy=ddp"


@pytest.fixture(scope="module")
def truth(data):
    """Loss and gradient: each conversation alone through the plain model, in float64; the mean of their means."""
    tokenizer = load_tokenizer(TINY)
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float64)
    losses, totals, targets = [], [], 0
    for path in (data["long"], data["short"]):
        for _, messages in read_conversations(path):
            ids, labels = (torch.tensor(x) for x in encode_conversation(messages, tokenizer, "llama2"))
            logits = model(ids[None], use_cache=False).logits[0]
            ce = cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")
            count = int((labels[1:] != -100).sum())
            losses.append(ce / count)
            totals.append(ce)
            targets += count
    results = {}
    # one sequence a pack: the mean over packs (Eq. 3) is the mean over sequences, too
    means = torch.stack(losses).mean()
    for mode, loss in (("sequence", means), ("pack", means), ("token", torch.stack(totals).sum() / targets)):
        gradients = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
        names = [name for name, _ in model.named_parameters()]
        results[mode] = loss.item(), dict(zip(names, gradients, strict=True))
    return results


def check(root: Path, expected) -> None:
    loss, gradients = expected
    assert scalars(root, "train/loss")[1] == pytest.approx(loss, abs=1e-6)
    before = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32).state_dict()
    after = final_weights(root)
    total = torch.stack([g.norm() for g in gradients.values()]).norm().item()
    assert scalars(root, "train/grad_norm")[1] == pytest.approx(total, rel=1e-5)
    for name, gradient in gradients.items():
        ours = before[name].double() - after[f"model.{name}"].double()
        torch.testing.assert_close(ours, gradient, atol=1e-6, rtol=0, msg=name)


@pytest.mark.parametrize(
    ("batching", "packs", "mode", "more"),
    [
        ("balanced", 16, "sequence", []),
        ("packing", 12, "token", []),
        ("naive", 48, "pack", ["--model.checkpointing=attention"]),
        ("sorted", 64, "sequence", ["--trainer.strategy=auto"]),
    ],
)
def test_one_rank(arguments, truth, tmp_path, batching, packs, mode, more):
    batch = [f"--data.strategy={batching}", f"--data.packs_per_step={packs}", f"--data.loss={mode}"]
    run_here(arguments(*SGD, *batch, *more))
    check(tmp_path / "run", truth[mode])


@pytest.mark.parametrize(
    ("batching", "packs", "mode", "more"),
    [
        ("balanced", 16, "sequence", ["--trainer.strategy.reshard_after_forward=false"]),
        ("packing", 12, "token", [DDP]),
    ],
)
def test_two_ranks(arguments, ranks, truth, tmp_path, batching, packs, mode, more):
    batch = [f"--data.strategy={batching}", f"--data.packs_per_step={packs}", f"--data.loss={mode}"]
    ranks.longalign(arguments(*SGD, *batch, *more, "--trainer.devices=2"))
    check(tmp_path / "run", truth[mode])


def test_gradients_are_reduced_once_a_step_or_in_each_micro_step(arguments, truth, tmp_path, monkeypatch):
    counts = {"true": 0, "false": 0}
    for once in counts:
        allocate = ComputeStreamGradients.allocate

        def counted(*args, once=once, allocate=allocate, **more):
            counts[once] += 1
            return allocate(*args, **more)

        with monkeypatch.context() as patch:
            patch.setattr(ComputeStreamGradients, "allocate", counted)
            steps = ("--data.strategy=naive", "--data.packs_per_step=48", f"--trainer.strategy.gather_once={once}")
            run_here(arguments(*SGD, *steps, root=once))
        check(tmp_path / once, truth["sequence"])
    assert counts["false"] == 48 * counts["true"] > 0
