"""What every command starts with."""

import os

import pytest

from longalign.__main__ import guard


@pytest.mark.parametrize("theirs", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", None])
def test_the_gpus_memory_is_kept_in_one_piece_unless_the_user_has_options_for_it(theirs, monkeypatch):
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)
    if theirs:
        monkeypatch.setenv(theirs, "max_split_size_mb:512")
    seen = []
    assert guard("fit", lambda *_: seen.append(os.environ.get("PYTORCH_ALLOC_CONF")), []) == 0
    ours = "expandable_segments:True" if theirs is None else None
    assert seen == ["max_split_size_mb:512" if theirs == "PYTORCH_ALLOC_CONF" else ours]
