"""Notebooks run, print what they show, and hold their pictures."""

import contextlib
import io
import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def printed(cell: dict) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(path.parent)
    names: dict = {}
    for cell in cells(path):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec("".join(cell["source"]), names)
        assert said.getvalue() == printed(cell)
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_from_top_to_bottom_and_holds_its_pictures(path):
    assert [cell["execution_count"] for cell in cells(path)] == list(range(1, len(cells(path)) + 1))
    pictures = [output for cell in cells(path) for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    assert not any(output["output_type"] == "error" for cell in cells(path) for output in cell["outputs"])
