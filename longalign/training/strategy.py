"""FSDP2 on one device or many, with checkpoints that exist under their name only when they are whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule

from longalign.errors import UserError
from longalign.training.checkpoints import put_in_place, read_metadata, remove


class ShardStrategy(ModelParallelStrategy):
    """Shard parameters, gradients and optimizer states over all ranks (FSDP2); a checkpoint is a folder of shards.

    The model is sharded over ``shard_mesh`` by ``LongAlignModule.configure_model``. On one device nothing is split, so
    that the same code and the same checkpoints serve a laptop and a cluster.

    Args:
        save_distributed_checkpoint: False assembles one file on rank 0 instead.
        timeout: how long ranks wait for each other, for example while rank 0 reads the weights.
        reshard_after_forward: False keeps each layer's gathered weights until the backward: less communication, for 2
            bytes a parameter of memory on each GPU, which is worth it where packs are short.
        gather_once: in steps of several micro-steps, gather weights and reduce gradients once and not in each, where
            memory allows it without more to compute again. Each GPU then holds 6 bytes a parameter (bf16 weights, fp32
            gradients) in place of its shard of 4.
    """

    def __init__(
        self,
        save_distributed_checkpoint: bool = True,
        timeout: timedelta | None = timedelta(minutes=60),
        reshard_after_forward: bool = True,
        gather_once: bool = True,
    ) -> None:
        super().__init__("auto", 1, save_distributed_checkpoint, timeout=timeout)
        self.reshard_after_forward, self.gather_once = reshard_after_forward, gather_once

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    @property
    def shard_mesh(self) -> DeviceMesh:
        """The mesh over which the model is sharded: one dimension with all ranks."""
        if not hasattr(self, "_shard_mesh"):
            self._shard_mesh = init_device_mesh(self.root_device.type, (self.world_size,), mesh_dim_names=("shard",))
        return self._shard_mesh

    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write into a hidden folder (or file) beside ``filepath`` and rename it when every rank is done.

        A kill or a full disk at any moment leaves earlier checkpoints as they were. Raises what the disk raised, on
        every rank.
        """
        final = Path(self.broadcast(str(filepath)))
        temporary = final.with_name(f".{final.name}.incomplete")
        if self.is_global_zero:
            remove(temporary)
        self.barrier("checkpoint_clean")
        failure: BaseException | None = None
        try:
            super().save_checkpoint(checkpoint, temporary, storage_options)
        except (OSError, RuntimeError, CheckpointException) as error:  # a full disk may be any of these
            failure = error
        if any(self._gather_flags(failure is not None)):
            if self.is_global_zero:
                remove(temporary)
            if _is_ctrl_c(failure):
                raise KeyboardInterrupt from None
            full = shutil.disk_usage(final.parent).free < 64 * 2**20  # torch's message does not say so
            reason = "the disk is full" if full else _reason(failure)
            raise OSError(f"checkpoint {final} could not be written: {reason}") from failure
        if self.is_global_zero:
            put_in_place(temporary, final)
        self.barrier("checkpoint_renamed")

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """Lightning's own, except that no code in a checkpoint can run: pickles are read with ``weights_only``.

        Raises:
            UserError: the checkpoint is damaged, or is not of this model.
        """
        if Path(checkpoint_path).is_dir():
            read_metadata(Path(checkpoint_path))
        assert self.model is not None
        for module in self.model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()  # a forward leaves the root's weights gathered, and a single file is read into shards
        try:
            with _only_weights():
                return super().load_checkpoint(checkpoint_path, weights_only=weights_only)
        except (OSError, ValueError, KeyError, RuntimeError, EOFError, UnpicklingError, CheckpointException) as error:
            if _is_ctrl_c(error):
                raise KeyboardInterrupt from None
            raise UserError(f"ckpt_path: {checkpoint_path} cannot be loaded: {_reason(error)}") from error

    def _gather_flags(self, flag: bool) -> list[bool]:
        """The flags of all ranks, on every rank."""
        flags = torch.zeros(self.world_size, device=self.root_device)
        flags[self.global_rank] = float(flag)
        return [bool(f) for f in self.reduce(flags, reduce_op="sum").tolist()]


@contextmanager
def _only_weights() -> Iterator[None]:
    """Inside, torch.load reads with ``weights_only`` even where torch's checkpoint reader asks it not to."""
    key = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(key)
    os.environ[key] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before


def _is_ctrl_c(failure: BaseException | None) -> bool:
    """Whether Ctrl-C ended the writing or reading: torch wraps whatever a rank meets in an error of its own."""
    causes = failure.failures.values() if isinstance(failure, CheckpointException) else ()
    return any(isinstance(cause, KeyboardInterrupt) for cause, _ in causes)


def _reason(failure: BaseException | None) -> str:
    """One line on the cause: torch's message holds a traceback, whose line with an errno, or else the last, says it."""
    lines = [line.strip() for line in str(failure or "another rank failed").splitlines() if line.strip()]
    return next((line for line in lines if "Errno" in line), lines[-1] if lines else type(failure).__name__)
