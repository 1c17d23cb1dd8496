"""What tests of ``longalign needle`` share: a small call of it, and what it writes."""

import json

import pytest

from longalign.__main__ import main

SMALL = ["--lengths=600,1200", "--depths=20,80", "--seeds=2"]


def needle(out, *more, small=True):
    return main(["needle", f"--out={out}", *(SMALL if small else []), *more])


def status_of(*options, out):
    with pytest.raises(SystemExit) as ended:
        needle(out, *options)
    return ended.value.code


def rows_of(out):
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def summary_of(out):
    return json.loads((out / "summary.json").read_text())
