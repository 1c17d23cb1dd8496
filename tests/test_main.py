"""What every command starts with."""

import os
import subprocess
import sys

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


TABLE = "screen.show(screen.make_console(), 'x' * 10**6)"
ANSWER = "chat_session.Session(None, None, None)._write('x' * 10**6)"


@pytest.mark.parametrize("output", ["print('x' * 10**6)", TABLE, ANSWER])
def test_a_reader_of_stdout_that_goes_is_no_error(output):
    """As after `longalign plan --json | head -1`, without --json, and for `longalign chat`."""
    code = "import sys, longalign.__main__ as m; from longalign.commands import chat_session, screen; "
    code += f"sys.exit(m.guard('plan', lambda *_: {output}, []))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")
