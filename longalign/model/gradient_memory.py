"""Where FSDP2 puts the reduced gradients: into the memory that the activations leave, not beside it.

FSDP2 allocates reduced gradients on a stream of its own, and torch's allocator does not reuse the memory of one stream
for another. On a GPU that is full of activations, there is then no room for the gradients of the backward, nor later
for the activations of the next forward: twice a step the allocator waits for the GPU and gives memory back to the
driver. Here the gradients are allocated on the computing stream, so they take the memory that the backward has just
freed. A step of a 7B model on one H200 went from 11.61 to 11.42 s (``bin/benchmark-gpu --steps 6 --cases 7b-document --
--model.checkpointing=matmuls --model.kept_layers=13``, before and after).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_reduce_scatter: Any = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor  # before torch 2.13


class ComputeStreamGradients:
    """A reduce-scatter for ``FSDPModule.set_custom_reduce_scatter``, as FSDP2's own but for the memory of its output.

    This is safe in the first micro-step: right before FSDP2 asks for an output, its stream waits for the computing
    stream, so freed memory is no longer in use; and gradients are freed after the optimizer, which waits for FSDP2's
    stream. If there are gradients of an earlier micro-step, the output is added to them and freed while FSDP2's stream
    may still read it, so then it is allocated on that stream, as FSDP2 would.

    Args:
        parameters: those whose gradients this call reduces.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.input: Tensor | None = None  # of the call that is going on

    def allocate(self, size: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Called by FSDP2 twice for each reduction: for the input on the computing stream, for the output on its own.

        With one rank the output has the size of the input and becomes the same memory, which saves a copy.
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
    """Install the reduce-scatter in the layers and the root of a model, all of which are FSDP2 modules."""
    in_layers: set[int] = set()
    for layer in layers:
        parameters = list(layer.parameters())
        in_layers |= {id(parameter) for parameter in parameters}
        layer.set_custom_reduce_scatter(ComputeStreamGradients(parameters))  # type: ignore[operator]
    rest = [parameter for parameter in model.parameters() if id(parameter) not in in_layers]
    model.set_custom_reduce_scatter(ComputeStreamGradients(rest))  # type: ignore[operator]
