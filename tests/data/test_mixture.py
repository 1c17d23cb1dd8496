import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from longalign.data.mixture import Mixture, Source, named_sources, select_rows
from longalign.data.tokenized import decode_targets
from longalign.errors import UserError

LONG = np.random.default_rng(0).integers(8000, 60_000, 200)
SHORT = np.random.default_rng(1).integers(20, 2000, 3000)
LENGTHS = {"long": LONG, "short": SHORT}


def _select(seed=0, lengths=LENGTHS, **sources):
    return select_rows(lengths, {name: Source(name, **options) for name, options in sources.items()}, seed=seed)


def _error(**sources) -> str:
    with pytest.raises(UserError) as caught:
        _select(**sources)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _share(chosen, name, lengths=LENGTHS) -> tuple[float, float]:
    """Shares of sequences and of tokens."""
    rows = {key: len(value) for key, value in chosen.train.items()}
    tokens = {key: lengths[key][value].sum() for key, value in chosen.train.items()}
    return rows[name] / sum(rows.values()), tokens[name] / sum(tokens.values())


def test_without_count_or_share_all_rows_are_taken_once():
    chosen = _select(long={}, short={})
    assert all(np.array_equal(chosen.train[name], np.arange(len(LENGTHS[name]))) for name in LENGTHS)


def test_mixes_of_0_5_and_10_rows_lie_in_each_other_and_share_their_held_out_rows():
    mixes = [_select(long={"count": count, "validation": 20}, short={"validation": 0.1}) for count in (0, 50, 100)]
    assert [len(mix.train["long"]) for mix in mixes] == [0, 50, 100]
    assert set(mixes[1].train["long"]) < set(mixes[2].train["long"])
    for mix in mixes:
        assert np.array_equal(mix.validation["long"], mixes[0].validation["long"])
        assert len(mix.validation["long"]) == 20 and len(mix.validation["short"]) == 300
        assert np.array_equal(mix.train["short"], mixes[0].train["short"])
        assert not set(mix.train["long"]) & set(mix.validation["long"])


def test_a_source_whose_own_validation_is_0_holds_out_none_whatever_the_others_do():
    given = named_sources("a", Source("b", validation=0), Source("c", validation=2), None, validation=5)
    assert {name: source.validation for name, source in given.items()} == {"long": 5, "short": 0, "text": 2}


def test_the_seed_decides_and_other_sources_do_not():
    one = _select(long={"count": 50}, short={})
    assert np.array_equal(one.train["long"], _select(long={"count": 50}, short={"count": 7}).train["long"])
    assert not np.array_equal(one.train["long"], _select(seed=1, long={"count": 50}, short={}).train["long"])


def test_a_share_is_solved_for_beside_fixed_sources():
    chosen = _select(long={"share_of_sequences": 0.05}, short={})
    assert len(chosen.train["long"]) == round(3000 * 0.05 / 0.95)
    chosen = _select(long={"share_of_tokens": 0.5}, short={})
    assert _share(chosen, "long")[1] == pytest.approx(0.5, abs=60_000 / SHORT.sum())


def test_if_all_have_shares_the_mix_is_the_largest_that_exhausts_none():
    chosen = _select(long={"share_of_sequences": 0.5}, short={"share_of_sequences": 0.5})
    assert [len(rows) for rows in chosen.train.values()] == [200, 200]
    chosen = _select(long={"share_of_tokens": 0.2}, short={"share_of_tokens": 0.8})
    assert len(chosen.train["short"]) == 3000
    assert _share(chosen, "long")[1] == pytest.approx(0.2, abs=0.01)


def test_asking_for_more_than_there_is_tells_the_largest_possible():
    assert "201 rows asked for, of 200" in _error(long={"count": 201}, short={})
    message = _error(long={"share_of_sequences": 0.1}, short={})
    assert "the largest possible is 0.0625" in message  # 200 of 3200
    assert len(_select(long={"share_of_sequences": 0.0625}, short={}).train["long"]) == 200


def test_repeat_goes_round():
    rows = _select(long={"count": 500, "repeat": True}, short={}).train["long"]
    counts = np.bincount(rows, minlength=200)
    assert len(rows) == 500 and set(counts) == {2, 3}
    chosen = _select(long={"share_of_tokens": 0.9, "repeat": True}, short={})
    assert _share(chosen, "long")[1] == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"long": {"count": 5, "share_of_tokens": 0.5}}, "exclude each other"),
        ({"long": {"count": -1}}, "data.long.count"),
        ({"long": {"share_of_tokens": 1.5}}, "expected 0 to 1"),
        ({"long": {"share_of_tokens": 0.5}, "short": {"share_of_sequences": 0.5}}, "cannot be mixed"),
        ({"long": {"share_of_tokens": 0.5}, "short": {"share_of_tokens": 0.4}}, "sums to 0.9 over"),
        ({"long": {"share_of_tokens": 0.5}, "short": {"share_of_tokens": 0.500002}}, "sums to 1.000002 over"),
        ({"long": {"share_of_tokens": 1.0}, "short": {}}, "leaves nothing"),
        ({"long": {"validation": 200}}, "200 rows asked for, of 200; no row is left to train on"),
        ({"long": {"validation": 0.999}}, "validation: 0.999 of 200 rows is 200, rounded; no row is left to train on"),
        ({"long": {"validation": -1}}, "data.long.validation"),
        ({"long": {"validation": 1.5}}, "data.long.validation"),
        ({"long": {"validation": float("nan")}}, "data.long.validation: got nan, expected a count"),
    ],
)
def test_senseless_requests_are_refused_by_key(sources, expected):
    assert expected in _error(**sources)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=4),
    share=st.floats(0.05, 0.9),
    kind=st.sampled_from(["share_of_sequences", "share_of_tokens"]),
    repeat=st.booleans(),
    validation=st.one_of(st.integers(0, 3), st.floats(0.01, 0.5)),
    seed=st.integers(0, 5),
)
def test_selections_are_disjoint_unique_and_hold_the_share(sizes, share, kind, repeat, validation, seed):
    rng = np.random.default_rng(seed)
    lengths = {f"s{i}": rng.integers(1, 100, size) for i, size in enumerate(sizes)}
    sources = {name: Source(name) for name in lengths}
    sources["s0"] = Source("s0", **{kind: share}, repeat=repeat, validation=validation)
    try:
        chosen = select_rows(lengths, sources, seed=seed)
    except UserError as error:
        assert "largest possible" in str(error) or "no row is left" in str(error)
        assume(False)
    mine, held = chosen.train["s0"], chosen.validation["s0"]
    assert not set(mine) & set(held)
    assert repeat or len(set(mine)) == len(mine)
    assert np.all(np.diff(mine) >= 0)
    by_tokens = kind == "share_of_tokens"
    others = sum(len(v) if not by_tokens else v.sum() for name, v in lengths.items() if name != "s0")
    wanted = others * share / (1 - share)
    got = lengths["s0"][mine].sum() if by_tokens else len(mine)
    assert abs(got - wanted) <= (lengths["s0"].max() / 2 if by_tokens else 0.5) + 1e-6 * wanted


class _Tokenised:
    eos_id = 2

    def __init__(self, lengths):
        self.lengths, self.num_targets = lengths, lengths - 1

    def __getitem__(self, row):
        return np.full(self.lengths[row], row, np.int32), np.ones(self.lengths[row], np.uint8)


def test_a_mixture_is_one_list_of_sequences():
    chosen = _select(long={"count": 3}, short={"count": 5})
    mixture = Mixture({name: _Tokenised(lengths) for name, lengths in LENGTHS.items()}, chosen.train)
    assert len(mixture) == 8 and mixture.names == ("long", "short") and mixture.eos_id == 2
    assert mixture.source_ids.tolist() == [0] * 3 + [1] * 5
    for i in range(8):
        ids, targets = mixture[i]
        assert len(ids) == mixture.lengths[i] == mixture.num_targets[i] + 1
        assert ids[0] == mixture.row_ids[i]
        assert decode_targets(ids, targets, mixture.eos_id).tolist() == ids.tolist()
    table = mixture.summary()
    assert [row["sequences"] for row in table] == [3, 5]
    assert sum(row["share_of_tokens"] for row in table) == pytest.approx(1)
    assert len(Mixture({"long": _Tokenised(LONG)}, {"long": np.zeros(0, int)})) == 0


def test_a_source_can_be_held_out_whole():
    lengths = {"long": np.arange(1, 8), "short": np.arange(1, 5)}
    chosen = select_rows(lengths, {"long": Source("a", validation="all"), "short": Source("b")})
    assert chosen.validation["long"].tolist() == [*range(7)] and len(chosen.train["long"]) == 0
    assert len(chosen.validation["short"]) == 0 and len(chosen.train["short"]) == 4


def test_texts_of_several_rows_are_held_out_whole_whatever_their_rows():
    draw = np.random.default_rng(3)
    pieces = draw.integers(1, 9, 50)
    documents = np.repeat(np.arange(50), pieces)
    lengths = draw.integers(1, 99, len(documents))
    chosen = select_rows({"t": lengths}, {"t": Source("a", validation=12)}, documents={"t": documents})
    held, train = chosen.validation["t"], chosen.train["t"]
    assert len(set(documents[held])) == 12 and not set(documents[held]) & set(documents[train])
    assert sorted([*held, *train]) == [*range(len(documents))]
    fewer = select_rows({"t": lengths}, {"t": Source("a", validation=12, count=9)}, documents={"t": documents})
    assert np.array_equal(fewer.validation["t"], held) and len(fewer.train["t"]) == 9
    one = np.zeros(4, int)
    with pytest.raises(UserError, match=r"validation: 1 text asked for, of 1; no text is left to train on"):
        select_rows({"t": one + 5}, {"t": Source("a", validation=1)}, documents={"t": one})
