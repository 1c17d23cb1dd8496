"""`longalign data inspect` and `data prepare` through the command line, and how a sequence is cut into spans."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longalign.chat import load_tokenizer
from longalign.commands.pack_screen import END, PLAIN, TARGET, sequence_text, spans
from tests.training.conftest import TINY

TITLE = re.compile(
    r"^-- (\d+)/(\d+) (\w+) row (\d+): tokens ([\d,]+)-([\d,]+), positions ([\d,]+)-([\d,]+), "
    r"([\d,]+) targets × (\S+), (\S+)% of the step's loss$",
    re.MULTILINE,
)


def test_a_pack_shows_boundaries_weights_and_restarting_positions(longalign):
    out, _ = longalign("data inspect", "--pack=2")
    assert re.search("^pack 2 of ", out, re.MULTILINE) and "\x1b" not in out
    rows = TITLE.findall(out)
    boundaries = [int(n) for n in re.search(r"^cu_seqlens (.*)$", out, re.MULTILINE)[1].split()]
    assert len(rows) == int(rows[0][1]) == len(boundaries) - 1
    for row, start, stop in zip(rows, boundaries, boundaries[1:], strict=False):
        assert [int(n.replace(",", "")) for n in row[4:8]] == [start, stop - 1, 0, stop - start - 1]
        assert float(row[9]) == pytest.approx(1 / int(row[8]), rel=1e-2)


def test_the_shares_of_a_step_sum_to_one_over_its_packs(longalign):
    for loss in ("sequence", "token", "pack"):
        out, _ = longalign("data inspect", "--step=0", f"--data.loss={loss}")  # one rank: all packs of the step
        assert len(re.findall("^pack ", out, re.MULTILINE)) == 4
        shares = [float(row[10]) for row in TITLE.findall(out)]
        assert sum(shares) == pytest.approx(100, abs=0.06 * len(shares))


def test_ranks_share_out_a_step(longalign):
    shown = []
    for rank in range(2):
        out, _ = longalign("data inspect", "--step=1", "--world_size=2", f"--rank={rank}")
        shown += [int(number) for number in re.findall(r"^pack (\d+) ", out, re.MULTILINE)]
        assert f"rank {rank} of 2" in out
    assert sorted(shown) == [4, 5, 6, 7]


def test_every_target_is_marked_and_the_rest_is_folded(longalign):
    out, _ = longalign("data inspect", "--step=0", "--data.packs_per_step=64", "--data.strategy=naive", "--context=8")
    assert len(re.findall("⟦→ </s>⟧", out)) == 2  # two conversations have two rounds
    assert re.search(r"… \[\d+ tokens\] …", out)
    assert len(re.findall("⟦[^→]", out)) == 1 + 52  # the legend; answers: 48 of one round, 2 of two
    assert out.count("empty: it fills up the last step") == 14


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--pack=999"], "--pack: got 999"),
        (["--step=999"], "--step: got 999"),
        (["--step=0", "--rank=1"], "--rank: got 1, the plan has 1"),
        (["--rank=0"], "--step"),
        (["--pack=0", "--step=0"], "not both"),
        (["--step=0", "--world_size=3"], "multiple of 3"),
        (["--pakc=0"], "did you mean 'pack'"),
    ],
)
def test_a_mistake_is_one_line(longalign, more, said):
    out, err = longalign("data inspect", *more, status=2)
    assert out == "" and said in err and len(err.splitlines()) == 1, err


def test_text_of_spans_loses_no_blank_and_no_control_character_reaches_the_terminal():
    tokenizer = load_tokenizer(TINY)
    ids = np.array(tokenizer("river stone lamp \x1b[31m harbour", add_special_tokens=False).input_ids)
    shifted = np.full(len(ids), -100)
    shifted[1:3] = ids[2:4]
    text = sequence_text(ids, shifted, tokenizer, 40, marks=True).plain
    assert "\x1b" not in text and "⟦" in text
    whole = tokenizer.decode(ids).replace("\x1b", "␛")
    assert text.replace("⟦", "").replace("⟧", "").strip() == whole.strip()


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=30))
@settings(max_examples=200, deadline=None)
def test_spans_hold_each_token_once_and_each_target_once(kinds):
    kinds[0] = 0  # nothing predicts the first token
    ids = np.arange(10, 10 + len(kinds))
    shifted = np.full(len(ids), -100)
    for at, kind in enumerate(kinds[1:]):
        shifted[at] = {0: -100, 1: ids[at + 1], 2: 2}[kind]
    found = list(spans(ids, shifted))
    covered = [at for kind, start, stop in found if kind != END for at in range(start, stop)]
    assert covered == list(range(len(ids)))
    assert [at for kind, a, b in found if kind == TARGET for at in range(a, b)] == [
        i for i, k in enumerate(kinds) if k == 1
    ]
    assert [start for kind, start, _ in found if kind == END] == [i for i, k in enumerate(kinds) if k == 2]
    assert all(start < stop for kind, start, stop in found if kind in (PLAIN, TARGET))


def test_prepare_fills_the_cache_and_says_where(longalign, files, tmp_path):
    cache = tmp_path / "cache"
    out, _ = longalign("data prepare", f"--data.cache_dir={cache}")
    folders = re.findall(rf"{cache}/\S+", out)
    assert sorted(folders) == sorted(
        str(path) for path in cache.iterdir() if path.name.startswith(("long-", "short-")) and path.is_dir()
    )
    assert re.search(r"^all +51 +1 ", out, re.MULTILINE)
    again, _ = longalign("data prepare", f"--data.cache_dir={cache}")
    assert again == out


def test_special_tokens_that_decode_to_nothing_are_shown_by_name(longalign):
    chatglm = Path(__file__).parent.parent / "golden/chatglm3_tiny"
    out, _ = longalign("data inspect", "--data.chat_format=template", model=chatglm)
    assert "[gMASK]sop<|user|>" in out and "</s>⟧" in out
