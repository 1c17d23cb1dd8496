"""Long tasks: rows, lengths, depths, splits, and nothing of the needle test; test_task_answers.py has the answers."""

import re
import time
from collections import Counter

import pytest
from task_reader import (
    WORDINGS,
    asked,
    both_languages,
    document_of,
    make,
    with_many_questions,
)

from longalign.chat import parse_messages
from longalign.data.synthetic.tasks import STYLES, TASKS
from longalign.data.synthetic.world import split_of
from longalign.errors import UserError
from longalign.evaluation.needle.wording import WORDINGS as NEEDLES


def size(row: dict) -> int:
    return sum(len(message["content"]) for message in row["messages"])


def test_the_same_arguments_give_the_same_rows_and_the_count_changes_none():
    assert make(8, seed=3) == make(16, seed=3)[:8]
    assert make(8, seed=3) != make(8, seed=4)


@both_languages
@pytest.mark.parametrize("task", TASKS)
def test_rows_are_conversations_whose_answers_hold_the_strings_verbatim(task, code):
    for row in make(30, tasks=[task], language=code, unanswerable=0.2):
        messages = parse_messages(row)
        assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2)
        assert not re.search(r"[{}]|None", "".join(m["content"] for m in messages))
        for one in row["questions"]:
            assert one["question"] in messages[2 * one["turn"]]["content"]
            assert one["answer"] in messages[2 * one["turn"] + 1]["content"]
            assert all(answer in one["answer"] for answer in one["answers"]), one


@both_languages
@pytest.mark.parametrize("task", TASKS)
def test_evidence_stands_where_the_row_says_and_holds_the_answer(task, code):
    computed = {"count", "compare", "table"}
    for row in make(30, tasks=[task], language=code):
        text, (first, last) = row["messages"][0]["content"], row["document"]
        for one in row["questions"]:
            assert bool(one["answers"]) == bool(one["evidence"])
            quotes = [text[start:end] for start, end in one["evidence"]]
            for (start, end), depth in zip(one["evidence"], one["depths"], strict=True):
                assert first <= start < end <= last
                assert depth == pytest.approx((start - first) / max(1, last - first - (end - start)), abs=1e-4)
            if one["task"] not in computed:
                for answer in one["answers"]:
                    assert any(answer in quote for quote in quotes), one


@both_languages
def test_what_the_document_does_not_say_has_no_answer_and_its_key_is_nowhere(code):
    share = 0
    for task in ("lookup", "multi_value", "multi_hop", "compare", "table"):
        for row in make(12, tasks=[task], language=code, unanswerable=1):
            first = row["questions"][0]
            share += not first["answers"]
            if task in ("lookup", "multi_value"):
                kinds = getattr(WORDINGS[code], task)
                names = [slots["key"] for kind in kinds for slots in asked(first["question"], kind.asks)]
                assert names and not any(len(name) > 5 and name in document_of(row) for name in names)
    assert share == 60
    rows = make(400, length=1500, language=code)
    assert 0.005 < sum(not row["questions"][0]["answers"] for row in rows) / 400 < 0.08


@pytest.mark.parametrize("length", [2000, 5000, 40_000])
def test_length_is_kept_to_and_used(length):
    for row in make(32, length=length):
        assert 0.95 * length <= size(row) <= length
        assert size(row) <= row["length"] <= length


def test_length_is_a_range_and_counted_by_any_measure():
    sizes = [size(row) for row in make(40, length=(1000, 30_000))]
    assert min(sizes) < 3000 < 12_000 < max(sizes)

    def words(text: str) -> int:
        return len(text.split())

    for row in make(10, length=2000, language="en", measure=words):
        assert 0.94 * 2000 <= sum(words(message["content"]) for message in row["messages"]) <= 2000


def test_each_piece_is_measured_once():
    measured: Counter[str] = Counter()
    total = 0

    def measure(text: str) -> int:
        nonlocal total
        total += len(text)
        measured[text] += 1
        return len(text)

    row = make(1, length=100_000, measure=measure)[0]
    assert total < 1.2 * size(row)


@both_languages
def test_any_depth_is_as_likely(code):
    depths = [
        row["questions"][0]["depths"][0]
        for row in make(400, tasks=["lookup"], length=6000, language=code, unanswerable=0)
    ]
    cells = Counter(min(int(10 * depth), 9) for depth in depths)
    assert sum((cells[cell] - 40) ** 2 / 40 for cell in range(10)) < 27.9  # chi-square, 9 degrees of freedom, 0.1 %


def test_evidence_of_several_facts_is_spread_over_the_text():
    rows = make(100, tasks=["multi_value", "count", "multi_hop"], length=10_000, unanswerable=0)
    depths = [depth for row in rows for depth in row["questions"][0]["depths"]]
    cells = Counter(min(int(5 * depth), 4) for depth in depths)
    assert all(0.14 < cells[cell] / len(depths) < 0.26 for cell in range(5)), cells
    assert sum(max(row["questions"][0]["depths"]) - min(row["questions"][0]["depths"]) > 0.4 for row in rows) > 75


def test_names_of_the_two_splits_never_meet():
    people = {}
    for split in ("train", "validation"):
        text = "".join(
            answer
            for row in make(200, split=split, tasks=["lookup", "multi_value", "multi_hop", "order"], length=1500)
            for one in row["questions"]
            for answer in one["answers"]
        )
        people[split] = set(re.findall(r"[A-Z][a-z]+ [A-Z][a-z]+", text))
        documents = "".join(document_of(row) for row in make(20, split=split, language="en", styles=["story"]))
        guests = set(re.findall(r"A \w+ named ([A-Z][a-z]+ [A-Z][a-z]+) was", documents))
        assert guests and {split_of(name) for name in guests} == {split}
    assert people["train"] and people["validation"] and not people["train"] & people["validation"]


@both_languages
def test_no_wording_and_no_key_of_the_needle_test_is_in_a_row(code):
    needle = NEEDLES[code]
    templates = [
        needle.document.replace("{document}", "").replace("{question}", ""),
        needle.single,
        needle.single_question,
        needle.single_forced[0],
        *(needle.kv, needle.kv_question, needle.one_of, needle.multi_value_question, needle.multi_value_prefix),
        *(needle.assign, needle.copy, needle.tracking_question, needle.tracking_prefix),
    ]
    parts = {part.strip() for template in templates for part in re.split(r"\{\w+\}", template)}
    fragments = {part for part in parts if len(part) >= (9 if code == "en" else 4)}
    assert len(fragments) >= 8
    keys = {needle.key.format(look, thing) for look in needle.looks for thing in needle.things}
    for row in make(160, language=code, length=3000, unanswerable=0.1):
        text = "\n".join(message["content"] for message in row["messages"])
        for fragment in (*fragments, *keys, *needle.single_answers[:1]):
            assert fragment not in text, fragment
        assert "locker number" not in text and "柜号" not in text and "variable" not in text.lower()


@both_languages
def test_facts_questions_and_frames_have_many_wordings(code):
    words = WORDINGS[code]
    assert len(words.frames) >= 8 and len(words.unknown) >= 8
    for kind in (*words.lookup, *words.multi_value):
        assert len(set(kind.says)) >= 8 and len(set(kind.asks)) >= 8
    hops, dated, measures = words.hops, words.dated, words.measures
    for lines in (hops.keeps, hops.relates, hops.lives, hops.who, hops.where, dated.says, measures.says):
        assert len(set(lines)) >= 8
    for chain in (words.hands, words.renames, words.copies):
        assert all(len(set(lines)) >= 8 for lines in (chain.first, chain.then, chain.end, chain.all))
    for name in ("times", "people", "first", "last", "sort", "mentioned"):
        assert len(set(getattr(dated, name))) >= 8
    for name in ("most", "least", "difference"):
        assert len(set(getattr(measures, name))) >= 8
    for name in ("cell", "most", "least", "total", "which"):
        assert len(set(getattr(words.tables, name))) >= 8
    assert len(set(words.digest.says)) >= 8 and len(set(words.digest.asks)) >= 8


def test_both_languages_have_the_same_templates_to_fill():
    en, zh = WORDINGS["en"], WORDINGS["zh"]
    assert len(en.lookup) == len(zh.lookup) and len(en.multi_value) == len(zh.multi_value)
    assert len(en.measures.measures) == len(zh.measures.measures) and len(en.sorts) == len(zh.sorts)
    assert set(en.words) == set(zh.words)


@both_languages
def test_many_questions_of_all_tasks_can_be_asked_about_one_document(code):
    rows = with_many_questions(code)
    assert all(8 <= len(row["questions"]) <= 24 for row in rows)
    assert len({len(row["questions"]) for row in rows}) > 6
    assert {one["task"] for row in rows for one in row["questions"]} == set(TASKS)
    for row in rows:
        assert 0.95 * 20_000 <= size(row) <= 20_000
        assert len({one["question"] for one in row["questions"]}) == len(row["questions"])
        assert max(Counter(one["task"] for one in row["questions"]).values()) < len(row["questions"])
        turns = Counter(one["turn"] for one in row["questions"])
        assert len(row["messages"]) == 2 * len(turns) and max(turns.values()) <= 4
    stated = [
        bool(one["answers"])
        for row in make(8, unanswerable=1, tasks=["lookup"], questions=(6, 6))
        for one in row["questions"]
    ]
    assert stated.count(False) == 8


@pytest.mark.parametrize("length", [300, 1000, 4000])
def test_a_short_row_has_as_many_questions_as_it_has_room_for(length):
    rows = make(40, length=length, questions=(40, 40))
    assert all(0.85 * length <= size(row) <= length for row in rows)
    asked = [len(row["questions"]) for row in rows]
    assert min(asked) >= 1 and max(asked) <= max(1, length // 240)


def test_names_may_run_out_and_the_row_has_fewer_questions():
    row = make(1, length=200_000, split="validation", tasks=["count"], language="en", questions=(400, 400))[0]
    assert 5 < len(row["questions"]) < 400


def test_rows_vary_in_task_style_and_number_of_questions():
    rows = make(200, length=12_000)
    assert {row["kind"] for row in rows} == set(TASKS)
    assert {style for row in rows for style in row["styles"]} == set(STYLES)
    assert {len(row["questions"]) for row in rows} >= {1, 2, 3}
    assert {len(row["messages"]) for row in rows} >= {2, 4}
    assert any(len(row["styles"]) > 1 for row in rows)
    assert {style for row in make(20, styles=["letters"]) for style in row["styles"]} == {"letters"}


def test_a_megabyte_of_text_takes_about_a_second():
    started = time.process_time()
    written = sum(len(m["content"].encode()) for row in make(4, length=1_000_000) for m in row["messages"])
    speed = written / (time.process_time() - started) / 1e6
    print(f"{speed:.1f} MB/s")
    assert speed > 0.5  # 3 on a free core


def test_time_grows_with_the_length_only():
    def seconds(length: int, count: int) -> float:
        started = time.process_time()
        make(count, length=length, tasks=["lookup"], language="en")
        return time.process_time() - started

    assert seconds(1_600_000, 1) < 4 * seconds(100_000, 16) + 0.5


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tasks": ["lookup", "guess"]}, "tasks"),
        ({"tasks": []}, "tasks"),
        ({"styles": ["poem"]}, "styles"),
        ({"language": "fr"}, "language"),
        ({"split": "test"}, "split"),
        ({"unanswerable": 1.5}, "unanswerable"),
        ({"length": (5000, 4000)}, "length"),
        ({"length": 0}, "length"),
        ({"length": 60}, "length"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(options, named):
    with pytest.raises(UserError, match=named):
        make(**options)
