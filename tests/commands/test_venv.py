"""The scripts in bin/ run in the repository's .venv."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_without_dependencies_a_script_ends_with_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        enter_venv(tmp_path)
    assert "run bin/install" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["reproduce", "benchmark-gpu", "torchrun-fit"])
def test_without_dependencies_a_launcher_ends_with_one_line(tmp_path, name):
    (tmp_path / "bin").mkdir()
    script = shutil.copy(Path(__file__).parents[2] / "bin" / name, tmp_path / "bin")
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    ended = subprocess.run([script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True)
    assert ended.returncode == 2 and "run bin/install" in ended.stderr and len(ended.stderr.splitlines()) == 1
