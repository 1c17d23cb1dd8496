"""Whole runs of ``data synthesize`` against a real server, whose author answers by what it is asked."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from longalign.__main__ import main
from longalign.data.sources import read_conversations
from longalign.testing import FakeOpenAIServer, Reply, error
from tests.training.conftest import ROOT

NAMES = ["Harrow", "Selby", "Tarn", "Wick", "Molden", "Dray", "Fenn", "Aster", "Birch", "Corve", "Lund", "Quill"]
CHINESE_NAMES = ["青石", "白云", "龙泉", "桃源", "望海", "枫林"]


def text(name: str, sentences: int) -> str:
    return " ".join(f"In year {1800 + n} the keeper {name}{n} rebuilt bridge {n} of {name}." for n in range(sentences))


def chinese(name: str, sentences: int) -> str:
    return "".join(f"{1800 + n}年，{name}镇的第{n}座石桥由木匠重新修好。" for n in range(sentences))


@pytest.fixture
def documents(tmp_path):
    """12 English documents of 240 to 420 estimated tokens, and 6 Chinese of up to 370."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for n, name in enumerate(NAMES):
        (folder / f"{name}.txt").write_text(text(name, 16 + n))
    for n, name in enumerate(CHINESE_NAMES):
        (folder / f"{name}.txt").write_text(chinese(name, 16 + 2 * n))
    (folder / "short.txt").write_text("Too short.")
    return folder


def author(body: dict) -> str:
    """Five questions, or a sentence of the document that the question names."""
    asked = body["messages"][-1]["content"]
    if "Write five" in asked or "请写出五个" in asked:
        name = re.search(r"of (\w+)\.", asked) or re.search(r"年，(\w\w)镇", asked)
        assert name is not None
        lines = (f"{n}. What became of bridge {n} of {name[1]}?" for n in range(1, 6))
        zh = (f"{n}. {name[1]}镇的第{n}座石桥怎么样了？" for n in range(1, 6))
        return "\n".join(zh if "请写出五个" in asked else lines)
    number = re.search(r"bridge (\d+) of (\w+)\?", asked)
    if number:
        return f"In year {1800 + int(number[1])} the keeper {number[2]}{number[1]} rebuilt bridge {number[1]}."
    found = re.search(r"(\w\w)镇的第(\d+)座石桥怎么样了", asked)
    assert found is not None
    return f"{1800 + int(found[2])}年，{found[1]}镇的第{found[2]}座石桥由木匠重新修好。"


BUCKETS = "--buckets=200-320:0.5,320-900:0.5"
LIMITS = ["--max_new_tokens=60", "--similar=0.95"]


def options(documents: Path, out: Path, server: FakeOpenAIServer, *more: str) -> list[str]:
    where = [f"--documents={documents}", f"--out={out}", "--api_model=writer", f"--base_url={server.base_url}"]
    return ["data", "synthesize", *where, BUCKETS, *LIMITS, *more]


def test_rows_are_documents_with_a_question_and_its_answer(documents, tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    out = tmp_path / "long.jsonl"
    with FakeOpenAIServer(author) as server:
        assert main(options(documents, out, server, "--count=12")) == 0
        assert len(server.requests) == 24 and server.max_in_flight <= 8
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == len(list(read_conversations(str(out)))) == 12
    assert Counter(row["provenance"]["bucket"] for row in rows) == {"200-320": 6, "320-900": 6}
    assert {row["language"] for row in rows} == {"en", "zh"} and len({row["task"] for row in rows}) >= 3
    for row in rows:
        user, assistant = (message["content"] for message in row["messages"])
        where = row["provenance"]["document"]["where"]
        questions, drawn = row["provenance"]["questions"], row["provenance"]["drawn"]
        assert Path(where).read_text() in user and questions[drawn] in user and len(questions) == 5
        assert assistant == author({"messages": [{"content": user}]})
        assert row["provenance"]["served_model"].startswith("writer") and row["provenance"]["tokens"]["answer"][1] > 0
    assert "kept" in capsys.readouterr().out and "1 shorter than the least bucket" in caplog.text
    report = json.loads((tmp_path / "long.jsonl.report.json").read_text())
    assert report["rows"] == 12 and sum(group["outcomes"].get("kept", 0) for group in report["groups"]) == 12
    assert main(options(documents, out, FakeOpenAIServer(author).__enter__(), "--count=12")) == 2, (
        "it is not overwritten"
    )


def test_where_the_rows_are_their_report_is_though_the_run_is_stopped_then(documents, tmp_path, monkeypatch):
    out, replace = tmp_path / "long.jsonl", os.replace

    def stopped(source, target):
        replace(source, target)
        if target == out:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with FakeOpenAIServer(author) as server, pytest.raises(SystemExit, match="130"):
        main(options(documents, out, server, "--count=4"))
    assert json.loads((tmp_path / "long.jsonl.report.json").read_text())["rows"] == 4
    assert len(out.read_text().splitlines()) == 4


def test_the_same_seed_asks_the_same_and_another_does_not(documents, tmp_path):
    asked = []
    for number, seed in enumerate((1, 1, 2)):
        with FakeOpenAIServer(author) as server:
            assert main(options(documents, tmp_path / f"{number}.jsonl", server, "--count=6", f"--seed={seed}")) == 0
            asked.append({json.dumps(request.body["messages"]) for request in server.requests})
    assert asked[0] == asked[1] != asked[2]
    assert (tmp_path / "0.jsonl").read_text() == (tmp_path / "1.jsonl").read_text()


def test_answers_that_fail_give_way_to_other_documents(documents, tmp_path, capsys):
    def careless(body: dict) -> str:
        said = author(body)
        asked = body["messages"][-1]["content"]
        if "Write five" in asked or "请写出五个" in asked:
            return "No." if "Selby0" in asked else said
        return "I'm sorry, I cannot answer." if "Tarn0" in asked else "" if "Wick0" in asked else said

    with FakeOpenAIServer(careless) as server:
        assert main(options(documents, tmp_path / "long.jsonl", server, "--count=12", "--concurrency=3")) == 0
    rows = [json.loads(line) for line in (tmp_path / "long.jsonl").read_text().splitlines()]
    assert len(rows) == 12 and not any(name in json.dumps(rows) for name in ("Selby0", "Tarn0", "Wick0"))
    table = capsys.readouterr().out
    assert all(reason in table for reason in ("questions cannot be read", "refusal", "empty")), table


@pytest.mark.parametrize("reason", ["eos", ""])
def test_a_model_that_thinks_and_ends_in_its_own_way_is_understood(documents, tmp_path, reason):
    def thinker(body: dict) -> Reply:
        return Reply(f"<think>1. Who?\n2. Why?</think>\n{author(body)}", finish_reason=reason)

    with FakeOpenAIServer(thinker) as server:
        more = ["--count=4", "--max_new_tokens=700", "--buckets=200-2000:1"]
        assert main(options(documents, tmp_path / "a.jsonl", server, *more)) == 0
        assert len(server.requests) == 8 and {request.body["max_tokens"] for request in server.requests} == {700}


def test_too_few_documents_are_used_again_and_what_is_missing_is_said(documents, tmp_path, caplog):
    caplog.set_level("INFO")
    with FakeOpenAIServer(author) as server:
        assert main(options(documents, tmp_path / "a.jsonl", server, "--count=40", "--seed=5")) == 0
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    uses = Counter(row["provenance"]["document"]["sha256"] for row in rows)
    assert max(uses.values()) > 1 and len({(row["id"]) for row in rows}) == len(rows)
    assert "documents are used several times, each time for another task" in caplog.text


def test_a_plan_says_cost_and_asks_nothing_and_a_budget_stops_the_run_which_goes_on(documents, tmp_path, caplog, capfd):
    caplog.set_level("INFO")
    out = tmp_path / "long.jsonl"
    prices = ["--price_in=1", "--price_out=2", "--count=6"]
    with FakeOpenAIServer(author) as server:
        assert main(options(documents, out, server, *prices, "--plan=true")) == 0
        assert not server.requests and "12 calls" in caplog.text and "at your prices" in caplog.text
        assert main(options(documents, out, server, *prices, "--max_cost=0.001")) == 2
        assert not server.requests and "more than 0.001" in capfd.readouterr().err
        assert main(options(documents, out, server, *prices)) == 0
    assert len(out.read_text().splitlines()) == 6


def test_trouble_of_the_server_is_waited_out(documents, tmp_path):
    script = [error(429, "slow down", retry_after=0.1), error(500, "oops"), Reply(drop=True)]
    with FakeOpenAIServer(author, script=script) as server:
        assert main(options(documents, tmp_path / "a.jsonl", server, "--count=4")) == 0
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 4


def test_a_refused_key_ends_it_in_one_line(documents, tmp_path, capfd):
    with FakeOpenAIServer(lambda body: error(401, "bad key")) as server:
        assert main(options(documents, tmp_path / "a.jsonl", server, "--count=4")) == 2
    said = capfd.readouterr().err.strip().splitlines()[-1]
    assert "refuses the API key" in said and not (tmp_path / "a.jsonl").exists()


def test_a_document_that_the_server_refuses_gives_way(documents, tmp_path, capsys):
    def picky(body: dict) -> str | Reply:
        return error(400, "filtered") if "Harrow0" in body["messages"][-1]["content"] else author(body)

    with FakeOpenAIServer(picky) as server:
        assert main(options(documents, tmp_path / "a.jsonl", server, "--count=24", "--concurrency=2")) == 0
    assert "refused by the server" in capsys.readouterr().out and "Harrow0" not in (tmp_path / "a.jsonl").read_text()


def test_a_server_that_refuses_everything_spoils_no_document(documents, tmp_path):
    script = [error(400, "API key not valid")] * 4
    with FakeOpenAIServer(author, script=script) as server:
        arguments = options(documents, tmp_path / "a.jsonl", server, "--count=4")
        with pytest.raises(SystemExit, match="1"):
            main(arguments)
        assert len(server.requests) == 4, "none in its place"
        assert main(arguments) == 0
    assert len(server.requests) == 12 and len((tmp_path / "a.jsonl").read_text().splitlines()) == 4


def test_failed_requests_leave_no_file_and_are_tried_again(documents, tmp_path):
    broken = [True]

    def once(body: dict) -> str | Reply:
        return error(500, "oops") if broken[0] and "Harrow0" in body["messages"][-1]["content"] else author(body)

    with FakeOpenAIServer(once) as server:
        arguments = options(documents, tmp_path / "a.jsonl", server, "--count=4", "--max_retries=0")
        with pytest.raises(SystemExit, match="1"):
            main(arguments)
        assert not (tmp_path / "a.jsonl").exists()
        assert len({json.dumps(request.body["messages"]) for request in server.requests}) == 7, "none in its place"
        broken[0] = False
        assert main(arguments) == 0
    assert (tmp_path / "a.jsonl").exists()


def test_a_request_that_fails_for_ever_gives_way_if_it_is_to(documents, tmp_path, capsys, caplog):
    def broken(body: dict) -> str | Reply:
        return error(500, "oops") if "Harrow0" in body["messages"][-1]["content"] else author(body)

    out = tmp_path / "a.jsonl"
    with FakeOpenAIServer(broken) as server:
        arguments = options(documents, out, server, "--count=24", "--max_retries=0")
        with pytest.raises(SystemExit, match="1"):
            main(arguments)
        assert "--skip_failed true" in caplog.text and not out.exists()
        before = len(server.requests)
        assert main([*arguments, "--skip_failed=true"]) == 0
        again = server.requests[before:]
    failing = Counter(sent for request in again if "Harrow0" in (sent := json.dumps(request.body)))
    assert set(failing.values()) == {1}  # each tried once more, and then others
    assert "request failed" in capsys.readouterr().out
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows and not any("Harrow0" in json.dumps(row) for row in rows)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_asks_nothing_twice(documents, tmp_path, number):
    out = tmp_path / "long.jsonl"

    def slow(body: dict) -> Reply:
        return Reply(author(body), delay_s=0.2)

    with FakeOpenAIServer(slow) as server:
        arguments = options(documents, out, server, "--count=12", "--concurrency=2")
        command = [sys.executable, "-m", "longalign", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env={**os.environ}, text=True)
        until = time.monotonic() + 60
        while len(server.requests) < 8 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == (143 if number == signal.SIGTERM else -9), said
        assert not out.exists() and (number == signal.SIGKILL or "goes on where it stopped" in said)
        answered = {row["key"] for row in map(json.loads, (tmp_path / "long.jsonl.work").read_text().splitlines())}
        before = len(server.requests)
        assert main(arguments) == 0
        assert len(server.requests) - before == 24 - len(answered)
    report = json.loads((tmp_path / "long.jsonl.report.json").read_text())
    assert report["calls"] == 24 and report["this_run"]["calls"] == 24 - len(answered)
    assert len(out.read_text().splitlines()) == 12


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--api_model="], "api_model: give the model"),
        (["--out=a.txt"], "expected a file that ends in .jsonl"),
        (["--buckets=1-2:1"], "leaves no room"),
        (["--buckets=100000-200000:1"], "no document has such a length"),
        (["--count=0"], "count: got 0"),
        (["--similar=2"], "similar: got 2"),
        (["--documents=nowhere"], "does not exist"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_asked(documents, tmp_path, capfd, more, expected):
    with FakeOpenAIServer(author) as server:
        assert main(options(documents, tmp_path / "a.jsonl", server, *more)) == 2
        assert not server.requests
    assert expected in capfd.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("files", ["[{}]", "{}"])
def test_evaluation_sets_are_kept_out(documents, tmp_path, caplog, files):
    caplog.set_level("INFO")
    (tmp_path / "tests.json").write_text(json.dumps([{"case": {"question": text("Harrow", 4)}}]))
    with FakeOpenAIServer(author) as server:
        more = ["--count=8", "--exclude=" + files.format(tmp_path / "tests.json")]
        assert main(options(documents, tmp_path / "a.jsonl", server, *more)) == 0
        assert not any("Harrow0" in json.dumps(request.body) for request in server.requests)
    assert "1 with a passage of an evaluation set" in caplog.text
