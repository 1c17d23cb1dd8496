"""FSDP2 for one device and for many, with checkpoints that are either whole or not there."""

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

from longalign.errors import UserError
from longalign.training.checkpoints import put_in_place, read_metadata, remove


class ShardStrategy(ModelParallelStrategy):
    """Shard parameters, gradients and optimizer states over all ranks (FSDP2); a checkpoint is a folder of shards.

    The model is sharded over ``shard_mesh`` by ``LongAlignModule.configure_model``. On one device nothing is split, so
    that the same code and the same checkpoints serve a laptop and a cluster.

    Args:
        save_distributed_checkpoint: False assembles one file on rank 0 instead.
        timeout: how long ranks wait for each other, for example while rank 0 reads the weights.
        reshard_after_forward: False keeps each layer's gathered weights for the backward: less talk between GPUs for
            2 bytes a parameter of memory on each, which pays where packs are short.
    """

    def __init__(
        self,
        save_distributed_checkpoint: bool = True,
        timeout: timedelta | None = timedelta(minutes=60),
        reshard_after_forward: bool = True,
    ) -> None:
        super().__init__("auto", 1, save_distributed_checkpoint, timeout=timeout)
        self.reshard_after_forward = reshard_after_forward

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    @property
    def shard_mesh(self) -> DeviceMesh:
        """One dimension, all ranks."""
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
        except (OSError, RuntimeError, CheckpointException) as error:  # as which a full disk may show
            failure = error
        if any(self._gather_flags(failure is not None)):
            if self.is_global_zero:
                remove(temporary)
            full = shutil.disk_usage(final.parent).free < 64 * 2**20  # torch's own words for it say nothing
            reason = "the disk is full" if full else _reason(failure)
            raise OSError(f"checkpoint {final} could not be written: {reason}") from failure
        if self.is_global_zero:
            put_in_place(temporary, final)
        self.barrier("checkpoint_renamed")

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """As Lightning's, but nothing that a checkpoint holds is ever run: no pickle without ``weights_only``.

        Raises:
            UserError: the checkpoint is damaged, or is not of this model.
        """
        if Path(checkpoint_path).is_dir():
            read_metadata(Path(checkpoint_path))
        try:
            with _only_weights():
                return super().load_checkpoint(checkpoint_path, weights_only=weights_only)
        except (OSError, ValueError, KeyError, RuntimeError, EOFError, UnpicklingError, CheckpointException) as error:
            raise UserError(f"ckpt_path: {checkpoint_path} cannot be loaded: {_reason(error)}") from error

    def _gather_flags(self, flag: bool) -> list[bool]:
        flags = torch.zeros(self.world_size, device=self.root_device)
        flags[self.global_rank] = float(flag)
        return [bool(f) for f in self.reduce(flags, reduce_op="sum").tolist()]


@contextmanager
def _only_weights() -> Iterator[None]:
    """torch's checkpoint reader asks for plain pickles of the optimizer's numbers; this overrules it."""
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


def _reason(failure: BaseException | None) -> str:
    """The cause in words, on one line: of the traceback that torch puts into its message, the system's or the last."""
    lines = [line.strip() for line in str(failure or "another rank failed").splitlines() if line.strip()]
    return next((line for line in lines if "Errno" in line), lines[-1] if lines else type(failure).__name__)
