"""Where FSDP2 puts the reduced gradients: into the memory that the activations leave, not beside it.

FSDP2 takes them from a stream of its own, and torch's allocator keeps the memory of streams apart. On a GPU that
activations fill, the gradients of the backward then find no room, and the activations of the next forward neither:
twice a step the allocator waits for the GPU and hands memory back to the driver. Here a step's gradients come from the
stream that computes; they take what the backward has just freed. A 7B model's step on one H200 went from 11.61 to
11.42 s by it (``bin/benchmark-gpu --steps 6 --cases 7b-document -- --model.checkpointing=matmuls
--model.kept_layers=13``, before and after).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_reduce_scatter: Any = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor  # before torch 2.13


class ComputeStreamGradients:
    """A reduce-scatter for ``FSDPModule.set_custom_reduce_scatter``, as FSDP2's own but for the memory of its output.

    FSDP2 lets its stream wait for the computing one right before it asks for an output, so whatever has been freed is
    free; and the optimizer, after which gradients are freed, waits for its stream. With gradients there already, of an
    earlier micro-step, the output is added to them and freed while that stream may still read it: it stays on it.

    Args:
        parameters: those whose gradients it reduces.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.input: Tensor | None = None  # of the call that is going on

    def allocate(self, size: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for the input, which FSDP2 asks for on the computing stream, then for the output, on its own.

        One rank's output is its input: FSDP2 would copy it.
        """
        computing = torch.cuda.default_stream(device) if device.type == "cuda" else None
        before, self.input = self.input, None
        if any(parameter.grad is not None for parameter in self.parameters):
            return torch.empty(*size, dtype=dtype, device=device)
        if before is not None and before.shape == torch.Size(size):
            return before
        with torch.cuda.stream(computing):
            memory = torch.empty(*size, dtype=dtype, device=device)
        self.input = memory if before is None else None
        return memory

    def __call__(
        self, output_tensor: Tensor, input_tensor: Tensor, group: Any, op: Any, async_op: bool = False
    ) -> dist.Work | None:
        return _reduce_scatter(output_tensor, input_tensor, group=group, op=op, async_op=async_op)


def use_compute_stream(model: nn.Module, layers: Sequence[nn.Module]) -> None:
    """Of a model whose layers and root are FSDP2 modules."""
    in_layers: set[int] = set()
    for layer in layers:
        parameters = list(layer.parameters())
        in_layers |= {id(parameter) for parameter in parameters}
        layer.set_custom_reduce_scatter(ComputeStreamGradients(parameters))  # type: ignore[operator]
    rest = [parameter for parameter in model.parameters() if id(parameter) not in in_layers]
    model.set_custom_reduce_scatter(ComputeStreamGradients(rest))  # type: ignore[operator]
