"""The published files' formats, the built-in suite, and documents that are too long."""

import json

import pytest

from longalign.chat import load_tokenizer
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case, language_of, read_cases
from longalign.evaluation.longbench_chat.fit import document_span, fit_case, meter, rough_meter
from longalign.evaluation.longbench_chat.suite import built_in_cases, parse_source, source_name
from tests.training.conftest import TINY

CASE = {"idx": 1, "prompt": "A long\n\ndocument.\n\nWhat is it?", "query": "What is it?", "answer": "A document."}
SHOTS = [{"answer": "a\nb", "score": 10}, {"answer": "", "score": 1}, {"answer": "c", "score": 5}]


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


def test_the_published_files_are_read_and_other_keys_are_kept(tmp_path):
    rows = [CASE | {"type": "x", "n": [1]}, CASE | {"idx": 2, "query": "这是什么？", "language": "zh-tw"}]
    cases = read_cases(write(tmp_path / "c.json", rows), write(tmp_path / "f.json", [SHOTS, SHOTS[::-1]]))
    assert [case.idx for case in cases] == [1, 2] and cases[0].others == {"type": "x", "n": [1]}
    assert [case.language for case in cases] == ["en", "zh-tw"]
    assert [shot.score for shot in cases[1].few_shots] == [5, 1, 10] and cases[0].few_shots[0].answer == "a\nb"
    assert cases[0].key != cases[1].key


def test_examples_are_found_by_idx_not_by_row(tmp_path):
    files = write(tmp_path / "c.json", [CASE | {"idx": 2}]), write(tmp_path / "f.json", [SHOTS, SHOTS[::-1]])
    assert read_cases(*files)[0].few_shots[0].score == 5


@pytest.mark.parametrize(
    "rows, said",
    [
        ("{", "cannot be read as JSON"),
        ('{"a": 1}\n{"a": 2}', "it seems to be JSON lines"),
        ({"a": 1}, "expected a list, got an object"),
        ([], "has no cases"),
        ([CASE, 3], "row 2: expected an object with idx, prompt, query, answer, got a number"),
        ([CASE, {"idx": 2}], "row 2: field 'prompt' is missing, expected a text"),
        ([CASE | {"idx": "1"}], "row 1: field 'idx' is a text, expected a number"),
        ([CASE | {"idx": True}], "row 1: field 'idx' is true or false"),
        ([CASE | {"idx": 0}], "row 1: field 'idx' is 0"),
        ([CASE | {"query": " "}], "row 1: field 'query' is empty"),
        ([CASE | {"prompt": "a \ud83d"}], "row 1: field 'prompt' holds half a surrogate pair"),
        ("[" * 100_000, "cannot be read as JSON"),
        ([CASE | {"answer": None}], "row 1: field 'answer' is null"),
        ([CASE | {"language": 3}], "row 1: field 'language' is a number"),
        ([CASE, CASE], "idx 1 occurs twice"),
    ],
)
def test_a_wrong_test_cases_file_is_said_with_file_row_and_field(tmp_path, rows, said):
    with pytest.raises(UserError) as mistake:
        read_cases(write(tmp_path / "c.json", rows))
    assert said in str(mistake.value) and "c.json" in str(mistake.value) and "\n" not in str(mistake.value)


@pytest.mark.parametrize(
    "rows, said",
    [
        ([SHOTS[:2]], "row 1: expected a list of 3 examples, got a list of 2"),
        ([{"answer": "a"}], "row 1: expected a list of 3 examples, got an object"),
        ([[*SHOTS[:2], "x"]], "row 1, example 3: expected an object with answer, score, got a text"),
        ([[*SHOTS[:2], {"score": 3}]], "row 1, example 3: field 'answer' is missing"),
        ([[*SHOTS[:2], {"answer": "a"}]], "row 1, example 3: field 'score' is missing"),
        ([[*SHOTS[:2], {"answer": "a", "score": 11}]], "field 'score' is a number 11"),
        ([[*SHOTS[:2], {"answer": "a", "score": "7"}]], "field 'score' is a text '7'"),
        ([[*SHOTS[:2], {"answer": "a", "score": 7.0}]], "field 'score' is a number 7.0"),
        ([], "has examples for idx 1 to 0"),
    ],
)
def test_a_wrong_few_shots_file_is_said_with_file_row_and_field(tmp_path, rows, said):
    with pytest.raises(UserError) as mistake:
        read_cases(write(tmp_path / "c.json", [CASE]), write(tmp_path / "f.json", rows))
    assert said in str(mistake.value) and "f.json" in str(mistake.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UserError, match=r"test_cases: .*c\.json: No such file"):
        read_cases(str(tmp_path / "c.json"))


def test_languages():
    assert language_of("What does 李白 say?") == "en" and language_of("李白在 Tang 诗里说了什么？") == "zh"


def test_the_suite_is_a_dozen_in_two_languages_and_the_same_everywhere():
    cases = built_in_cases()
    assert len(cases) == 12 and [case.language for case in cases] == ["en", "zh"] * 6
    assert len({case.key for case in cases}) == 12
    assert [case.key for case in cases] == [case.key for case in built_in_cases()]
    assert cases[0].key == "7170adbabc40e3f9efc0"  # on every machine
    assert cases[0].key != built_in_cases(seed=1)[0].key != built_in_cases(length=8000)[0].key
    for case in cases:
        assert case.prompt.endswith(f"\n\n{case.query}") and language_of(case.query) == case.language
        scores = sorted(shot.score for shot in case.few_shots)
        assert len(scores) == 3 and scores[-1] == 10 and scores[0] < 3 < scores[1] < 10
        assert len({shot.answer for shot in case.few_shots}) == 3
        assert next(shot.answer for shot in case.few_shots if shot.score == 10) == case.answer


def test_the_suite_for_many_seeds_has_what_it_asks_for():
    for seed in range(5):
        assert len({case.query for case in built_in_cases(4000, seed)}) == 12


def test_a_source_names_the_suite():
    assert parse_source(source_name(5000, 3)) == (5000, 3)
    with pytest.raises(UserError, match=r"the questions of test_cases\.json; give that file"):
        parse_source("test_cases.json")
    with pytest.raises(UserError, match="suite_length: got 10"):
        built_in_cases(10)


def case(prompt: str, query: str) -> Case:
    return Case(1, prompt, query, "a", "en")


def test_the_document_is_what_is_not_the_question():
    for prompt, query, document in [
        ("Doc one.\n\nDoc two.\n\nWhy?", "Why?", "Doc one.\n\nDoc two.\n\n"),
        ("Why?\n\nDoc one. Doc two.", "Why?", "\n\nDoc one. Doc two."),
        ("Why? he said.\n\nMore.\n\nWhy?", "Why?", "Why? he said.\n\nMore.\n\n"),
        ("Doc one.\n\nDoc two.\n\nPlease say why.", "Why?", "Doc one.\n\nDoc two."),
        ("Doc one.", "Why?", "Doc one."),
    ]:
        start, end = document_span(case(prompt, query))
        assert prompt[start:end] == document


@pytest.fixture(scope="module")
def tiny():
    return meter(load_tokenizer(TINY), "llama2")


@pytest.mark.parametrize("how", ["tiny", "rough"])
@pytest.mark.parametrize("room", [500, 501, 777])
def test_a_long_document_is_cut_in_its_middle_and_the_question_and_the_answer_have_their_room(how, room, tiny):
    measure = tiny if how == "tiny" else rough_meter()
    for found in built_in_cases(4000)[8:10]:
        prompt = fit_case(found, measure, room, 100)
        assert room - 100 - 16 <= prompt.tokens == len(measure.encode(prompt.text)) <= room - 100
        assert prompt.text.endswith(found.query) and prompt.text.startswith(found.prompt[:40])
        head, tail = prompt.text.split("\n\n[...]\n\n")
        assert found.prompt.startswith(head) and found.prompt.endswith(tail)
        assert prompt.cut_tokens == len(measure.encode(found.prompt)) - prompt.tokens > 0


def test_a_question_in_front_is_kept_too(tiny):
    question = "Which of the many entries below is the one that speaks of rain? " * 8
    found = case(question + "\n\n" + "It was dry. " * 400, question.strip())
    prompt = fit_case(found, tiny, 700, 50)
    assert prompt.text.startswith(question) and prompt.tokens <= 650


def test_what_fits_is_left_alone(tiny):
    found = built_in_cases(4000)[0]
    whole = fit_case(found, tiny, None, 100)
    assert whole.text == found.prompt and whole.cut_tokens == 0
    assert fit_case(found, tiny, whole.tokens + 100, 100) == whole
    assert fit_case(found, tiny, whole.tokens + 99, 100).cut_tokens > 0


def test_a_question_that_is_too_long_by_itself_is_an_error(tiny):
    with pytest.raises(UserError, match="case 1: its question does not fit"):
        fit_case(case("Doc. " * 400 + "why " * 300, "why " * 300), tiny, 200, 50)
