"""Rows of every published shape become messages; whatever a row holds, nothing is lost without a reason."""

import json

import pytest
from byte_tokenizer import byte_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from longalign.chat import encode_conversation
from longalign.data.importing.formats import FORMATS, Reading, detect, read_row
from longalign.data.importing.language import language_of
from longalign.data.importing.pipeline import Choices, import_rows
from longalign.data.importing.splitting import split
from longalign.data.importing.tally import Tally
from longalign.data.importing.turns import mend
from longalign.data.importing.unusable import Unusable
from longalign.errors import UserError

U, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
S = {"role": "system", "content": "s"}


def _say(role: str, content: str) -> dict:
    return {"role": role, "content": content}


def _import(tmp_path, rows: list, **choices) -> tuple[list[dict], Tally]:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tally = Tally()
    found = list(import_rows(str(file), Choices(**choices), tally))
    assert tally.read == len(rows) == tally.kept + tally.dropped.total()
    assert tally.written == len(found)
    return found, tally


@pytest.mark.parametrize(
    ("row", "name", "messages"),
    [
        ({"messages": [U, A], "length": 3}, "longalign", [U, A]),
        ({"messages": [S, U, A]}, "openai", [S, U, A]),
        ({"messages": json.dumps([S, U, A])}, "openai", [S, U, A]),
        (
            {"messages": [_say("developer", "s"), {"role": "user", "content": [{"type": "text", "text": "q"}]}, A]},
            "openai",
            [S, U, A],
        ),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, "sharegpt", [U, A]),
        ({"conversations": [U, A], "system": "s"}, "sharegpt", [S, U, A]),
        ({"items": [{"from": " USER", "value": "q"}, {"from": "Bing", "value": "a"}]}, "sharegpt", [U, A]),
        ({"conversations": {"from": ["human", "bard"], "value": ["q", "a"]}}, "sharegpt", [U, A]),
        ({"id": 1, "data": ["q", "a", "q", "a"]}, "sharegpt", [U, A, U, A]),
        ({"instruction": "q", "input": "", "output": "a"}, "alpaca", [U, A]),
        (
            {"instruction": "q", "input": "i", "output": "a", "system": "s", "history": [["q1", "a1"]]},
            "alpaca",
            [S, _say("user", "q1"), _say("assistant", "a1"), _say("user", "q\n\ni"), A],
        ),
        ({"instruction": "q", "context": "c", "response": "a"}, "alpaca", [_say("user", "q\n\nc"), A]),
        ({"prompt": "q", "completion": "a"}, "prompt", [U, A]),
        ({"prompt": [S, U], "completion": [A]}, "prompt", [S, U, A]),
        ({"question": "q", "answer": "a"}, "question", [U, A]),
        ({"query": "q", "response": "a"}, "question", [U, A]),
        (
            {"query": "q", "response": "a", "history": [["q1", "a1"]], "system": "s"},
            "question",
            [S, _say("user", "q1"), _say("assistant", "a1"), U, A],
        ),
        (
            {"prompt": "q", "response": "a", "history": [["q1", "a1"]]},
            "prompt",
            [_say("user", "q1"), _say("assistant", "a1"), U, A],
        ),
        ({"query": "q", "response": "a", "history": []}, "question", [U, A]),
        (
            {"context": "d", "input": "q", "answers": ["a", "b"], "length": 9, "_id": "x"},
            "document",
            [_say("user", "d\n\nq"), A],
        ),
        (
            {"context": "d", "question": "q", "answers": {"text": ["a"], "answer_start": [0]}},
            "document",
            [_say("user", "d\n\nq"), A],
        ),
        ({"context": "d", "input": "", "answers": ["a"]}, "document", [_say("user", "d"), A]),
        ({"context": ["d", "e"], "question": "q", "answer": "a"}, "document", [_say("user", "d\n\ne\n\nq"), A]),
    ],
)
def test_a_row_of_every_shape_is_recognised_and_read(row, name, messages):
    assert detect([None, row, 3], Reading()) == name
    assert read_row(row, name, Reading()) == messages


@pytest.mark.parametrize(
    ("columns", "row", "name"),
    [
        ({"messages": "dialog2"}, {"dialog2": [U, A], "prompt": "x", "completion": "y"}, "sharegpt"),
        ({"question": "in", "answer": "target"}, {"in": "q", "target": "a", "messages": "no"}, "question"),
        ({"messages": "talk", "role": "who", "content": "said"}, {"talk": [{"who": "human", "said": "q"}]}, "sharegpt"),
        ({"prompt": "prompt", "completion": "chosen"}, {"prompt": "q", "chosen": "a", "rejected": "b"}, "prompt"),
    ],
)
def test_named_columns_decide(columns, row, name):
    reading = Reading(columns)
    assert detect([row], reading) == name
    assert read_row(row, name, reading) in ([U, A], [U])


def test_unknown_shapes_and_columns_are_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="keys seen: text, url") as caught:
        _import(tmp_path, [None, {"text": "x", "url": "y"}])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"columns: got 'dialog', expected one of messages"):
        Reading({"dialog": "x"})
    with pytest.raises(UserError, match=r"no row of .* has the key 'x'; its keys are a, b"):
        _import(tmp_path, [{"a": 1, "b": 2}], reading=Reading({"messages": "x"}))


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (None, "turns are no list"),
        ("abc", "turns are no list"),
        ([], "no turns"),
        ([3], "a turn is no object"),
        ([{"content": "q"}], "a turn has no role"),
        ([{"role": "alien", "content": "q"}], "unknown role"),
        ([{"role": 3, "content": "q"}], "unknown role"),
        ([{"role": ["user"], "content": "q"}], "unknown role"),
        ([{"role": "user"}], "a turn has no content"),
        ([{"role": "user", "content": 3}], "a content is no text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "a part of a content is no text"),
        ([U, {"role": "assistant", "content": None, "tool_calls": [{}]}], "tool calls"),
        ([U, {"role": "tool", "content": "x"}], "tool calls"),
        ([S | {"tools": [{"name": "f"}]}, U, A], "tool calls"),
        ([U, A | {"reasoning_content": "hm"}], "thoughts beside the content"),
        ([U], "no answer"),
        ([A], "no question"),
        ([S], "no question"),
        ([U, _say("assistant", " \n")], "empty turn"),
        ([U, _say("assistant", "\u200b\ufeff\x00")], "empty turn"),
        ([U, U, A], "two turns of one role in a row"),
        ([U, S, A], "system message inside the conversation"),
    ],
)
def test_a_conversation_that_cannot_be_used_is_dropped_with_its_reason_and_place(tmp_path, turns, reason):
    good = {"messages": [U, A]}
    rows, tally = _import(tmp_path, [good, {"messages": turns}])
    assert [row["messages"] for row in rows] == [[U, A]]
    assert dict(tally.dropped) == {reason: 1}
    assert tally.examples[reason][0]["where"].endswith("rows.jsonl line 2")


@pytest.mark.parametrize("mark", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"loss": False}])
def test_answers_that_are_not_to_be_learnt_stay_so(tmp_path, mark):
    page = _say("assistant", "<div class='markdown'><p>a</p></div>")  # also through the conversion of pages
    for answer, html in ((A, "auto"), (page, True)):
        rows = [{"messages": [U | mark, answer | mark, U, A | {"weight": 1, "train": True}]}]
        (row,), tally = _import(tmp_path, rows, html=html)
        assert row["messages"] == [U, A | {"weight": 0}, U, A]
        assert tally.repaired["answers that are not to be learnt: weight 0"] == 1


@pytest.mark.parametrize("mark", [{"weight": 0.5}, {"weight": "0"}, {"train": "false"}])
def test_an_answer_whose_weight_is_unclear_is_not_learnt_by_mistake(tmp_path, mark):
    rows, tally = _import(tmp_path, [{"messages": [U, A]}, {"messages": [U, A | mark]}])
    assert [row["messages"] for row in rows] == [[U, A]]
    assert dict(tally.dropped) == {"a weight is neither 0 nor 1": 1}


def test_a_row_with_tools_is_not_imported_without_them(tmp_path):
    rows, tally = _import(tmp_path, [{"messages": [U, A], "tools": some} for some in ([{"name": "f"}], [], None, "[]")])
    assert len(rows) == 1
    assert dict(tally.dropped) == {"tools": 1, "duplicate": 2}


@pytest.mark.parametrize("key", ["label", "kto_tag"])
@pytest.mark.parametrize(
    "shape", [{"prompt": "q", "completion": "a"}, {"messages": [U, A]}, {"instruction": "q", "output": "a"}]
)
def test_a_bad_answer_of_a_set_for_kto_is_not_imported(tmp_path, shape, key):
    rows, tally = _import(tmp_path, [shape | {key: False}, shape | {key: True}])
    assert [row["messages"] for row in rows] == [[U, A]]
    assert dict(tally.dropped) == {"a bad answer": 1}
    assert tally.examples["a bad answer"][0]["detail"] == f"{key} is false"


def test_a_label_of_a_question_says_nothing_of_its_answer(tmp_path):
    rows, tally = _import(tmp_path, [{"question": "q", "answer": "a", "label": False}])
    assert len(rows) == 1 and not tally.dropped


def test_a_row_with_images_is_not_imported_without_them(tmp_path):
    asked = _say("user", "<image>q")
    rows, tally = _import(tmp_path, [{"messages": [asked, A], "images": some} for some in (["a.png"], [])])
    assert [row["messages"] for row in rows] == [[asked, A]]
    assert dict(tally.dropped) == {"images or sound": 1}


def test_odd_rows_are_counted(tmp_path):
    _, tally = _import(tmp_path, [None, 3, "x", [], {}, {"a": 1}, {"messages": [U, A]}])
    assert dict(tally.dropped) == {"the row is no object": 4, "a key is missing": 2}


@pytest.mark.parametrize(
    ("turns", "kept", "repairs"),
    [
        ([S, U, A], [S, U, A], []),
        ([A, A, U, A], [U, A], ["turns before the first question removed"]),
        ([_say("user", ""), A, U, A], [U, A], ["turns before the first question removed"]),
        ([_say("system", " "), U, A], [U, A], ["empty system message removed"]),
        ([U, A, U], [U, A], ["last question without answer removed"]),
        ([U, A, A, U, A], [U, A], ["cut: two turns of one role in a row"]),
        ([U, A, U, U, A], [U, A], ["cut: two turns of one role in a row"]),
        ([U, A, U, _say("assistant", "")], [U, A], ["cut: empty turn"]),
        ([U, A, S, U, A], [U, A], ["cut: system message inside the conversation"]),
    ],
)
def test_turns_are_mended(turns, kept, repairs):
    assert mend(turns) == (kept, repairs)
    if any(repair.startswith("cut") for repair in repairs):
        with pytest.raises(Unusable):
            mend(turns, "drop")


@given(st.lists(st.sampled_from([U, A, S, _say("user", ""), _say("assistant", " ")]), max_size=9))
def test_what_is_kept_alternates_and_ends_with_an_answer(turns):
    try:
        kept, repairs = mend(turns)
    except Unusable:
        return
    body = kept[1:] if kept[0]["role"] == "system" else kept
    assert body and [turn["role"] for turn in body] == ["user", "assistant"] * (len(body) // 2)
    assert all(turn["content"].strip() for turn in kept)
    assert (kept == turns) == (not repairs)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["user", "gpt", "\ud83d", "<p>x</p>"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["messages", "conversations", "role", "from", "content", "value", "instruction", "output"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.lists(JUNK, max_size=5), st.sampled_from(sorted(FORMATS)), st.sampled_from(["auto", True]))
@settings(max_examples=150, deadline=None)
def test_no_row_whatever_it_holds_crashes_or_goes_uncounted(tmp_path_factory, rows, name, html):
    good = {"messages": [U, A], "instruction": "q", "output": "a", "prompt": "q", "question": "q", "context": "c"}
    folder = tmp_path_factory.mktemp("junk")
    found, tally = _import(folder, [good, *rows], format=name, html=html)
    assert found
    json.dumps(tally.as_dict(), ensure_ascii=False).encode()  # can be written


def test_duplicates_are_dropped_unless_kept(tmp_path):
    rows = [{"id": i, "messages": [U, A]} for i in range(3)] + [{"messages": [S, U, A]}]
    found, tally = _import(tmp_path, rows)
    assert [row.get("id") for row in found] == ["0", None] and tally.dropped["duplicate"] == 2
    assert len(_import(tmp_path, rows, keep_duplicates=True)[0]) == 4


def test_roles_that_are_not_wanted_drop_the_row(tmp_path):
    rows = [
        {"conversations": [{"from": "human", "value": "q"}, {"from": who, "value": who}]} for who in ("gpt", "Bing")
    ]
    found, tally = _import(tmp_path, rows, reading=Reading(drop_roles=("bing",)))
    assert len(found) == 1 and tally.dropped["a role that is not wanted"] == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I sort a list? 1, 2", "en"),
        ("Explain naïve Bayes — “quotes”, 20 °C, and the word 你好.", "en"),
        ("请把下面的 Python 代码翻译成 Go：print('hello world')", "zh"),
        ("你好", "zh"),
        ("これは日本語の文章です。漢字も使います。", "other"),
        ("안녕하세요, 만나서 반갑습니다", "other"),
        ("Привет, как дела?", "other"),
        ("Où est la bibliothèque? J'ai été très occupé, désolé.", "other"),
        ("1 + 1 = 2", "other"),
        ("", "other"),
    ],
)
def test_the_language_is_told_by_its_letters(text, language):
    assert language_of([text]) == language


def test_the_language_filter_counts_what_it_drops(tmp_path):
    rows = [{"question": text, "answer": text} for text in ("hello there", "你好", "привет")]
    for language, kept in (("en", 1), ("zh", 1), ("all", 3)):
        found, tally = _import(tmp_path, rows, language=language)
        assert len(found) == kept and tally.dropped.total() == 3 - kept
    assert dict(tally.languages) == {"en": 1, "zh": 1, "other": 1}


def _characters(messages: list[dict]) -> int:
    return sum(len(message["content"]) for message in messages)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=12),
    st.integers(1, 80),
    st.booleans(),
    st.sampled_from(["drop", "keep"]),
)
@settings(max_examples=300)
def test_parts_fit_begin_with_a_question_and_lose_only_what_is_too_long(lengths, limit, with_system, too_long):
    system = [_say("system", "sys")] * with_system
    turns = [turn for i, (q, a) in enumerate(lengths) for turn in (_say("user", "q" * q), _say("assistant", "a" * a))]
    pieces, exceeding = split(system + turns, limit, _characters, too_long)
    fitting = [pair for pair in lengths if sum(pair) + 3 * with_system <= limit]
    assert exceeding in (0, len(lengths) - len(fitting))
    bodies = [piece[len(system) :] for _, piece in pieces]
    assert all(piece[: len(system)] == system for _, piece in pieces)
    assert all(body[0]["role"] == "user" and body[-1]["role"] == "assistant" for body in bodies)
    assert all(turns[start : start + len(body)] == body for (start, _), body in zip(pieces, bodies, strict=True))
    if too_long == "keep" or not exceeding:
        assert [turn for body in bodies for turn in body] == turns
    for (_, piece), body in zip(pieces, bodies, strict=True):
        assert _characters(piece) <= limit or (len(body) == 2 and too_long == "keep")
    for (_, piece), body, (start, following) in zip(pieces, bodies, pieces[1:], strict=False):
        if start == pieces[0][0] + len(body):  # nothing left out between: greedy, the next exchange did not fit
            assert _characters(piece) + _characters(following[len(system) :][:2]) > limit


def test_split_parts_have_at_most_so_many_tokens_as_trained(tmp_path):
    tokenizer = byte_tokenizer()

    def measure(messages):
        return len(encode_conversation(messages, tokenizer)[0])

    turns = [turn for i in range(9) for turn in (_say("user", f"{i} " + "q" * 40), _say("assistant", "a" * 30))]
    rows = [{"id": "x", "messages": turns}, {"id": "y", "messages": [_say("user", "q" * 500), A, U, A]}]
    found, tally = _import(tmp_path, rows, split_length=300, measure=measure)
    assert len(found) > 3 and all(measure(row["messages"]) <= 300 for row in found)
    assert [row["id"] for row in found[:2]] == ["x_0", f"x_{len(found[0]['messages'])}"]
    assert tally.repaired["split"] == 1
    assert tally.repaired["an exchange is too long by itself: left out"] == 1
    assert found[-1]["messages"] == [U, A]
    assert list(tally.lengths["tokens"]) == [measure(row["messages"]) for row in found]
