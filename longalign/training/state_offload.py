"""Optimizer states of the decoder layers wait in the host's memory while the activations need the room on the GPU.

The states of a layer leave as its forward begins, and come back when its backward is done and its activations are gone;
the copies run beside the computation. So at the fullest moment of a step, between forward and backward, the GPU holds
almost none of them (with AdamW, 8 bytes for each parameter of a rank's shards). Tensors stay the same objects: their
storage is emptied and filled again, so optimizers, FSDP2 and checkpoints see no difference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from longalign.model.offload import HostChunks

MIN_BYTES = 1 << 20


@dataclass
class _Layer:
    """A layer's parameters, and what of their states is away: storages, their bytes, the chunks that hold them."""

    parameters: list[nn.Parameter]
    away: list[tuple[torch.UntypedStorage, int, list[Tensor]]] = field(default_factory=list)
    micro_step: int = -1  # the last one whose backward will call


class StateOffload:
    """Moves states of ``optimizer`` out and in as the layers run. Its hooks stay on the layers.

    Before each micro-step ``begin`` must be called, and after the last one of an optimizer step, before the update,
    ``wait``. Tensors of fewer than ``min_bytes`` stay on the GPU.

    Args:
        layers: modules whose first argument (or ``hidden_states``) is the hidden states, such as decoder layers. Under
            FSDP2 their parameters must be sharded now.
    """

    def __init__(self, optimizer: Optimizer, layers: Iterable[nn.Module], min_bytes: int = MIN_BYTES) -> None:
        self._optimizer, self._min_bytes = optimizer, min_bytes
        self._layers: list[_Layer] = []
        self._host = HostChunks()
        self._leaving: list[tuple[torch.UntypedStorage, torch.cuda.Event | None]] = []
        self._arrived: torch.cuda.Event | None = None
        self._micro_step, self._last_micro_step = 0, True
        # prepended, so that a hook sees the layer's input before FSDP2 does, and its gradient after FSDP2: copies that
        # begin before FSDP2's reduction would hold up its own small copy to the GPU, and so the computation
        for layer in layers:
            states = _Layer(list(layer.parameters()))
            layer.register_forward_pre_hook(partial(self._before_forward, states), prepend=True, with_kwargs=True)
            self._layers.append(states)
        optimizer.register_state_dict_pre_hook(lambda _: self.wait())  # a checkpoint in the middle of a step

    def begin(self, last_micro_step: bool) -> None:
        """Call before a micro-step. Only the last one's backward is followed by an update, which needs the states."""
        self._micro_step += 1
        self._last_micro_step = last_micro_step

    def wait(self) -> None:
        """Let the computing stream wait until all states are there; those that no backward has called come now."""
        for states in self._layers:
            self._bring(states)
        if self._arrived is not None:
            torch.cuda.current_stream().wait_event(self._arrived)
            self._arrived = None

    @property
    def bytes_away(self) -> int:
        """Bytes that are in the host's memory now."""
        return sum(size for states in self._layers for _, size, _ in states.away)

    def _before_forward(self, states: _Layer, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not (module.training and torch.is_grad_enabled()) or states.micro_step == self._micro_step:
            return  # no backward follows, or this is the backward, which computes the layer again
        states.micro_step = self._micro_step
        self._empty()
        hidden: Tensor = args[0] if args else kwargs["hidden_states"]
        if not states.away:
            self._send(states)
        if states.away and hidden.requires_grad:
            hidden.register_hook(partial(self._after_backward, states))

    def _after_backward(self, states: _Layer, _gradient: Tensor) -> None:
        if self._last_micro_step:
            self._bring(states)

    def _send(self, states: _Layer) -> None:
        """Begin to copy a layer's states to the host."""
        for parameter in states.parameters:
            for tensor in _plain_tensors(self._optimizer.state.get(parameter, {}).values()):
                storage = tensor.untyped_storage()
                elsewhere = storage.device.type != parameter.device.type  # with some optimizers, on the host already
                if elsewhere or storage.nbytes() < self._min_bytes or not storage.resizable():
                    continue
                chunks, copied = self._host.send(_bytes_of(storage))
                states.away.append((storage, storage.nbytes(), chunks))
                self._leaving.append((storage, copied))

    def _empty(self) -> None:
        """Free what was copied to the host, in the order of the computing stream (see ``ActivationOffload``)."""
        for storage, copied in self._leaving:
            if copied is not None:
                torch.cuda.current_stream(storage.device).wait_event(copied)
            storage.resize_(0)
        self._leaving.clear()

    def _bring(self, states: _Layer) -> None:
        """Begin to copy a layer's states back."""
        self._empty()
        for storage, size, chunks in states.away:
            storage.resize_(size)
            self._arrived = self._host.bring(chunks, _bytes_of(storage))
        states.away.clear()


def _bytes_of(storage: torch.UntypedStorage) -> Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)  # type: ignore[call-overload]


def _plain_tensors(values: Any) -> Iterator[Tensor]:
    """The tensors among ``values``, and of shards and quantised tensors those that they are made of."""
    for value in values:
        if is_traceable_wrapper_subclass(value):
            yield from _plain_tensors(getattr(value, name) for name in value.__tensor_flatten__()[0])
        elif isinstance(value, Tensor):
            yield value
