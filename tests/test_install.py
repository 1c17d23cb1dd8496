"""bin/install, with a pip that only says what it was called with."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("extras", "package"), [([], "."), (["demo"], ".[demo]"), (["dev", "demo"], ".[demo,dev]")])
def test_install_asks_pip_for_the_package_with_the_extras_that_are_given(tmp_path, extras, package):
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin/install", tmp_path / "bin/install")
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    said = subprocess.run([tmp_path / "bin/install", *extras], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == package
