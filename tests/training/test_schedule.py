import math

import pytest
import torch

from longalign.training.schedule import WarmupCosine


def rates(total, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = WarmupCosine(optimizer, **options)
    scheduler.set_total_steps(total)
    seen = []
    for _ in range(total):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_linear_warm_up_then_cosine_to_zero():
    seen = rates(200, warmup_share=0.03)
    assert seen[:6] == pytest.approx([2 * (i + 1) / 6 for i in range(6)])
    assert seen[6:] == pytest.approx([1 + math.cos(math.pi * i / 194) for i in range(194)])


def test_no_step_is_wasted_at_rate_zero_and_a_rest_can_stay():
    assert all(rate > 0 for rate in rates(1) + rates(2) + rates(7))
    assert rates(50, final_share=0.1)[-1] == pytest.approx(2 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 47 / 48))))


def test_a_resumed_schedule_takes_its_length_and_base_rate_from_the_new_run():
    first_optimizer, second_optimizer = (torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in (2, 3))
    first = WarmupCosine(first_optimizer, total_steps=5)
    for _ in range(5):
        first_optimizer.step()
        first.step()
    second = WarmupCosine(second_optimizer, total_steps=20)
    second_optimizer.load_state_dict(first_optimizer.state_dict())  # with the rate 0 of the first run's end
    second.load_state_dict(first.state_dict())
    assert (second.last_epoch, second.total_steps) == (5, 20)
    assert second_optimizer.param_groups[0]["lr"] == 3 * second.factor(5) == second.get_last_lr()[0]
