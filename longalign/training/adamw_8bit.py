"""AdamW with 8-bit states: torchao's, with a step that is less work.

torchao compiles a step of one parameter on its tensor subclasses, whose wrapping takes the host the better part of a
millisecond a parameter, while a GPU waits: here the subclasses are taken apart first. And it looks for the code of a
number by ten dependent reads of a table: here two reads confirm what arithmetic has found. States, their format and
every number are torchao's (Dettmers et al. 2022, blocks of 256, dynamic map), so checkpoints fit both ways.
"""

from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from longalign.errors import UserError

try:
    from torchao.optim import AdamW8bit as TorchaoAdamW8bit
    from torchao.optim.quant_utils import dequant_with_qmap, quantize_8bit_with_qmap, scale_tensor
    from torchao.optim.subclass_8bit import OptimState8bit
except ImportError as error:
    raise ImportError(f"AdamW8bit needs torchao: pip install -e .[optim] ({error})") from error


class AdamW8bit(TorchaoAdamW8bit):
    """Use as ``--model.optimizer longalign.training.adamw_8bit.AdamW8bit``; arguments are torchao's.

    Raises:
        UserError: amsgrad, which this step does not have.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        if self.param_groups[-1]["amsgrad"]:
            raise UserError("model.optimizer.amsgrad: got true, expected false; torchao.optim.AdamW8bit has it")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bounds: dict[tuple[bool, torch.device], Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update. Parameters with fewer than 4096 local numbers keep whole states, as in torchao."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch._dynamo.utils.disable_cache_limit():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update(parameter, group)
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = self._new_buffer(parameter, True)
            state["exp_avg_sq"] = self._new_buffer(parameter, False)
        state["step"] += 1
        first, second = _local(state["exp_avg"]), _local(state["exp_avg_sq"])
        numbers = (_local(parameter.detach()), _local(parameter.grad), state["step"])
        settings = (group["lr"], *group["betas"], group["weight_decay"], group["eps"])
        if isinstance(first, OptimState8bit):
            parts = (x for state in (first, second) for x in (state.codes, state.scale, state.qmap, self._bound(state)))
            _step_8bit(*numbers, *parts, *settings, block_size=first.block_size)
        else:
            _step_whole(*numbers, first, second, *settings)

    def _bound(self, state: OptimState8bit) -> Tensor:
        key = (state.signed, state.codes.device)
        if key not in self._bounds:
            self._bounds[key] = code_bounds(state.qmap.cpu()).to(state.codes.device)
        return self._bounds[key]


def code_bounds(qmap: Tensor) -> Tensor:
    """fp32 ``[257]``: the least number that ``quantize_8bit_with_qmap`` gives each code, and infinities at the ends.

    Found by halving between -2 and 2, in the order of the bits of floats.
    """
    codes = torch.arange(1, 256)
    low, high = (torch.full((255,), sign * 2**30, dtype=torch.int64) for sign in (-1, 1))  # 2**30 are the bits of 2.0
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = quantize_8bit_with_qmap(_float_at(middle), qmap) >= codes
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    infinity = torch.tensor([torch.inf])
    return torch.cat([-infinity, _float_at(high), infinity])


def _float_at(place: Tensor) -> Tensor:
    """The float with these bits; negative places mirror positive ones."""
    bits = place.abs().to(torch.int32).view(torch.float32)
    return torch.where(place < 0, -bits, bits)


def quantize(numbers: Tensor, bounds: Tensor, signed: bool) -> Tensor:
    """uint8 codes of numbers from -1 to 1: those of ``quantize_8bit_with_qmap``, whose ``code_bounds`` are given.

    The dynamic map has seven decades below 1, each with twice the levels of the one below it (from 1, or 2 where it has
    no negative numbers), evenly spaced. So the code is known but for 1 before the table is read.
    """
    size, first = numbers.abs(), 1 if signed else 2
    levels, power = torch.full_like(size, first), torch.full_like(size, 1e6)
    for decade in range(1, 7):
        above = size >= 10.0 ** (decade - 7)
        levels = torch.where(above, float(first * 2**decade), levels)
        power = torch.where(above, 10.0 ** (6 - decade), power)
    rank = torch.floor((size * power - 0.1) * (levels / 0.9)) + (levels - first)  # -1: nearer to 0 than to any level
    place = torch.where(numbers < 0, 126 - rank, 128 + rank) if signed else 1 + rank
    code = place.clamp(0, 255).to(torch.int32)
    return (code + (numbers >= bounds[code + 1]).int() - (numbers < bounds[code]).int()).to(torch.uint8)


def _local(tensor: Any) -> Any:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _adamw(
    p: Tensor, grad: Tensor, step: Tensor, m: Tensor, v: Tensor, lr: Tensor, b1: float, b2: float, wd: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The new parameter and moments, in fp32 and in torchao's order of operations."""
    p32, g32 = p.float(), grad.float()
    p32 = p32 - lr * wd * p32
    m, v = m.lerp(g32, 1 - b1), v.lerp(g32.square(), 1 - b2)
    denominator = v.sqrt() / (1 - b2**step).sqrt() + eps
    return p32 - lr * (m / (1 - b1**step)) / denominator, m, v


@torch.compile(fullgraph=True, dynamic=False, options={"assert_indirect_indexing": False})  # codes are clamped
def _step_8bit(
    p: Tensor,
    grad: Tensor,
    step: Tensor,
    m_codes: Tensor,
    m_scale: Tensor,
    m_map: Tensor,
    m_bounds: Tensor,
    v_codes: Tensor,
    v_scale: Tensor,
    v_map: Tensor,
    v_bounds: Tensor,
    *settings: Any,
    block_size: int,
) -> None:
    m, v = dequant_with_qmap(m_codes, m_map, m_scale), dequant_with_qmap(v_codes, v_map, v_scale)
    new, m, v = _adamw(p, grad, step, m, v, *settings)
    for codes, scale, bounds, moment, signed in (
        (m_codes, m_scale, m_bounds, m, True),
        (v_codes, v_scale, v_bounds, v, False),
    ):
        scaled, new_scale = scale_tensor(moment, block_size)
        codes.copy_(quantize(scaled, bounds, signed))
        scale.copy_(new_scale)
    p.copy_(new)


@torch.compile(fullgraph=True, dynamic=False)
def _step_whole(p: Tensor, grad: Tensor, step: Tensor, m: Tensor, v: Tensor, *settings: Any) -> None:
    new, new_m, new_v = _adamw(p, grad, step, m, v, *settings)
    p.copy_(new)
    m.copy_(new_m)
    v.copy_(new_v)
