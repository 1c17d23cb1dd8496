"""Weights tensor by tensor, shard after shard: read from safetensors or .bin files, written as safetensors.

Shards are memory-mapped and tensors are written from where they lie, so that no more than two shards are in memory.
"""

import errno
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from longalign.errors import UserError
from longalign.files import read_json, write_json

_KINDS = (  # the index, the single file
    ("model.safetensors.index.json", "model.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model.bin"),
)


def shard_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights; safetensors where it has both kinds.

    Raises:
        UserError: no weights, an unreadable index, or a shard that the index names is missing.
    """
    for index, single in _KINDS:
        if (folder / index).is_file():
            return _indexed_files(folder / index)
        if (folder / single).is_file():
            return [folder / single]
    raise UserError(f"{folder}: no weights here; expected {', '.join(name for pair in _KINDS for name in pair)}")


def _indexed_files(index: Path) -> list[Path]:
    try:
        names = sorted(set(read_json(index)["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: not an index of weight files ({type(error).__name__}: {error})") from error
    if outside := [name for name in names if Path(name).name != name]:
        raise UserError(f"{index}: {outside[0]!r} is not a file beside it")
    files = [index.parent / name for name in names]
    if missing := [file.name for file in files if not file.is_file()]:
        raise UserError(f"{index.parent}: {len(missing)} of {len(files)} shards not found, the first is {missing[0]}")
    return files


def read_tensors(files: list[Path]) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of every file in turn. No pickle is run: .bin files are read with ``weights_only=True``.

    Raises:
        UserError: a damaged file, or one that holds more than tensors.
    """
    for file in files:
        try:
            yield from _read_safetensors(file) if file.suffix == ".safetensors" else _read_bin(file)
        except pickle.UnpicklingError as error:  # torch's own words advise to run it
            raise UserError(f"{file}: cannot be read: damaged, or holds more than tensors") from error
        except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{file}: cannot be read: {first[:200]}") from error


def _read_safetensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    with safe_open(file, "pt") as opened:
        for name in opened.keys():  # noqa: SIM118 (it is no mapping)
            yield name, opened.get_tensor(name)


def _read_bin(file: Path) -> Iterator[tuple[str, Tensor]]:
    mapped = zipfile.is_zipfile(file)  # files of torch before 1.6 cannot be mapped
    state = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{file}: expected a dictionary of tensors, got {type(state).__name__}")
    while state:
        name = next(iter(state))
        yield name, state.pop(name)


@contextmanager
def write_errors(name: str) -> Iterator[None]:
    """What safetensors could not write is an OSError in the block, as for other files; its reason is in its text."""
    try:
        yield
    except SafetensorError as error:
        number = errno.ENOSPC if "No space left" in str(error) else errno.EIO
        raise OSError(number, f"{name}: {error}") from error


class ShardWriter:
    """Collects tensors and writes a safetensors file whenever ``max_bytes`` would be passed; ``close`` names them.

    One file is ``model.safetensors``; more are ``model-00001-of-00002.safetensors``, … and an index.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.pending: dict[str, Tensor] = {}
        self.pending_bytes = self.total_bytes = 0
        self.shards: list[list[str]] = []

    def add(self, name: str, tensor: Tensor) -> None:
        if self.pending and self.pending_bytes + tensor.nbytes > self.max_bytes:
            self._flush()
        tensor = tensor.contiguous()
        if any(tensor.data_ptr() == other.data_ptr() for other in self.pending.values()):
            tensor = tensor.clone()  # two names of one tensor: a file of safetensors has no such thing
        self.pending[name] = tensor
        self.pending_bytes += tensor.nbytes

    def _flush(self) -> None:
        path = self._path(len(self.shards))
        with write_errors(path.name):
            save_file(self.pending, path, metadata={"format": "pt"})
        path.chmod(0o644)  # safetensors makes it for its owner alone
        self.total_bytes += self.pending_bytes
        self.shards.append(list(self.pending))
        self.pending, self.pending_bytes = {}, 0

    def _path(self, number: int) -> Path:
        return self.folder / f"shard{number:05d}.safetensors"

    def close(self) -> None:
        """Write what is left, and give the files their names."""
        if self.pending:
            self._flush()
        count = len(self.shards)
        names = [f"model-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]
        if count == 1:
            names = ["model.safetensors"]
        for number, name in enumerate(names):
            self._path(number).rename(self.folder / name)
        if count > 1:
            weight_map = {key: name for name, keys in zip(names, self.shards, strict=True) for key in keys}
            index = {"metadata": {"total_size": self.total_bytes}, "weight_map": weight_map}
            write_json(self.folder / "model.safetensors.index.json", index)
