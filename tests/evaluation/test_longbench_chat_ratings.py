"""``longalign longbench-chat judge`` through the command line: its protocols, its cost, ratings that cannot be read."""

import json
import re
from contextlib import contextmanager

import pytest

from longalign.evaluation.longbench_chat.suite import built_in_cases
from longalign.testing import FakeOpenAIServer, Reply, error
from tests.conftest import KEY
from tests.evaluation.longbench import ANSWER, copy, rows_of


def test_ratings_stop_at_a_refused_key_and_go_on_later(longbench, server, at, runs, tmp_path):
    folder = copy(runs, "strong", tmp_path)
    count = [0]

    def answer(body):
        count[0] += 1
        return error(401, f"bad key {KEY}") if count[0] > 5 else "[[7]]"

    options = [f"--run={folder}", "--api_model=judge-1", "--concurrency=1"]
    with FakeOpenAIServer(answer) as fake:
        _, said = longbench("judge", *options, f"--base_url={fake.base_url}", status=2)
        assert "refuses the API key (HTTP 401)" in said and KEY not in said and len(fake.requests) == 6
    assert len(rows_of(folder / "judgements.jsonl")) == 5
    before = len(server.requests)
    longbench("judge", *options, at)
    assert len(server.requests) - before == 19  # at another address, which is nobody's business


def test_an_unreadable_rating_is_counted_and_never_guessed(longbench, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    english, chinese = (case.query for case in built_in_cases(4000)[:2])
    clear = [False]

    def answer(body):
        text = body["messages"][1]["content"]
        if english in text and not clear[0]:
            return "about seven"
        if chinese in text and not clear[0]:
            return Reply("[[4]] or so", finish_reason="length")
        return "[[6]]"

    with FakeOpenAIServer(answer) as fake:
        options = [f"--run={folder}", "--api_model=judge", f"--base_url={fake.base_url}"]
        out, said = longbench("judge", *options)
        assert (
            "left out of its mean: 4 unreadable ratings, 2 unrated cases." in out and "6.00 [6.00, 6.00] (n 10)" in out
        )
        assert "cut at 1024 tokens" in said and "no [[1]] to [[10]] in 'about seven'" in said
        unread = [row for row in rows_of(folder / "judgements.jsonl") if row["status"] == "unparsable"]
        assert len(unread) == 4 and all(row["score"] is None and row["raw"] for row in unread)
        longbench("judge", *options)
        assert len(fake.requests) == 24
        clear[0] = True
        out, _ = longbench("judge", *options, "--retry_unparsable=true")
        assert len(fake.requests) == 28 and "(n 12)" in out and "unreadable" not in out


def test_the_original_protocol_is_that_of_the_released_code(longbench, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    template = tmp_path / "prompt_fs.txt"
    template.write_text("Q{} R{} A{} S{} A{} S{} A{} S{} NOW<{}>")
    lazy = {}

    def answer(body):
        text = body["messages"][1]["content"]
        lazy[text] = lazy.get(text, 0) + 1
        return {1: "hm", 2: "hm", 3: "[[7.5]]"}.get(lazy[text], "hm") if "barometer" in text else "[[12 of 10]]"

    with FakeOpenAIServer(answer) as fake:
        options = [f"--run={folder}", "--api_model=gpt-4", f"--base_url={fake.base_url}", "--protocol=original"]
        out, said = longbench("judge", *options, f"--template={template}", "--system=published words")
        bodies = [request.body for request in fake.requests]
    assert "prompts of our own" not in said and "protocol original, one rating an answer" in out
    cases = {case.query: case for case in built_in_cases(4000)}
    for body in bodies:
        system, user = (message["content"] for message in body["messages"])
        assert system == "published words" and set(body) == {"model", "messages", "temperature"}
        case = cases[re.match(r"Q(.*?) R", user, re.S)[1]]
        shots = " ".join(f"A{shot.answer} S{shot.score}" for shot in case.few_shots)  # in the file's order
        flat = f"I am weak.\n{ANSWER}".strip().replace("\n", " ")
        assert user == f"Q{case.query} R{case.answer} {shots} NOW<{flat}>"
    slow = sum("barometer" in case.query for case in cases.values())
    assert len(bodies) == 12 + 2 * slow
    scores = json.loads((folder / "scores.json").read_text())
    assert len(scores) == 13 and set(scores[0]) >= {"idx", "query", "answer", "prediction", "gpt_analysis", "score"}
    assert [row["idx"] for row in scores[:-1]] == list(range(1, 13)) and "prompt" not in scores[0]
    assert {row["score"] for row in scores[:-1]} <= {"12", "7.5"}
    total = sum(float(row["score"]) for row in scores[:-1])
    assert scores[-1]["total_score"] == total and f"total_score {total:g}" in out


@contextmanager
def unreadable(longbench, runs, tmp_path):
    """A judge whose ratings of a run cannot be read, the file that they are in, and the options of the command."""
    folder = copy(runs, "weak", tmp_path)
    with FakeOpenAIServer("hm") as fake:
        options = [f"--run={folder}", "--api_model=judge", f"--base_url={fake.base_url}", "--protocol=original"]
        longbench("judge", *options)
        yield fake, folder / "judgements.jsonl", options


def test_the_original_protocol_resumed_asks_for_an_unreadable_rating_five_times_in_all(longbench, runs, tmp_path):
    with unreadable(longbench, runs, tmp_path) as (fake, file, options):
        assert len(fake.requests) == 12 * 5
        stopped = [row for row in map(json.loads, file.read_text().splitlines()) if row["tries"] <= 3]
        file.write_text("".join(json.dumps(row) + "\n" for row in stopped))
        longbench("judge", *options)
        assert len(fake.requests) == 12 * (5 + 2)
        longbench("judge", *options)
        assert len(fake.requests) == 12 * (5 + 2)
        longbench("judge", *options, "--retry_unparsable=true")
        assert len(fake.requests) == 12 * (5 + 2 + 5)


def test_an_unreadable_rating_that_does_not_say_its_tries_counts_as_tried_once(longbench, runs, tmp_path):
    with unreadable(longbench, runs, tmp_path) as (fake, file, options):
        first = [row for row in map(json.loads, file.read_text().splitlines()) if row.pop("tries") == 1]
        file.write_text("".join(json.dumps(row) + "\n" for row in first))
        longbench("judge", *options)
        assert len(fake.requests) == 12 * (5 + 4)


def test_the_original_protocol_without_the_published_prompt_says_so(longbench, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    _, said = longbench("judge", f"--run={folder}", "--api_model=judge", at, "--protocol=original")
    assert "prompts of our own" in said
    longbench("judge", f"--run={folder}", "--api_model=judge", at, "--protocol=original", "--preset=qa", status=2)


@pytest.mark.parametrize("preset, scale", [("qa", "1 to 3"), ("summary", "1 to 5"), ("zero_shot", "1 to 10")])
def test_a_preset_without_examples_rates_once(longbench, at, runs, tmp_path, preset, scale):
    folder = copy(runs, "weak", tmp_path)
    out, _ = longbench("judge", f"--run={folder}", "--api_model=judge", at, f"--preset={preset}")
    assert f"preset {preset}, protocol paper, one rating an answer), {scale}" in out
    assert len(rows_of(folder / "judgements.jsonl")) == 12


def test_no_call_is_made_that_could_cost_too_much(longbench, server, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    before = len(server.requests)
    options = [f"--run={folder}", "--api_model=judge", at]
    prices = ["--price_in=10", "--price_out=30"]
    _, said = longbench("judge", *options, *prices, "--max_cost=0.5", status=2)
    assert "max_cost: 24 calls with about" in said and "may cost 0.8" in said and len(server.requests) == before
    _, said = longbench("judge", *options, "--max_cost=0.5", status=2)
    assert "max_cost needs --price_in and --price_out" in said
    _, said = longbench("judge", *options, *prices, "--plan_only=true")
    assert "24 calls" in said and len(server.requests) == before
    assert not (folder / "judgements.jsonl").exists()
    longbench("judge", *options, *prices, "--max_cost=0.5", "--max_tokens=100")
    assert len(server.requests) == before + 24


def test_a_server_that_counts_more_tokens_than_were_estimated_is_stopped(longbench, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    usage = {"prompt_tokens": 20_000, "completion_tokens": 10}
    body = {"choices": [{"message": {"content": "[[5]]"}, "finish_reason": "stop"}], "usage": usage, "model": "j"}
    with FakeOpenAIServer(lambda _: Reply(body=json.dumps(body).encode())) as fake:
        options = [f"--run={folder}", "--api_model=judge", f"--base_url={fake.base_url}", "--concurrency=1"]
        prices = ["--price_in=1", "--price_out=1", "--max_tokens=10", "--max_cost=0.1"]
        _, said = longbench("judge", *options, *prices, status=2)
        assert "stopped before a call that might bring the cost above 0.1" in said
        assert len(fake.requests) == 5 and len(rows_of(folder / "judgements.jsonl")) == 5


def test_ratings_of_other_answers_are_not_mixed_in(longbench, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    longbench("judge", f"--run={folder}", "--api_model=judge", at)
    file = folder / "predictions.jsonl"
    file.write_text(file.read_text().replace("a list", "another list"))
    _, said = longbench("judge", f"--run={folder}", "--api_model=judge", at, status=2)
    assert "has ratings of other answers than this run's; give another --out" in said


def test_a_judge_of_its_own_answers_is_warned_of(longbench, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    with FakeOpenAIServer("[[5]]") as fake:
        options = [f"--run={folder}", "--api_model=lab/Weak", f"--base_url={fake.base_url}"]
        out, said = longbench("judge", *options)
    assert "weak rates its own answers" in said and "the judge rated its own answers" in out


def test_cases_that_a_stopped_predict_has_not_answered_are_said(longbench, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    file = folder / "predictions.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:5]))
    out, said = longbench("judge", f"--run={folder}", "--api_model=judge", at, "--protocol=original")
    assert "7 cases without an answer, left out of all means" in said and "of 5 answers." in out.splitlines()[-1]
    assert json.loads((folder / "scores.json").read_text())[-1]["total_score"] == "none"


def test_files_of_something_else_are_no_ratings_and_no_answers(longbench, at, runs, tmp_path):
    other = tmp_path / "judgements.jsonl"
    other.write_text('{"key": "600/50/0/1", "row": "600/50/0", "judge": "j", "status": "ok", "rating": 7}\n')
    for file in (tmp_path, other, runs / "weak/predictions.jsonl"):
        assert "its rows are no ratings by longalign longbench-chat judge" in longbench("compare", file, status=2)[1]
    (tmp_path / "predictions.jsonl").write_text('{"key": "1", "text": "hello"}\n')
    _, said = longbench("judge", f"--run={tmp_path}", "--api_model=judge", at, status=2)
    assert "predictions.jsonl are no answers of longalign longbench-chat predict" in said
