"""Running a Python script of bin/ in the repository's .venv, where there is one, whatever `python3` is."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def enter_venv(root: Path = ROOT) -> None:
    """Start this script again with the interpreter in `root`/.venv, unless it is that one or there is none.

    One that lacks longalign's dependencies ends with one line and status 2.
    """
    venv = root / ".venv"
    python = venv / "bin" / "python"
    if python.exists() and Path(sys.prefix) != venv:
        os.execv(python, [str(python), *sys.argv])
    if importlib.util.find_spec("lightning") is None:
        lacking = f"{sys.executable} lacks what longalign needs"
        remedy = "run bin/install, or pip install -e . into an active environment"
        print(f"{sys.argv[0]}: error: {lacking}: {remedy}", file=sys.stderr)
        raise SystemExit(2)
