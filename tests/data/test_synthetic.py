import hashlib
import json
import re

import pytest

from longalign.chat import parse_messages
from longalign.data.synthetic import generate_conversations, write_jsonl
from longalign.data.synthetic.world import Draw, World, split_of
from longalign.errors import UserError


def _rows(kind="long", count=30, **options) -> list[dict]:
    return list(generate_conversations(kind, count, **({"length": 4000} | options)))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w.:]+[\w]|\w", text)


def _pairs(messages: list[dict]) -> list[tuple[str, str]]:
    spoken = [message["content"] for message in messages if message["role"] != "system"]
    return list(zip(spoken[::2], spoken[1::2], strict=True))


def _size(row: dict) -> int:
    return sum(len(message["content"]) for message in row["messages"])


@pytest.mark.parametrize("kind", ["long", "short"])
def test_the_same_seed_gives_the_same_rows_whatever_the_count(kind):
    assert _rows(kind, 10, seed=3) == _rows(kind, 20, seed=3)[:10]
    assert _rows(kind, 10, seed=3) != _rows(kind, 10, seed=4)


@pytest.mark.parametrize("kind", ["long", "short"])
def test_rows_are_valid_conversations_that_end_with_an_answer(kind):
    for row in _rows(kind):
        messages = parse_messages(row)
        assert messages[-1]["role"] == "assistant"
        assert all(message["content"].strip() for message in messages)
        assert "{" not in "".join(message["content"] for message in messages)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("length", [1500, 6000, 40_000])
def test_documents_have_the_length_asked_for(language, length):
    sizes = [_size(row) for row in _rows(count=12, length=length, language=language)]
    assert max(sizes) <= length + 300
    assert min(sizes) >= length - 1000
    assert abs(sum(sizes) / len(sizes) - length) < 0.1 * length + 300


def test_length_can_be_a_range_and_be_measured_in_anything():
    sizes = [_size(row) for row in _rows(count=40, length=(1000, 30_000))]
    assert min(sizes) < 3000 < 15_000 < max(sizes)
    rows = _rows(count=10, length=1000, measure=lambda text: len(text.split()), language="en")
    assert all(800 < len(" ".join(m["content"] for m in row["messages"]).split()) < 1150 for row in rows)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_answers_stand_in_the_document(language):
    for row in _rows(count=60, language=language):
        document = row["messages"][0]["content"]
        for question, answer in _pairs(row["messages"]):
            news = re.findall(r"(?<=[a-z,] )[A-Z][a-z]+|\d[\d.:]*\d|\d", answer)  # names and numbers
            assert all(part in document for part in news), (question, answer)
            # what the answer adds to the question is not made up either
            if language == "en":
                known = set(_words(document.lower())) | set(_words(question.lower()))
                glue = {"paid", "was", "by", "entry", "on", "found", "named", "bound", "according", "log"}
                unknown = set(_words(answer.lower().rstrip("."))) - known - glue
                assert len(unknown) <= 4, (unknown, answer)


def test_a_question_fits_one_place_of_its_document_only():
    for row in _rows(count=80, language="en", length=20_000):
        text = row["messages"][0]["content"]
        for message in row["messages"]:
            if number := re.search(r"entry No\. (\d+)", message["content"][-120:]):
                assert len(re.findall(rf"^No\. {number[1]}\b", text, re.M)) == 1


def test_held_out_names_never_occur_in_training():
    names = {}
    for split in ("train", "validation"):
        world = World(Draw(0), "en", split)
        names[split] = {make() for make in (world.person, world.place, world.ship) for _ in range(300)}
        text = "".join(m["content"] for row in _rows(split=split, count=20, seed=5) for m in row["messages"])
        people = set(re.findall(r"(?:watch from|bought by|To|Sold to) ([A-Z][a-z]+ [A-Z][a-z]+)", text))
        assert people
        assert all(split_of(person) == split for person in people)
    assert not names["train"] & names["validation"]


def test_sums_in_short_chats_and_ledgers_are_right():
    for row in _rows("short", 400, language="en", length=None):
        for message in row["messages"]:
            if found := re.search(r"(\d+) ([+×-]) (\d+) = (-?\d+)\.", message["content"]):
                a, sign, b, result = found.groups()
                assert {"+": int(a) + int(b), "-": int(a) - int(b), "×": int(a) * int(b)}[sign] == int(result)
    ledger = "".join(row["messages"][0]["content"] for row in _rows(language="en"))
    sales = re.findall(r"(\d+) \w+ of [\w ]+ at ([\d.]+) each, ([\d.]+) in all", ledger)
    assert sales
    for count, price, total in sales:
        assert int(count) * round(float(price) * 100) == round(float(total) * 100)


def test_rows_are_varied():
    rows = _rows("short", 500, length=None)
    questions = [m["content"] for row in rows for m in row["messages"] if m["role"] == "user"]
    assert len(set(questions)) > 0.97 * len(questions)
    assert {row["kind"] for row in _rows(count=60)} == {"logbook", "ledger", "story"}
    assert {row["language"] for row in rows} == {"en", "zh"}


def test_writing_leaves_a_whole_file_or_none(tmp_path):
    path = tmp_path / "deep" / "a.jsonl"
    assert write_jsonl(path, _rows("short", 5)) == 5
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [
        f"short-train-0-{i}" for i in range(5)
    ]

    def broken():
        yield {"messages": []}
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_jsonl(tmp_path / "b.jsonl", broken())
    assert [file.name for file in tmp_path.iterdir()] == ["deep"]


def test_long_rows_of_earlier_versions_can_be_had_again_byte_for_byte():
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in generate_conversations("long", 24))
    assert hashlib.sha256(rows.encode()).hexdigest().startswith("a4ad85789a0b97d0")


def test_unknown_values_are_refused_by_name():
    for options in ({"kind": "middle"}, {"language": "fr"}, {"split": "test"}):
        with pytest.raises(UserError, match=next(iter(options))):
            _rows(**options)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_everyday_questions_of_the_splits_are_about_other_things(language):
    asked = {
        split: {
            row["messages"][0]["content"]
            for row in generate_conversations("questions", 300, split=split, language=language)
        }
        for split in ("train", "validation")
    }
    assert not asked["train"] & asked["validation"]
    assert all("{" not in text and len(text) > 5 for text in asked["train"])
    assert len(asked["train"]) == 300, "none twice"
    first = next(generate_conversations("questions", 1, language=language))
    assert [message["role"] for message in first["messages"]] == ["user"]
