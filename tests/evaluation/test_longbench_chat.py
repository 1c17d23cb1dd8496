"""``longalign longbench-chat`` through the command line, against a real server, from questions to a comparison."""

import csv
import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch
from transformers import AutoModelForCausalLM

from longalign.__main__ import main
from longalign.chat import encode_prompt, load_tokenizer
from longalign.evaluation.longbench_chat.suite import built_in_cases
from longalign.testing import FakeOpenAIServer, Reply, error
from tests.conftest import KEY
from tests.training.conftest import ROOT, TINY

ANSWER = "First line.\n\n- a list\n- with {braces} and [[3]]\n\n\tcode()\r\nlast"
SHORT = ["--suite_length=4000", "--max_new_tokens=50"]


def model_or_judge(body):
    """Answers for models; ratings for judges, of the kind that the model's name asks for."""
    text = body["messages"][-1]["content"]
    if not body["model"].startswith("judge"):
        return f"I am {body['model']}.\n{ANSWER}"
    level = {"weak": 3, "strong": 8}[re.findall(r"I am (\w+)", text)[-1]]
    return f"Well.\nRating: [[{level + random.Random(text).randint(-1, 1)}]]"


@pytest.fixture(scope="module")
def server():
    with FakeOpenAIServer(model_or_judge) as fake:
        yield fake


@pytest.fixture
def longbench(capsys, caplog):
    """Run a command; (stdout, stderr with the log)."""

    def call(what: str, *arguments: object, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            try:
                got = main(["longbench-chat", what, *map(str, arguments)])
            except SystemExit as end:
                got = end.code
        out, err = capsys.readouterr()
        assert got == status, err
        return out, err + "\n".join(caplog.messages)

    return call


@pytest.fixture
def at(server):
    return f"--base_url={server.base_url}"


@pytest.fixture(scope="module")
def runs(server, tmp_path_factory):
    """Answers of two models."""
    folder = tmp_path_factory.mktemp("runs")
    os.environ.setdefault("OPENAI_API_KEY", KEY)
    for name in ("weak", "strong"):
        arguments = [f"--api_model={name}", f"--base_url={server.base_url}", f"--out={folder / name}", *SHORT]
        assert main(["longbench-chat", "predict", *arguments]) == 0
    return folder


def rows_of(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def copy(runs, name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "predictions.jsonl").write_bytes((runs / name / "predictions.jsonl").read_bytes())
    return folder


def test_from_questions_to_a_comparison(longbench, server, at, runs, tmp_path):
    folders = [copy(runs, name, tmp_path) for name in ("weak", "strong")]
    for folder in folders:
        out, said = longbench("judge", f"--run={folder}", "--api_model=judge-1", at, "--price_in=2", "--price_out=8")
        assert re.search(r"24 calls, about [\d,]+ tokens in, up to 24,576 out; at most about 0\.2\d+ at", said)
        assert re.search(r"24 calls, [\d,]+ tokens in, 72 out, cost 0\.01", said)
        assert "| all " in out and "(n 12)" in out and "| en " in out and "| zh " in out
    rows = rows_of(folders[0] / "judgements.jsonl")
    assert len(rows) == 24 and all(row["status"] == "ok" and 2 <= row["score"] <= 4 for row in rows)
    assert {row["served_model"] for row in rows} == {"judge-1-2026-01-01"}
    out, _ = longbench("compare", *folders, f"--out={tmp_path / 'table'}")
    assert "strong is better" in out and re.search(r"\| strong - weak +\| \+[45]\.\d\d \[\+", out)
    table = list(csv.DictReader((tmp_path / "table/compare.csv").open()))
    first = {row["group"]: row for row in table if row["run"] == "weak"}
    assert {"all", "en", "zh", "type one", "type two", "type list"} <= set(first) and first["en"]["n"] == "6"
    scores = [row["score"] for row in rows]
    assert float(first["all"]["mean"]) == pytest.approx(sum(scores) / 24, abs=1e-4)
    assert (tmp_path / "table/compare.md").read_text() == out
    page = (tmp_path / "table/compare.html").read_text()
    assert "strong is better" in page and "http" not in page and "src=" not in page
    assert json.loads((tmp_path / "table/compare.json").read_text())["pairs"][0]["wins"] == 12


def test_newlines_are_kept_from_the_model_to_the_judge(longbench, server, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    rows = rows_of(folder / "predictions.jsonl")
    assert all(row["text"] == f"I am weak.\n{ANSWER}" and row["truncated"] is False for row in rows)
    assert [row["prompt"] for row in rows if "prompt" in row] == []  # documents are not copied
    before = len(server.requests)
    longbench("judge", f"--run={folder}", "--api_model=judge-1", at)
    asked = [request.body["messages"][1]["content"] for request in server.requests[before:]]
    assert len(asked) == 24 and all(f"[Answer begins]\nI am weak.\n{ANSWER}\n[Answer ends]" in text for text in asked)
    openings = [case.prompt[:60] for case in built_in_cases(4000)]
    assert not any(opening in text for opening in openings for text in asked)  # the judge never sees documents


def test_a_second_run_asks_nothing(longbench, server, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    first = longbench("judge", f"--run={folder}", "--api_model=judge-1", at)[0]
    before = len(server.requests)
    _, said = longbench("predict", "--api_model=weak", at, f"--out={folder}", *SHORT)
    assert "there already: 12 of 12 answers" in said
    second, said = longbench("judge", f"--run={folder}", "--api_model=judge-1", at)
    assert second == first and "there already: 24 of 24 ratings" in said
    assert len(server.requests) == before


@pytest.mark.parametrize(("end", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_goes_on_where_it_stopped(longbench, tmp_path, end, status):
    script = "import sys; from longalign.__main__ import main; sys.exit(main(sys.argv[1:]))"
    with FakeOpenAIServer(lambda body: Reply("yes\nno", delay_s=0.1)) as slow:
        file = tmp_path / "run/predictions.jsonl"
        options = ["--api_model=m", f"--base_url={slow.base_url}", f"--out={file.parent}", *SHORT, "--concurrency=2"]
        arguments = [sys.executable, "-c", script, "longbench-chat", "predict", *options]
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # background jobs ignore it
        )
        deadline = time.monotonic() + 120
        while not (file.exists() and file.read_bytes().count(b"\n") >= 4) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(end)
        said = process.communicate(timeout=60)[1].decode()
        assert process.returncode == status and "Traceback" not in said
        assert end == signal.SIGKILL or said.endswith("stopped; the same command goes on where it stopped\n")
        done = len(rows_of(file))
        assert 4 <= done < 12
        with file.open("ab") as stream:
            stream.write(b'{"key": "torn')
        before = len(slow.requests)
        _, said = longbench("predict", *options)
        assert len(slow.requests) - before == 12 - done and "the last line is incomplete" in said
        assert len(rows_of(file)) == 12 and len({row["key"] for row in rows_of(file)}) == 12


def test_a_failed_request_makes_a_failed_row_and_is_tried_again(longbench, tmp_path):
    broken = [True]

    def answer(body):
        if broken[0] and "First:" in body["messages"][0]["content"]:
            return Reply(None, refusal="no")
        return "yes"

    with FakeOpenAIServer(answer) as fake:
        options = ["--api_model=m", f"--base_url={fake.base_url}", f"--out={tmp_path}", *SHORT]
        _, said = longbench("predict", *options, status=1)
        assert "10 answers" in said and "2 failed" in said and "failed: refused: no" in said
        broken[0] = False
        _, said = longbench("predict", *options)
        assert "12 answers" in said and len(fake.requests) == 14
        assert len(rows_of(tmp_path / "predictions.jsonl")) == 14


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


def test_answers_have_a_price_too(longbench, tmp_path):
    with FakeOpenAIServer("yes") as fake:
        options = ["--api_model=m", f"--base_url={fake.base_url}", f"--out={tmp_path}", *SHORT]
        prices = ["--price_in=10", "--price_out=30"]
        _, said = longbench("predict", *options, *prices, "--max_cost=0.01", status=2)
        assert "max_cost: 12 calls with about" in said and not fake.requests
        _, said = longbench("predict", *options, *prices, "--max_cost=1")
        assert re.search(
            r"m at http\S+: 12 calls, about [\d,]+ tokens in, up to 600 out; at most about 0\.\d+ at", said
        )
        assert len(fake.requests) == 12


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


def test_the_key_is_in_no_file_and_no_log(longbench, tmp_path, caplog, capsys, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-extremely-secret-98765")
    monkeypatch.setenv("OPENAI_LOG", "debug")
    caplog.set_level(logging.DEBUG)
    replies = [error(429, "sk-extremely-secret-98765 is too fast", retry_after=0.01), error(500, "key sk-extremely-secret-98765")]  # fmt: skip  # noqa: E501
    refused = error(400, "unknown field temperature for sk-extremely-secret-98765")
    with FakeOpenAIServer("[[5]]", script=[*replies, refused]) as fake:
        options = [f"--base_url={fake.base_url}", "--api_key_env=MY_KEY"]
        with caplog.at_level(logging.DEBUG):
            for name, more in (("predict", ["--api_model=m", f"--out={tmp_path}", *SHORT]), ("judge", ["--api_model=j", f"--run={tmp_path}"])):  # fmt: skip  # noqa: E501
                assert main(["longbench-chat", name, *options, *more]) == 0
            assert main(["longbench-chat", "compare", str(tmp_path), f"--out={tmp_path / 'table'}"]) == 0
        assert "sk-extremely-secret-98765" in fake.requests[0].headers["authorization"]
    written = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    assert len(list(tmp_path.rglob("*.*"))) == 6 and "secret" not in written
    assert "secret" not in caplog.text and "secret" not in "".join(capsys.readouterr())


def test_the_published_files_are_used(longbench, server, at, tmp_path):
    case = {"idx": 2, "prompt": "A text.\n\nWhat is it?", "query": "What is it?", "answer": "A text.", "source": "x"}
    shots = [{"answer": f"example {i}", "score": i + 1} for i in range(3)]
    (tmp_path / "test_cases.json").write_text(json.dumps([case]))
    (tmp_path / "few_shots.json").write_text(json.dumps([shots[:1] * 3, shots]))
    cases = f"--test_cases={tmp_path / 'test_cases.json'}"
    few = f"--few_shots={tmp_path / 'few_shots.json'}"
    run = tmp_path / "run"
    (tmp_path / "old.txt").write_text("an answer\n")
    longbench("predict", "--api_model=strong", at, f"--out={run}", cases)
    assert server.requests[-1].body["messages"] == [{"role": "user", "content": case["prompt"]}]
    _, said = longbench("judge", f"--run={run}", "--api_model=judge", at, status=2)
    assert "the questions of test_cases.json; give that file" in said
    _, said = longbench("judge", f"--run={run}", "--api_model=judge", at, cases, status=2)
    assert "few_shots: this judge prompt shows rated examples" in said
    out, _ = longbench("judge", f"--run={run}", "--api_model=judge", at, cases, few)
    assert "example 2\n[Answer ends]\n\nRating: [[3]]" in server.requests[-1].body["messages"][1]["content"]
    assert "(n 1)" in out
    _, said = longbench("judge", f"--run={tmp_path / 'old.txt'}", "--api_model=judge", at, few, status=2)
    assert "few_shots: belongs to a --test_cases file" in said


def test_predictions_of_the_released_code_can_be_judged(longbench, at, tmp_path):
    (tmp_path / "old-model.txt").write_text("I am weak, line\u2028one\n" * 12)
    out, _ = longbench("judge", f"--run={tmp_path / 'old-model.txt'}", "--api_model=judge", at)
    assert "answers of old-model" in out and len(rows_of(tmp_path / "old-model.judgements.jsonl")) == 24
    (tmp_path / "old-model.txt").write_text("I am weak\n" * 11)
    _, said = longbench("judge", f"--run={tmp_path / 'old-model.txt'}", "--api_model=judge", at, status=2)
    assert "has 11 lines, expected one for each of the 12 cases" in said
    (tmp_path / "old-model.txt").write_bytes(b"\xff\n" * 12)
    _, said = longbench("judge", f"--run={tmp_path / 'old-model.txt'}", "--api_model=judge", at, status=2)
    assert "old-model.txt is not UTF-8 text (byte 0)" in said


def test_an_endpoint_gets_long_documents_cut(longbench, server, at, tmp_path):
    before = len(server.requests)
    _, said = longbench("predict", "--api_model=weak", at, f"--out={tmp_path}", *SHORT, "--max_length=600")
    assert "cut in the middle of the document" in said
    asked = [request.body["messages"][0]["content"] for request in server.requests[before:]]
    queries = [case.query for case in built_in_cases(4000)]
    assert all(any(text.endswith(query) for query in queries) for text in asked)
    assert all(len(text) < 600 * 3 for text in asked) and any("[...]" in text for text in asked)
    rows = rows_of(tmp_path / "predictions.jsonl")
    assert {row["truncated"] for row in rows} == {True, False}


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "give --model for a model to run here, or --api_model"),
        (["--model=m", "--api_model=n"], "give --model for a model to run here, or --api_model"),
        (["--api_model=m", "--max_new_tokens=0"], "max_new_tokens: got 0"),
        (["--api_model=m", "--temperature=-1"], "temperature: got -1"),
        (["--api_model=m", "--suite_length=5"], "suite_length: got 5"),
        (["--api_model=m", "--base_url=host"], "base_url: got 'host'"),
        (["--api_model=m", "--api_key_env=sk-my-secret-key"], "api_key_env: expected the NAME"),
        (["--api_model=m", "--test_cases=none.json"], "test_cases: none.json: No such file"),
        (["--api_modl=m"], "did you mean 'api_model'"),
        ([f"--model={TINY}", "--max_length=5000", "--chat_format=llama2"], "the model has room for 1024"),
        ([f"--model={TINY}", "--max_new_tokens=2000", "--chat_format=llama2"], "the model has room for 1024 in all"),
        ([f"--model={TINY}"], "has no chat template"),
    ],
)
def test_mistakes_are_one_line(longbench, tmp_path, arguments, said):
    _, line = longbench("predict", f"--out={tmp_path / 'out'}", *arguments, status=2)
    assert said in line and line.count("error:") == 1 and "secret" not in line
    assert not list(tmp_path.rglob("predictions.jsonl"))


def test_a_file_holds_one_setup(longbench, at, runs, tmp_path):
    folder = copy(runs, "weak", tmp_path)
    _, said = longbench("predict", "--api_model=strong", at, f"--out={folder}", *SHORT, status=2)
    assert "has answers made with another model; give another --out" in said
    longbench("judge", f"--run={folder}", "--api_model=judge-1", at)
    _, said = longbench("judge", f"--run={folder}", "--api_model=judge-2", at, "--seed=3", status=2)
    assert "has ratings made with another judge, seed; give another --out" in said
    out, _ = longbench("judge", f"--run={folder}", "--api_model=judge-2", at, f"--out={tmp_path / 'second.jsonl'}")
    assert "rated by judge-2" in out
    _, said = longbench("compare", folder, tmp_path / "second.jsonl", status=2)
    assert "were rated in different ways: judge 'judge-1' and 'judge-2'" in said


def test_a_mistyped_model_leaves_nothing_in_the_way(longbench, at, tmp_path):
    with FakeOpenAIServer(lambda body: error(400, "no such thing")) as wrong:
        options = [f"--base_url={wrong.base_url}", "--max_retries=0"]
        longbench("predict", "--api_model=waek", *options, f"--out={tmp_path}", *SHORT, status=1)
        _, said = longbench("predict", "--api_model=weak", at, f"--out={tmp_path}", *SHORT)
        assert "12 answers" in said and "failed" not in said
        longbench("judge", f"--run={tmp_path}", "--api_model=jugde", *options, status=1)
        out, said = longbench("judge", f"--run={tmp_path}", "--api_model=judge", at)
    assert "24 ratings of 12 answers" in out and "failed" not in out + said


def test_a_case_that_the_first_run_lacks_counts_in_the_others_mean(longbench, at, runs, tmp_path):
    folders = [copy(runs, name, tmp_path) for name in ("weak", "strong")]
    rows = rows_of(folders[0] / "predictions.jsonl")
    (folders[0] / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[1:]))
    for folder in folders:
        longbench("judge", f"--run={folder}", "--api_model=judge-1", at)
    out, _ = longbench("compare", *folders)
    means = next(line for line in out.splitlines() if line.startswith("| all "))
    assert re.findall(r"\(n (\d+)\)", means) == ["11", "12"] and "do not have the same rated cases" in out


def test_equal_models_are_not_distinguishable(longbench, runs, tmp_path):
    folders = [copy(runs, name, tmp_path) for name in ("weak", "strong")]
    with FakeOpenAIServer(lambda body: f"[[{random.Random(str(body)).randint(4, 8)}]]") as fake:
        for folder in folders:
            longbench("judge", f"--run={folder}", "--api_model=judge", f"--base_url={fake.base_url}")
    out, _ = longbench("compare", *folders)
    assert "not distinguishable" in out and "is better" not in out


def test_compare_says_what_it_needs(longbench, runs, tmp_path):
    assert "give one or more runs" in longbench("compare", status=2)[1]
    assert "no ratings there; run longalign longbench-chat judge" in longbench("compare", runs / "weak", status=2)[1]
    assert "no predictions.jsonl" in longbench("judge", f"--run={tmp_path}", "--api_model=j", status=2)[1]


def test_a_local_model_answers_as_it_does_in_transformers(longbench, tmp_path):
    options = [f"--model={TINY}", "--chat_format=llama2", "--suite_length=4000", "--max_new_tokens=9", "--device=cpu"]
    _, said = longbench("predict", *options, f"--out={tmp_path}")
    assert "12 answers" in said and "cut in the middle of the document" in said
    rows = {row["idx"]: row for row in rows_of(tmp_path / "predictions.jsonl")}
    tokenizer = load_tokenizer(TINY)
    network = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32).eval()
    whole = [case for case in built_in_cases(4000) if not rows[case.idx]["truncated"]]
    assert 2 <= len(whole) < 12
    for case in whole[:2]:
        prompt = torch.tensor([encode_prompt([{"role": "user", "content": case.prompt}], tokenizer, "llama2")])
        ids = network.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=9, do_sample=False)
        expected = tokenizer.decode(ids[0, prompt.shape[1] :], skip_special_tokens=True).strip()
        assert rows[case.idx]["text"] == expected and rows[case.idx]["prompt_tokens"] == prompt.shape[1]
    assert all(row["prompt_tokens"] + 9 <= 1024 and row["finish_reason"] in ("length", "stop") for row in rows.values())
    assert rows[1]["setup"]["weights"] and "12 of 12" in longbench("predict", *options, f"--out={tmp_path}")[1]


def test_help_needs_nothing_heavy():
    code = (
        "import sys\nfrom longalign.__main__ import main\nmain(['--help'])\nassert main(['longbench-chat']) == 2\n"
        "assert main(['longbench-chat', '--help']) == 0\nassert 'jsonargparse' not in sys.modules\n"
        "import longalign.commands.longbench_chat, longalign.commands.longbench_chat_predict\n"
        "print([name for name in ('openai', 'torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and "longbench-chat compare" in done.stdout
