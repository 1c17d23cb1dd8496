"""A JSON list read in a stream equals the list read at once."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longalign.data.json_list import BrokenList, NotAList, iterate_list

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_list_is_read_as_json_does_whatever_the_chunks(values, chunk, indent, ascii):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii)
    assert list(iterate_list(io.StringIO(text), chunk)) == values


@given(st.lists(VALUES, max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_a_cut_list_is_an_error(values, data):
    text = json.dumps(values)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.raises(BrokenList):
        list(iterate_list(io.StringIO(cut), 8))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[1,\n2\n3]", 3, "Expecting ',' delimiter"),
        ("[1,\n\n]", 3, "Expecting value"),
        ('[{"a": 1},\n{"a" 1}]', 2, "Expecting ':' delimiter"),
        ("[1]\n\n2", 3, "Extra data"),
        ('["a\n"]', 1, "Invalid control character"),
        ("[" * 200_000, 1, "recursion"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_an_error_knows_its_line(text, line, reason, chunk):
    if reason == "recursion" and chunk == 1:
        return  # a window that grows twofold from 1 takes long
    with pytest.raises(BrokenList, match=reason) as caught:
        list(iterate_list(io.StringIO(text), chunk))
    assert caught.value.line == line


def test_an_error_far_from_the_end_is_told_without_reading_on():
    stream = io.StringIO("[" + '{"a": x},' * 100_000 + "]")
    with pytest.raises(BrokenList):
        list(iterate_list(stream, 1000))
    assert stream.tell() < 5000


@pytest.mark.parametrize("text", ["{}", "3", '"a"', "null"])
def test_other_json_is_no_list(text):
    with pytest.raises(NotAList):
        list(iterate_list(io.StringIO(text)))
