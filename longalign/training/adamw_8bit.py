"""AdamW with 8-bit states: torchao's, with a step that is less work for the host.

torchao compiles the step of one parameter on its tensor subclasses. Wrapping them takes the host almost a millisecond
for each parameter, in which the GPU waits; here the plain tensors are taken out of the subclasses first. States, their
format and every number are torchao's (Dettmers et al. 2022, blocks of 256, dynamic map), so checkpoints of either can
be read by the other.
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
            parts = (x for moment in (first, second) for x in (moment.codes, moment.scale, moment.qmap))
            _step_8bit(*numbers, *parts, *settings, block_size=first.block_size)
        else:
            _step_whole(*numbers, first, second, *settings)


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


@torch.compile(fullgraph=True, dynamic=False, options={"assert_indirect_indexing": False})  # codes are bytes
def _step_8bit(
    p: Tensor,
    grad: Tensor,
    step: Tensor,
    m_codes: Tensor,
    m_scale: Tensor,
    m_map: Tensor,
    v_codes: Tensor,
    v_scale: Tensor,
    v_map: Tensor,
    *settings: Any,
    block_size: int,
) -> None:
    m, v = dequant_with_qmap(m_codes, m_map, m_scale), dequant_with_qmap(v_codes, v_map, v_scale)
    new, m, v = _adamw(p, grad, step, m, v, *settings)
    for codes, scale, qmap, moment in ((m_codes, m_scale, m_map, m), (v_codes, v_scale, v_map, v)):
        scaled, new_scale = scale_tensor(moment, block_size)
        codes.copy_(quantize_8bit_with_qmap(scaled, qmap))
        scale.copy_(new_scale)
    p.copy_(new)


@torch.compile(fullgraph=True, dynamic=False)
def _step_whole(p: Tensor, grad: Tensor, step: Tensor, m: Tensor, v: Tensor, *settings: Any) -> None:
    new, new_m, new_v = _adamw(p, grad, step, m, v, *settings)
    p.copy_(new)
    m.copy_(new_m)
    v.copy_(new_v)
