"""Running a Python script of bin/ in the repository's .venv, where there is one, whatever `python3` is."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def enter_venv(root: Path = ROOT) -> None:
    """Start this script again with the interpreter in `root`/.venv, unless it is that one or there is none."""
    venv = root / ".venv"
    python = venv / "bin" / "python"
    if python.exists() and Path(sys.prefix) != venv:
        os.execv(python, [str(python), *sys.argv])
