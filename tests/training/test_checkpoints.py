import os

import pytest
import torch
import torch.distributed.checkpoint as dcp

from longalign.errors import UserError
from longalign.training.checkpoints import (
    newest_checkpoint,
    put_in_place,
    read_metadata,
    remove,
    resolve_checkpoint,
    whole_checkpoints,
)


def sharded(folder, name, whole=True):
    path = folder / name
    dcp.save({"weight": torch.arange(4.0), "step": 3}, checkpoint_id=path, no_dist=True)
    if whole:
        (path / "meta.pt").write_text("meta")
    return path


def test_newest_is_by_number_and_only_whole_ones_count(tmp_path):
    old = sharded(tmp_path, "step999999.ckpt")
    new = sharded(tmp_path, "step1000000.ckpt")
    sharded(tmp_path, "step1000002.ckpt", whole=False)
    sharded(tmp_path, ".step1000004.ckpt.incomplete")
    torch.save({"state_dict": {}}, tmp_path / "step000010.ckpt")
    (tmp_path / "step1000006.ckpt").write_text("cut off")
    shard_gone, shard_cut = (sharded(tmp_path, f"step100000{n}.ckpt") for n in (7, 8))
    next(shard_gone.glob("*.distcp")).unlink()
    next(shard_cut.glob("*.distcp")).write_bytes(b"short")
    assert whole_checkpoints(tmp_path) == [tmp_path / "step000010.ckpt", old, new]
    assert newest_checkpoint(tmp_path) == new
    assert resolve_checkpoint("auto", tmp_path) == new
    assert resolve_checkpoint("auto", tmp_path / "empty") is None
    with pytest.raises(UserError, match="not a whole checkpoint"):
        resolve_checkpoint(str(tmp_path / "step1000002.ckpt"), tmp_path)


def test_a_checkpoint_comes_and_goes_in_one_move(tmp_path):
    final = sharded(tmp_path, "step000002.ckpt")
    aside = sharded(tmp_path, ".step000002.ckpt.incomplete")
    (aside / "meta.pt").write_text("newer")
    put_in_place(aside, final)
    assert (final / "meta.pt").read_text() == "newer"
    remove(final)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_and_then_its_name_are_flushed_before_the_older_one_goes(tmp_path, monkeypatch):
    final = sharded(tmp_path, "step000002.ckpt")
    aside = sharded(tmp_path, ".step000002.ckpt.incomplete")
    shards = {path.stat().st_ino for path in (*aside.iterdir(), aside)}
    flushed, last = [], tmp_path.stat().st_ino
    monkeypatch.setattr(
        "os.fsync", lambda file: flushed.append((os.fstat(file).st_ino, final.exists(), len(list(tmp_path.iterdir()))))
    )
    put_in_place(aside, final)
    assert {number for number, *_ in flushed[:-1]} == shards
    assert flushed[-1] == (last, True, 2)  # the new one and the older one


def test_metadata_that_would_run_something_is_refused(tmp_path):
    path = sharded(tmp_path, "step000002.ckpt")
    proof = tmp_path / "it-has-run"
    (path / ".metadata").write_bytes(b"cos\nsystem\n(S'touch " + str(proof).encode() + b"'\ntR.")
    with pytest.raises(UserError, match=r"(os|posix)\.system has no place"):
        read_metadata(path)
    assert newest_checkpoint(tmp_path) is None and not proof.exists()
