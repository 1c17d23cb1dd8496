"""The scripts in bin/ run in the repository's .venv."""

import sys

from longalign.commands.venv import enter_venv


def test_a_script_is_started_again_in_the_venv_and_only_once(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("os.execv", lambda *call: started.append(call))
    monkeypatch.setattr(sys, "argv", ["bin/benchmark-x", "--steps", "3"])
    enter_venv(tmp_path)
    assert started == []  # there is no .venv
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    enter_venv(tmp_path)
    assert started == [(python, [str(python), "bin/benchmark-x", "--steps", "3"])]
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    enter_venv(tmp_path)
    assert len(started) == 1
