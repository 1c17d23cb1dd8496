import itertools
import json
import logging

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from longalign.__main__ import main
from longalign.data.buckets import Bucket, LengthRange, length_range, length_ranges
from longalign.data.mixture import Source, select_rows
from longalign.data.synthetic import generate_conversations, write_jsonl
from longalign.errors import UserError
from tests.commands.test_configs import ParseOnly
from tests.training.conftest import TINY

LONG = np.random.default_rng(0).integers(4000, 70_000, 400)
SHORT = np.random.default_rng(1).integers(20, 2000, 3000)
LENGTHS = {"long": LONG, "short": SHORT}


def _select(buckets, seed=0, short=None, **long):
    buckets = {name: Bucket(**ask) for name, ask in buckets.items()}
    sources = {"long": Source("l", buckets=buckets, **long), "short": Source("s", **(short or {}))}
    return select_rows(LENGTHS, sources, seed=seed)


def _error(*args, **options) -> str:
    with pytest.raises(UserError) as caught:
        _select(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _inside(chosen, name: str) -> np.ndarray:
    """Lengths of what was chosen from a bucket, row by row."""
    rows = chosen.train["long"]
    return LONG[rows][length_range(name, "k").holds(LONG[rows])]


def test_k_is_1024_and_the_end_is_not_inside():
    assert length_range("8k-16k", "key") == LengthRange(8192, 16384)
    assert length_range("64k-", "key") == LengthRange(65536, None)
    assert length_range("0-500", "key").holds(np.array([0, 499, 500])).tolist() == [True, True, False]
    assert length_range("500-", "key").holds(np.array([499, 500, 10**12])).tolist() == [False, True, True]


def test_shares_hold_of_the_whole_mix_and_nothing_comes_from_outside():
    chosen = _select({"8k-16k": {"share_of_tokens": 0.1}, "16k-32k": {"share_of_tokens": 0.2}})
    total = LONG[chosen.train["long"]].sum() + SHORT.sum()
    assert _inside(chosen, "8k-16k").sum() / total == pytest.approx(0.1, abs=16_384 / total)
    assert _inside(chosen, "16k-32k").sum() / total == pytest.approx(0.2, abs=32_768 / total)
    assert len(_inside(chosen, "8k-32k")) == len(chosen.train["long"])
    outside = LONG[chosen.outside["long"]]
    assert np.array_equal(np.sort(outside), np.sort(LONG[(LONG < 8192) | (LONG >= 32768)]))
    assert len(chosen.outside["short"]) == 0


def test_counts_and_shares_stand_beside_each_other():
    chosen = _select({"8k-16k": {"count": 7}, "16k-32k": {"share_of_sequences": 0.02}, "64k-": {}})
    assert len(_inside(chosen, "8k-16k")) == 7
    assert len(_inside(chosen, "64k-")) == (LONG >= 65536).sum()
    fixed = 3000 + 7 + (LONG >= 65536).sum()
    assert len(_inside(chosen, "16k-32k")) == round(fixed * 0.02 / 0.98)


def test_a_bucket_over_all_lengths_is_the_source_itself():
    for ask in ({"count": 50}, {"share_of_tokens": 0.4}, {"share_of_sequences": 0.05}, {}):
        whole = select_rows(LENGTHS, {"long": Source("l", **ask, validation=9), "short": Source("s")})
        assert np.array_equal(whole.train["long"], _select({"0-": ask}, validation=9).train["long"])


def test_what_a_bucket_takes_lies_in_what_it_takes_when_it_grows():
    small, large = (
        _select({"8k-16k": {"count": n}, "16k-": {"count": 2 * n}}, validation=20, seed=3) for n in (10, 20)
    )
    assert set(small.train["long"]) < set(large.train["long"])
    assert len(small.train["long"]) == 30


def test_held_out_rows_do_not_know_of_buckets():
    plain = select_rows(LENGTHS, {"long": Source("l", validation=20), "short": Source("s")})
    chosen = _select({"32k-": {"count": 5}}, validation=20)
    assert np.array_equal(plain.validation["long"], chosen.validation["long"])
    assert len(np.intersect1d(chosen.validation["long"], chosen.outside["long"])) == 0


def test_repeat_is_the_buckets_and_the_sources_where_it_does_not_say():
    there = int(((LONG >= 8192) & (LONG < 16384)).sum())
    assert len(_select({"8k-16k": {"count": 3 * there, "repeat": True}}).train["long"]) == 3 * there
    assert len(_select({"8k-16k": {"count": 3 * there}}, repeat=True).train["long"]) == 3 * there
    assert "data.long.buckets.8k-16k.repeat: true" in _error(
        {"8k-16k": {"count": 3 * there, "repeat": False}}, repeat=True
    )


def test_the_largest_possible_share_of_a_bucket_is_told_and_possible():
    message = _error({"8k-16k": {"share_of_tokens": 0.5}, "16k-32k": {"share_of_tokens": 0.1}})
    assert message.startswith("data.long.buckets.8k-16k.share_of_tokens: 0.5 of the mix is")
    largest = float(message.split("possible is ")[1].split(",")[0])
    chosen = _select({"8k-16k": {"share_of_tokens": largest}, "16k-32k": {"share_of_tokens": 0.1}})
    assert len(_inside(chosen, "8k-16k")) == ((LONG >= 8192) & (LONG < 16384)).sum()
    assert "data.long.buckets.8k-16k" in _error(
        {"8k-16k": {"share_of_tokens": largest + 0.01}, "16k-32k": {"share_of_tokens": 0.1}}
    )


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({"8k-16k": {}, "12k-20k": {}}, "data.long.buckets: 8k-16k and 12k-20k overlap"),
        ({"8k-16k": {}, "8192-16384": {}}, "overlap"),
        ({"8k-": {}, "64k-": {}}, "overlap"),
        ({"16k-8k": {}}, "holds no length"),
        ({"8k-8k": {}}, "holds no length"),
        ({"8K": {}}, "data.long.buckets: got '8K'"),
        ({"-8k": {}}, "expected tokens from-below"),
        ({"": {}}, "expected tokens from-below"),
        ({}, "holds no bucket"),
        ({"8k-": {"count": 1, "share_of_tokens": 0.5}}, "data.long.buckets.8k-: count and share_of_tokens exclude"),
        ({"8k-": {"count": -1}}, "data.long.buckets.8k-.count: got -1"),
        ({"8k-": {"share_of_tokens": 2}}, "data.long.buckets.8k-.share_of_tokens: got 2"),
        ({"8k-": {"share_of_tokens": float("nan")}}, "expected 0 to 1"),
        ({"8k-16k": {"share_of_tokens": 0.1}, "16k-": {"share_of_sequences": 0.1}}, "cannot be mixed"),
        ({"8k-16k": {"share_of_tokens": 0.5}, "16k-": {"share_of_tokens": 0.5}}, "leaves nothing"),
        ({"100k-": {"share_of_tokens": 0.1}}, "data.long.buckets.100k-.share_of_tokens: 0.1 of the mix is asked for"),
        ({"100k-": {"count": 1, "repeat": True}}, "1 row asked for, of 0; leave it out"),
    ],
)
def test_senseless_buckets_are_refused_by_key(buckets, expected):
    assert expected in _error(buckets)


def test_a_share_too_small_for_one_row_is_told(caplog):
    caplog.set_level(logging.INFO)
    chosen = _select({"8k-16k": {"share_of_tokens": 1e-4}, "16k-32k": {}}, short={"count": 9})
    assert len(_inside(chosen, "8k-16k")) == 0
    key = "data.long.buckets.8k-16k.share_of_tokens"
    assert caplog.messages == [f"{key}: 0.0001 of the mix makes no row: none is taken"]
    caplog.clear()
    _select({"8k-16k": {"share_of_tokens": 0}, "16k-32k": {"share_of_tokens": 0.1}})
    assert not caplog.messages


def test_a_share_of_the_source_and_of_its_buckets_are_not_both_meant():
    assert "data.long.share_of_tokens: goes into data.long.buckets" in _error({"8k-": {}}, share_of_tokens=0.5)


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.integers(0, 99), min_size=2, max_size=5, unique=True).map(sorted),
    open_end=st.booleans(),
    share=st.floats(0.01, 0.15),
    kind=st.sampled_from(["share_of_sequences", "share_of_tokens"]),
    repeat=st.booleans(),
    seed=st.integers(0, 5),
)
@example(edges=[0, 11, 22], open_end=False, share=0.1, kind="share_of_sequences", repeat=False, seed=1)  # 7.5 rows of 7
def test_selections_of_buckets_are_disjoint_unique_and_hold_their_shares(edges, open_end, share, kind, repeat, seed):
    rng = np.random.default_rng(seed)
    lengths = {"a": rng.integers(1, 100, 80), "b": rng.integers(1, 100, 60)}
    names = [f"{low}-{high}" for low, high in itertools.pairwise(edges)] + [f"{edges[-1]}-"] * open_end
    buckets = {name: Bucket(**{kind: share}, repeat=repeat) for name in names}
    sources = {"a": Source("a", buckets=buckets, validation=0.1), "b": Source("b")}
    try:
        chosen = select_rows(lengths, sources, seed=seed)
    except UserError as error:
        assert "largest possible" in str(error) or "there are 0" in str(error)
        return
    train, held, outside = chosen.train["a"], chosen.validation["a"], chosen.outside["a"]
    assert len({*train, *held, *outside}) == len({*train}) + len(held) + len(outside)
    assert repeat or len(set(train)) == len(train)
    by_tokens = kind == "share_of_tokens"
    total = (lengths["b"].sum() if by_tokens else 60) / (1 - share * len(names))
    for span in length_ranges(buckets, "a").values():
        mine = lengths["a"][train][span.holds(lengths["a"][train])]
        slack = 50 if by_tokens else 0.5
        assert abs((mine.sum() if by_tokens else len(mine)) - share * total) <= slack + 1e-6 * total


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("buckets")
    for kind, count, length in (("long", 24, (1000, 12_000)), ("short", 30, None)):
        write_jsonl(folder / f"{kind}.jsonl", generate_conversations(kind, count, length=length, seed=1, language="en"))
    return folder


def _plan(files, capsys, *more: str, command: tuple[str, ...] = ("plan", "--json")) -> str:
    options = [f"--data.short={files}/short.jsonl", f"--data.cache_dir={files}/cache", "--data.chat_format=llama2"]
    small = ["--data.max_length=8192", "--data.num_proc=1", f"--model.model={TINY}"]
    capsys.readouterr()
    assert main([*command, *options, *small, *more]) == 0
    return capsys.readouterr().out


def test_plan_shows_each_buckets_sequences_tokens_and_shares(files, capsys, tmp_path):
    (tmp_path / "c.yaml").write_text(
        f"data:\n  long:\n    path: {files}/long.jsonl\n    validation: 2\n"
        "    buckets: {1k-2k: {share_of_tokens: 0.2}, 2k-: {count: 3}}\n"
    )
    figures = json.loads(_plan(files, capsys, "--config", str(tmp_path / "c.yaml")))
    long = figures["sources"][0]
    first, second = long["buckets"]
    assert (first["name"], first["from"], first["below"]) == ("1k-2k", 1024, 2048)
    assert (second["from"], second["below"], second["sequences"]) == (2048, None, 3)
    assert first["share_of_tokens"] == pytest.approx(0.2, abs=1024 / figures["plan"]["tokens"])
    for key in ("sequences", "tokens", "targets", "share_of_tokens", "share_of_sequences"):
        assert first[key] + second[key] == pytest.approx(long[key])
    assert long["outside"]["rows"] + first["rows"] + second["rows"] == pytest.approx(24, abs=2)  # less the held out
    assert long["outside"]["longest"] < 1024
    screen = _plan(files, capsys, "--config", str(tmp_path / "c.yaml"), command=("plan",))
    assert f"{long['outside']['rows']} × outside of all buckets" in screen
    assert len([line for line in screen.splitlines() if line.startswith("  1k-2k ")]) == 2
    said = _plan(files, capsys, "--config", str(tmp_path / "c.yaml"), command=("data", "prepare"))
    assert "  2k- " in said and "outside of all buckets" in said


def test_buckets_on_the_command_line_are_those_of_a_yaml(files, capsys):
    path = f"--data.long={files}/long.jsonl"
    wanted = json.loads(_plan(files, capsys, path, "--data.long.buckets", "{1k-2k: {count: 2}, 2k-: {count: 3}}"))
    assert [part["sequences"] for part in wanted["sources"][0]["buckets"]] == [2, 3]
    one_by_one = ["--data.long.buckets.1k-2k", "{count: 2}", "--data.long.buckets.2k-", "{count: 3}"]
    assert json.loads(_plan(files, capsys, path, *one_by_one)) == wanted
    changed = [*one_by_one[:2], "--data.long.buckets.2k-", "{count: 9}", "--data.long.buckets.2k-.count=3"]
    assert json.loads(_plan(files, capsys, path, *changed)) == wanted


def test_a_saved_config_keeps_its_buckets(tmp_path):
    given = ["--data.long", "l.jsonl", "--data.long.buckets", "{8k-16k: {count: 2}, 64k-: {share_of_tokens: 0.1}}"]
    cli = ParseOnly(["fit", "--model.model=m", *given])
    (tmp_path / "config.yaml").write_text(cli._parser("fit").dump(cli.config.fit))
    again = ParseOnly(["fit", "--config", str(tmp_path / "config.yaml")]).config.fit.data
    assert str(again.long) == str(cli.config.fit.data.long)
    changed = ["--data.long.buckets.8k-16k.count=5"]
    again = ParseOnly(["fit", "--config", str(tmp_path / "config.yaml"), *changed]).config.fit.data
    assert (again.long.buckets["8k-16k"].count, again.long.buckets["64k-"].share_of_tokens) == (5, 0.1)


@pytest.mark.parametrize(
    ("buckets", "said"),
    [
        ("{8k-16k: {share_of_token: 0.2}}", "share_of_tokens"),
        ("{8k-16k: 5}", "expected a path, or a mapping of path, count"),
        ("{8: {count: 1}}", "expected tokens from-below"),
        ("{1k-2k: {count: 1000}}", "data.long.buckets.1k-2k.count: 1,000 rows asked for"),
    ],
)
@pytest.mark.parametrize("form", ["mapping", "option"])
def test_a_mistake_in_buckets_is_one_line(files, capsys, buckets, said, form):
    path = f"{files}/long.jsonl"
    whole = [f"--data.long={{path: {path}, buckets: {buckets}}}"]
    given = whole if form == "mapping" else [f"--data.long={path}", f"--data.long.buckets={buckets}"]
    more = [f"--model.model={TINY}", f"--data.cache_dir={files}/cache", "--data.chat_format=llama2"]
    assert main(["plan", *more, *given, "--data.num_proc=1"]) == 2
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1, err


def test_a_new_bucket_cannot_be_given_key_by_key_and_it_says_so(capsys):
    assert main(["plan", f"--model.model={TINY}", "--data.long=l.jsonl", "--data.long.buckets.1k-2k.count=5"]) == 2
    err = capsys.readouterr().err
    assert "--data.long.buckets.1k-2k '{count: …}'" in err and len(err.splitlines()) == 1
