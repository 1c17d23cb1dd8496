import pytest

from longalign.errors import UserError
from longalign.training.checkpoints import (
    newest_checkpoint,
    put_in_place,
    remove,
    resolve_checkpoint,
    whole_checkpoints,
)


def sharded(folder, name, whole=True):
    path = folder / name
    path.mkdir()
    (path / "__0_0.distcp").write_text("shard")
    if whole:
        (path / "meta.pt").write_text("meta")
    return path


def test_newest_is_by_number_and_only_whole_ones_count(tmp_path):
    old = sharded(tmp_path, "step999999.ckpt")
    new = sharded(tmp_path, "step1000000.ckpt")
    sharded(tmp_path, "step1000002.ckpt", whole=False)
    sharded(tmp_path, ".step1000004.ckpt.incomplete")
    (tmp_path / "step000010.ckpt").write_text("a single file")
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
