"""Which documents are asked about, what replies are read, and what answers are refused."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longalign.data.synthesis import prompts
from longalign.data.synthesis.documents import Document, describe, shorten
from longalign.data.synthesis.numerals import numerals
from longalign.data.synthesis.overlap import NearDuplicates, Passages
from longalign.data.synthesis.quality import grounding, problem
from longalign.data.synthesis.selection import TASKS, candidates, parse_buckets
from longalign.errors import UserError

TEXT = "The keeper of Harrowgate wrote 1,914 letters. Nobody answered them before 12 May 1903. " * 20
CHINESE = "白石镇的木匠张长青在1903年修好了钟楼。镇上的人都来帮忙。" * 20


def document(number: int, length: int, language: str = "en") -> Document:
    return Document(f"{number}.txt", f"{number:064x}", language, length, length, False)  # type: ignore[arg-type]


@given(st.integers(1, 500), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_quotas_are_the_shares_of_all_rows(count, weights):
    text = ",".join(f"{n}k-{n + 1}k:{weight / sum(weights)!r}" for n, weight in enumerate(weights))
    quotas = parse_buckets(text, count)
    assert sum(quotas.values()) == count
    for quota, weight in zip(quotas.values(), weights, strict=True):
        assert abs(quota - count * weight / sum(weights)) < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8k-16k", "expected from-below:share"),
        ("8k-16k:x", "expected from-below:share"),
        ("8k-16k:0.5", "add up to 0.5"),
        ("8k-16k:0.5,12k-20k:0.5", "overlap"),
        ("8k-:1", "has no end"),
        ("16k-8k:1", "holds no length"),
    ],
)
def test_wrong_buckets_are_told_in_one_line(text, expected):
    with pytest.raises(UserError, match=expected):
        parse_buckets(text, 10)


def test_a_buckets_documents_come_once_each_then_with_other_tasks():
    quotas = {"100-200": 3, "200-400": 2}
    known = [document(n, 100 + 7 * n) for n in range(30)] + [document(99, 150, "other")]
    chosen = candidates(known, quotas, seed=3)
    for bucket, found in chosen.items():
        low, below = (int(part) for part in bucket.split("-"))
        inside = [one for one in known if low <= one.length < below and one.language == "en"]
        assert len(found) == 4 * len(inside)
        assert {one.document for one in found[: len(inside)]} == set(inside)
        by_document = Counter((one.document.sha256, one.task) for one in found)
        assert set(by_document.values()) == {1} and {one.task for one in found} == set(TASKS)


def test_the_choice_does_not_depend_on_other_documents_or_their_order():
    known = [document(n, 150) for n in range(20)]
    whole = candidates(known, {"100-200": 5}, seed=1)["100-200"][:20]
    shuffled = random.Random(0).sample(known, 20)
    assert candidates(shuffled, {"100-200": 5}, seed=1)["100-200"][:20] == whole
    some = {one.sha256 for one in known[:10]}
    fewer = candidates(known[:10], {"100-200": 5}, seed=1)["100-200"][:10]
    assert fewer == [one for one in whole if one.document.sha256 in some]
    assert candidates(known, {"100-200": 5}, seed=2)["100-200"][:20] != whole


@given(st.text(), st.integers(0, 60))
def test_a_shortened_text_is_a_beginning(text, characters):
    short = shorten(text, characters)
    assert text.startswith(short) and len(short) <= characters


def test_a_long_document_is_cut_behind_a_sentence():
    found = describe("a.txt", "0", TEXT, len, 500)
    used = TEXT[: found.characters]
    assert found.cut and found.length == len(used) <= 500 and used.endswith(".") and len(used) > 400
    assert describe("a.txt", "0", TEXT, len, 5000).characters == len(TEXT)


FIVE = ["Who came?", "What did it cost?", "Why was it late?", "Where is it now?", "When did it end?"]


@pytest.mark.parametrize(
    "reply",
    [
        "\n".join(f"{n}. {question}" for n, question in enumerate(FIVE, 1)),
        "Here they are:\n\n" + "\n\n".join(f"**{n})** {question}" for n, question in enumerate(FIVE, 1)),
        "```json\n" + str(FIVE).replace("'", '"') + "\n```",
        "\n".join(f"{n}、{question}" for n, question in enumerate(FIVE, 1)),
        "\n".join(f"{n}. {question}" for n, question in enumerate(FIVE, 1)) + "\n\nLet me know if you want more!",
        "\n".join(f"{n}. {question}" for n, question in enumerate(FIVE, 1)) + "\nLet me know if you want more!",
        "```\n" + "\n".join(f"{n}. {question}" for n, question in enumerate(FIVE, 1)) + "\n```",
        "\n\n---\n\n".join(f"{n}. **{question}**" for n, question in enumerate(FIVE, 1)),
        "\n".join(f"**{n}. {question}**" for n, question in enumerate(FIVE, 1)),
        "\n".join(f'- ({n}) "{question}"' for n, question in enumerate(FIVE, 1)),
        "\n".join(f"{n}\\. {question}" for n, question in enumerate(FIVE, 1)),
        "\n".join(f"Q{n}: {question}" for n, question in enumerate(FIVE, 1)),
        "\n\n".join(f"### Question {n}\n\n{question}" for n, question in enumerate(FIVE, 1)),
        "\n\n".join(f"**Question {n}:** {question}" for n, question in enumerate(FIVE, 1)),
        "\n".join(f"{n}、{question}" for n, question in zip("一二三四五", FIVE, strict=True)),
        "\n".join(f"问题{n}：{question}" for n, question in zip("一二三四五", FIVE, strict=True)),
        "\n".join(f"{n} {question}" for n, question in zip("①②③④⑤", FIVE, strict=True)),
        "As you wish [in JSON]: " + json.dumps({"questions": [{"id": n, "question": FIVE[n]} for n in range(5)]}),
        json.dumps({str(n): question for n, question in enumerate(FIVE, 1)}),
    ],
)
def test_five_questions_are_read_from_a_list(reply):
    found = prompts.parse_questions(reply)
    assert found == FIVE


def test_a_list_within_a_question_is_part_of_it():
    rest = "\n".join(f"{n}. {question}" for n, question in enumerate(FIVE[1:], 2))
    expected = ["**Parts:** list 1. names 2. dates", *FIVE[1:]]
    assert prompts.parse_questions(f"1. **Parts:** list\n   1. names\n   2. dates\n{rest}") == expected
    assert prompts.parse_questions(f"1. **Parts:** list\n1. names\n2. dates\n{rest}") is None  # whose is the second?


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot do this.",
        "\n".join(f"{n}. {question}" for n, question in enumerate(FIVE[:4], 1)),
        "\n".join(f"{n}. {FIVE[0]}" for n in range(1, 6)),
        '["a", "b", "c", "d", 5]',
        "\n".join(f"{n}. {question}" for n, question in enumerate([*FIVE, "And?"], 1)),
        "1. a\n2. \n3. c\n4. d\n5. e",
    ],
)
def test_what_is_not_five_questions_is_not_read(reply):
    assert prompts.parse_questions(reply) is None


@pytest.mark.parametrize(
    ("answer", "task", "expected"),
    [
        ("The keeper of Harrowgate wrote 1914 letters.", "extraction", None),
        ("1. Harrowgate\n2. 12 May 1903", "extraction", None),
        ("The keeper of Harrowgate wrote 1,915 letters.", "extraction", "a number that is not in the document"),
        ("The keeper of Harrowgate wrote 1,915 letters.", "general", None),
        ("The keeper of Harrowgate wrote １９１４ letters, in all 12.", "extraction", None),
        ("I’m sorry, but the keeper wrote letters.", "general", "refusal"),
        ("The keeper of Harrowgate wrote letters and said: I am sorry.", "general", None),
        (" \n", "general", "empty"),
        ("I'm sorry, but the keeper wrote letters.", "general", "refusal"),
        ("The document does not say who wrote.", "general", "refusal"),
        ("Sunny beaches invite countless tourists every summer.", "general", "not grounded in the document"),
        ("看守人写了一千九百一十四封信，没有人在五月以前回信给他们。", "general", "another language than the question"),
    ],
)
def test_an_answer_is_refused_for_a_reason(answer, task, expected):
    assert problem(TEXT, "Who wrote letters?", answer, "stop", task, None) == expected


def test_names_with_accents_do_not_make_another_language():
    text = TEXT + "The guests were José García, Łukasz Żółć, Hélène Lefèvre and Jürgen Müller. "
    said = "José García, Łukasz Żółć, Hélène Lefèvre, Jürgen Müller"
    assert problem(text, "Who were the guests?", said, "stop", "extraction", None) is None
    assert (
        problem(text, "What did Jürgen Müller say to Hélène?", "He said nothing at all.", "stop", "general", 0.0)
        is None
    )
    french = "Le gardien a écrit des lettres à José García après l'été."
    assert problem(text, "Who wrote?", french, "stop", "general", 0.0) == "another language than the question"


def test_a_chinese_answer_is_measured_by_its_characters():
    question = "谁修好了钟楼，是在哪一年修好的？"
    assert problem(CHINESE, question, "白石镇的木匠张长青在1903年修好了钟楼。", "stop", "extraction", None) is None
    whales = "根据海洋生物学家的观察，鲸鱼每年冬季都会迁徙到温暖水域。"
    assert problem(CHINESE, question, whales, "stop", "general", None) == "not grounded in the document"
    assert problem(CHINESE, question, "很抱歉，我无法回答这个问题。", "stop", "general", None) == "refusal"


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("在1903年，共217座，35000两，三点五亿。", True),
        ("在一九〇三年，共二百一十七座，3.5万两，350000000。", True),
        ("在1,903年，共217.0座，三万五千两，12000人，2万斤。", True),
        ("共218座。", False),
        ("共二百一十八座。", False),
        ("在一九〇四年。", False),
        ("共3.62万两。", False),
        ("约三百多座，一千零一夜，三三两两，万一。", True),  # no numbers for sure
    ],
)
def test_numbers_are_known_in_han_numerals_too(answer, kept):
    text = "一九〇三年共有二百一十七座石桥，耗银3万5千两，约合三点五亿，一万二人，数百万斤，十七八岁，千千万万。" * 5
    expected = None if kept else "a number that is not in the document"
    assert problem(text, "有多少？", answer, "stop", "extraction", 0.0) == expected
    assert problem(text + "三四百人", "有多少？", answer, "stop", "extraction", 0.0) is None  # 300? 340? it may be 350


@given(st.integers(100, 10**12 - 1))
def test_a_number_in_han_numerals_has_its_value(number):
    text, rest = "", number
    for size, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        section, rest = divmod(rest, size)
        gap = "零" if text and section < 1000 else ""
        text += f"{gap}{_section(section)}{name}" if section else ""
    (found,) = numerals(text)
    assert number in found.values and (len(found.values) == 1 or text[-2] in "百千万亿")


def _section(number: int) -> str:
    """1 to 9999."""
    text, gap = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        text += ("零" if gap and text else "") + "零一二三四五六七八九"[digit] + name if digit else ""
        gap = not digit
    return text


def test_a_longer_answer_than_the_limit_is_refused_and_the_threshold_is_the_users():
    said = "The keeper wrote to countless tourists about sunny beaches."
    assert problem(TEXT, "Who?", said, "length", "general", None) == "not ended"
    assert problem(TEXT, "Who?", said, "stop", "general", 0.0) is None
    assert problem(TEXT, "Who?", said, "stop", "general", 0.9) == "not grounded in the document"
    assert 0 < grounding(TEXT, "Who?", said) < 0.9


@pytest.mark.parametrize("letters", ["abcdefghij", "天地玄黄宇宙洪荒日月盈昃辰宿列张"])
def test_near_duplicates_are_found_in_both_languages(letters):
    draw = random.Random(0)
    joint = " " if letters.isascii() else ""
    words = ["".join(draw.choices(letters, k=4)) for _ in range(400)]
    near = NearDuplicates(0.7)
    assert not near.seen(joint.join(words))
    assert near.seen(joint.join(words)) and near.seen(joint.join([*words[:390], *words[:10]]))
    assert not near.seen(joint.join(draw.sample(words, 400))) and not near.seen("")


def test_a_passage_of_an_evaluation_set_is_found():
    words = "one two three four five six seven eight nine ten eleven twelve thirteen"
    passages = Passages([f"A test: {words}, and more.", CHINESE])
    assert passages.in_text(f"He said: {words.upper()}!") and not passages.in_text(words.replace("six", "6"))
    assert passages.in_text("他说：" + CHINESE[14:45]) and not passages.in_text(CHINESE[:12])
    assert not Passages([]).in_text(words)
    short = Passages(["What did the keeper of Harrowgate write?"])
    assert short.in_text("Now: what did the keeper of harrowgate write?") and not short.in_text("What did he write?")
