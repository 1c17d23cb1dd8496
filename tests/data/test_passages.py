"""Facts hidden in raw text: nothing of the text is changed, nothing of it makes an answer wrong, and room is filled."""

import itertools
import json
import random
import re
from collections import Counter

import pytest

from longalign.chat import load_tokenizer
from longalign.chat.tokenizer import TokenCount
from longalign.data.sentences import ends_sentence
from longalign.data.synthetic.tasks import generate_tasks, passages
from longalign.data.synthetic.tasks.cutting import LONGEST, cut, cut_sentence, to_paragraph
from longalign.data.synthetic.tasks.passages import read_passages, without
from longalign.errors import UserError
from tests.training.conftest import TINY

WORDS = ["the", "river", "rose", "over", "night", "and", "nobody", "had", "seen", "so", "much", "water", "since"]
HAN = "河水一夜之间涨了起来镇上的人都没有见过这么多的水自从那座桥修好以后"


def prose(number: int, sentences: int = 60) -> str:
    """English paragraphs of four sentences, whose sentences are numbered, in short lines as of a mail."""
    draw = random.Random(number)
    said = [f"In {number}.{n} {' '.join(draw.choices(WORDS, k=draw.randint(4, 20)))}." for n in range(sentences)]
    paragraphs = [" ".join(said[start : start + 4]) for start in range(0, sentences, 4)]
    return "\n\n".join(re.sub(r"(.{30,60}) ", "\\1\n", paragraph) for paragraph in paragraphs)


def chinese(number: int, sentences: int = 80) -> str:
    """Chinese paragraphs of one line each, without blank lines, as of a novel."""
    draw = random.Random(number)
    said = [f"第{n}天，" + "".join(draw.choices(HAN, k=draw.randint(5, 30))) + "。" for n in range(sentences)]
    return "\n".join("　　" + "".join(said[start : start + 5]) for start in range(0, sentences, 5))


def code(number: int, functions: int = 40) -> str:
    return "\n\n\n".join(
        f"class Of{number}_{n}:\n    def get_{n}(self):\n        if self.x_{n}:\n            return {n}\n\n"
        f"    def set_{n}(self, x):\n        self.x_{n} = x"
        for n in range(functions)
    )


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(prose(number))
        (tmp_path / f"{number}-zh.md").write_text(chinese(number))
    return tmp_path


def make(folder, count=20, languages=("en", "zh"), **options) -> list[dict]:
    given = {"length": 4000, "language": languages[0] if len(languages) == 1 else "both"} | options
    return list(generate_tasks(count, passages=read_passages(str(folder), languages), **given))


def document_of(row: dict) -> str:
    start, end = row["document"]
    return row["messages"][0]["content"][start:end]


def quotes(row: dict) -> list[list[str]]:
    return [[row["messages"][0]["content"][a:b] for a, b in one["evidence"]] for one in row["questions"]]


def size(row: dict, measure=len) -> int:
    return sum(measure(message["content"]) for message in row["messages"])


def test_questions_answers_and_evidence_are_those_of_generated_prose(folder):
    rows = make(folder, 40, ("en",))
    for row, twin in zip(rows, generate_tasks(40, length=4000, language="en"), strict=True):
        assert quotes(row) == quotes(twin)
        for name in ("id", "kind", "language", "split"):
            assert row[name] == twin[name]
        for one, other in zip(row["questions"], twin["questions"], strict=True):
            assert {**one, "evidence": 0, "depths": 0} == {**other, "evidence": 0, "depths": 0}


def test_chinese_evidence_holds_the_answers(folder):
    for row in make(folder, 30, ("zh",), tasks=["lookup", "multi_value"]):
        for one, there in zip(row["questions"], quotes(row), strict=True):
            assert all(any(answer in quote for quote in there) for answer in one["answers"])


def test_rows_depend_on_the_seed_and_not_on_count_or_processes(folder):
    rows = make(folder, 6, seed=3)
    assert rows == make(folder, 12, seed=3)[:6] == make(folder, 6, seed=3, num_proc=2)
    assert rows != make(folder, 6, seed=4)


def test_a_row_names_its_texts_and_its_language_is_theirs(folder):
    rows = make(folder, 16)
    assert [row["language"] for row in rows] == ["en", "zh"] * 8
    for row in rows:
        assert row["styles"] == [] and row["texts"]
        for place in row["texts"]:
            assert place.startswith(str(folder)) and (row["language"] == "zh") == place.endswith("-zh.md")
    assert len({place for row in rows for place in row["texts"]}) > 4


@pytest.mark.parametrize("length", [700, 3000, 12_000])
def test_length_is_kept_to_and_used(folder, length):
    for row in make(folder, 24, length=length):
        assert length - 250 <= row["length"] <= length
        assert 0.95 * row["length"] <= size(row) <= row["length"]


@pytest.mark.parametrize("text", [prose(1), code(1), chinese(1), " ".join(prose(2).split()), "ab" * 20_000])
def test_tokens_are_at_most_the_length(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    tokens = TokenCount(load_tokenizer(TINY))
    for row in make(tmp_path, 6, ("zh" if "河" in text else "en",), length=3000, measure=tokens):
        assert 0.95 * 3000 <= size(row, tokens) <= row["length"] <= 3000


def test_each_piece_is_measured_once(folder):
    total = 0

    def measure(text: str) -> int:
        nonlocal total
        total += len(text)
        return len(text)

    row = make(folder, 1, length=100_000, measure=measure)[0]
    assert total < 1.2 * size(row)


def test_line_breaks_and_indentation_stay(tmp_path):
    (tmp_path / "a.py.txt").write_text(code(1))
    source = code(1).splitlines()
    kept = 0
    for row in make(tmp_path, 12, ("en",), tasks=["lookup", "count"], length=3000):
        lines = [line for line in document_of(row).splitlines() if re.search(r"_\d", line)]
        kept += len(lines)
        assert all(line in source for line in lines), [line for line in lines if line not in source]
    assert kept > 500


def test_a_fact_stands_behind_a_sentence_or_in_a_line_of_its_own(folder, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.txt").write_text(code(1))
    for place in (folder, tmp_path / "code"):
        for row in make(place, 20, ("en",), tasks=["lookup"], length=3000, unanswerable=0):
            text = row["messages"][0]["content"]
            for start, _ in itertools.chain(*(one["evidence"] for one in row["questions"])):
                before = re.sub(r"(Note|In the margin|Also|By the way|Added later|For the record): $", "", text[:start])
                assert before.endswith(("\n", ". ")), text[start - 40 : start + 40]


def test_paragraphs_with_a_key_or_value_of_the_facts_are_left_out(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(prose(number, 400))
    known = [
        {answer for one in row["questions"] for answer in one["answers"]}
        for row in make(tmp_path, 12, ("en",), tasks=["lookup", "multi_value"], unanswerable=0)
    ]
    wrong = [f"Whoever reads this finds\n{answer} in it, and is wrong." for answer in itertools.chain(*known)]
    for number in range(3):
        paragraphs = prose(number, 400).split("\n\n")
        mixed = [random.Random(n).choice(wrong) + " " + paragraph for n, paragraph in enumerate(paragraphs)]
        (tmp_path / f"{number}.txt").write_text("\n\n".join(mixed))
    seen = 0
    for row, answers in zip(
        make(tmp_path, 12, ("en",), tasks=["lookup", "multi_value"], unanswerable=0), known, strict=True
    ):
        found = re.findall(r"Whoever reads this finds\n(.*?) in it, and", document_of(row), re.S)
        seen += len(found)
        assert answers and not answers & set(found)
    assert seen > 30


def test_only_whole_words_count_and_a_capital_may_begin_them():
    holds_none = without(frozenset({"walnut clock", "B4", "李明", "4711"}))
    assert not holds_none("Walnut\n  clock") and not holds_none("a walnut clock.") and not holds_none("x=B4;")
    assert not holds_none("那天李明来了") and not holds_none("4711条") and not holds_none("在B4里")
    assert holds_none("walnut clocks, AB4, B42, _B4, b4 and 47110") and holds_none("李 和 明")


def test_texts_of_which_nothing_can_be_used_are_an_error(tmp_path):
    answer = next(iter(generate_tasks(1, tasks=["lookup"], language="en", length=1500, unanswerable=0)))
    phrase = answer["questions"][0]["answers"][0]
    (tmp_path / "a.txt").write_text("\n\n".join(f"{n} {phrase} " + "word " * 20 for n in range(20)))
    with pytest.raises(UserError, match="text: each paragraph holds a name or a value"):
        make(tmp_path, 1, ("en",), tasks=["lookup"], length=1500, unanswerable=0)


def test_short_texts_are_joined_with_a_blank_line_in_their_order(tmp_path):
    rows = [{"text": f"Begin{n}. " + prose(n, 4).replace("\n\n", " ") + f"\nThe End{n}."} for n in range(30)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in make(tmp_path, 6, ("en",), tasks=["lookup"], unanswerable=0):
        document = document_of(row)
        joints = re.findall(r"The End(\d+)\.(.*?)Begin(\d+)\.", document, re.S)
        assert len(joints) > 3
        assert all(int(after) == (int(before) + 1) % 30 and "\n\n" in gap for before, gap, after in joints)
        numbers = [int(place.rsplit(" ", 1)[1]) for place in row["texts"]]
        assert all(b == a % 30 + 1 for a, b in itertools.pairwise(numbers))


def test_any_depth_is_as_likely(folder):
    depths = [
        row["questions"][0]["depths"][0]
        for row in make(folder, 400, ("en",), tasks=["lookup"], length=6000, unanswerable=0)
    ]
    cells = Counter(min(int(10 * depth), 9) for depth in depths)
    assert sum((cells[cell] - 40) ** 2 / 40 for cell in range(10)) < 27.9  # chi-square, 9 degrees of freedom, 0.1 %


@pytest.mark.parametrize(
    "text",
    [prose(1), chinese(1), code(1), "x" * 9000, "word " * 3000 + "end", " " * 50 + code(2) + "\n   \n\n\nx",
     " ".join(prose(3, 300).split()), "\n".join(prose(4, 300).split()), "".join(chinese(2).split())],
)  # fmt: skip
@pytest.mark.parametrize("start", [0, 1, 777])
def test_pieces_and_their_sentences_are_the_text(text, start):
    pieces = list(cut(text, min(start, len(text) - 1)))
    assert "".join(piece + end for piece, end in pieces).removesuffix("\n\n") == text[start:]
    assert all(piece.strip() and len(piece.strip()) <= LONGEST for piece, _ in pieces)
    for piece, end in pieces:
        paragraph = to_paragraph(piece, end)
        assert "".join(paragraph.sentences) == piece and all(map(str.strip, paragraph.sentences))
        assert "".join(cut_sentence(piece)) == piece and max(map(len, cut_sentence(piece))) <= 120


def test_prose_in_short_lines_is_cut_at_its_sentences_and_code_at_its_lines():
    sentences = to_paragraph('He went to Mr.\nSmith.\nShe said\n"no." 1. Then\n2. Now', "\n\n").sentences
    assert sentences == ["He went to Mr.\nSmith.", '\nShe said\n"no." 1.', " Then\n2. Now"]
    assert to_paragraph("def f():\n    x = 1\n\treturn x", "").sentences == ["def f():", "\n    x = 1", "\n\treturn x"]
    assert all(map(ends_sentence, ["So.", "“好。”", 'He said "no!" ', "(Really?)"]))
    assert not any(map(ends_sentence, ["", "x = 1", "# Title", "一二，"]))


def test_short_texts_and_other_languages_are_left_out_and_counted(folder, caplog):
    caplog.set_level("INFO")
    (folder / "short.txt").write_text("Too short.")
    (folder / "ru.txt").write_text("Река поднялась за ночь. " * 40)
    make(folder, 1)
    assert "text: 2 texts not used: 1 in another language, 1 shorter than 200 characters" in caplog.text
    caplog.clear()
    make(folder, 1, ("zh",))
    assert "4 English, 1 in another language" in caplog.text


def test_half_characters_are_replaced_and_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "The wind \ud800 turned. " * 40}))
    assert "The wind \ufffd turned." in document_of(make(tmp_path, 1, ("en",))[0])
    assert "text: half characters (lone surrogates) of 1 text became U+FFFD" in caplog.text


def test_what_is_behind_the_limit_is_not_held(folder, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(passages, "MAX_CHARACTERS", 4000)
    read = read_passages(str(folder), ("en", "zh"))
    assert 3000 < sum(shelf.characters for shelf in read.shelves.values()) <= 4000
    assert f"text: only the first 4000 characters of {folder} are used" in caplog.text


@pytest.mark.parametrize(
    ("texts", "languages", "said"),
    [
        ([prose(1)], ("en", "zh"), "no Chinese text of 200 .* or more; there are 1 English: give --language en"),
        ([chinese(1)], ("en", "zh"), "no English text of 200 .* or more; there are 1 Chinese: give --language zh"),
        ([chinese(1)], ("en",), "no English text .* give --language zh"),
        (["Short."], ("en",), "there are 1 shorter than 200 characters: give other text"),
        (["Река. " * 99], ("zh",), "there are 1 in another language: give other text"),
    ],
)  # fmt: skip
def test_a_language_without_text_is_an_error(tmp_path, texts, languages, said):
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text)
    with pytest.raises(UserError, match=said):
        read_passages(str(tmp_path), languages)


def test_rows_longer_than_the_text_are_told_of(folder, caplog):
    read = read_passages(str(folder), ("en", "zh"))
    read.warn_of_repeats(1000, len)
    assert not caplog.records
    read.warn_of_repeats(10**6, len)
    assert len(caplog.records) == 2 and "the English texts have a length of about" in caplog.text
