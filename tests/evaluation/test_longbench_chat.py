"""``longalign longbench-chat`` through the command line, against a real server, from questions to a comparison."""

import csv
import json
import logging
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from transformers import AutoModelForCausalLM

from longalign.__main__ import main
from longalign.chat import encode_prompt, load_tokenizer
from longalign.evaluation.longbench_chat.suite import built_in_cases
from longalign.testing import FakeOpenAIServer, Reply, error
from tests.evaluation.longbench import ANSWER, SHORT, copy, rows_of
from tests.training.conftest import ROOT, TINY


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
        (
            ["--model=m", "--base_url=host", "--max_cost=1"],
            "base_url, max_cost: is for --api_model, which is not given",
        ),
        (["--api_model=m", "--dtype=float16"], "dtype: is for --model, which is not given"),
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


def test_a_tokenizer_is_of_the_setup_where_it_decides_what_is_cut(longbench, at, tmp_path):
    options = ["--api_model=weak", at, *SHORT]
    cut, whole = [*options, f"--out={tmp_path / 'cut'}", "--max_length=600"], [*options, f"--out={tmp_path / 'whole'}"]
    longbench("predict", *cut, f"--tokenizer={TINY}")
    assert "there already: 12 of 12 answers" in longbench("predict", *cut, f"--tokenizer={TINY}/")[1]
    _, said = longbench("predict", *cut, status=2)
    assert "has answers made with another tokenizer; give another --out" in said
    longbench("predict", *whole, f"--tokenizer={TINY}")
    assert "there already: 12 of 12 answers" in longbench("predict", *whole)[1]


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
    _, said = longbench("predict", *options, f"--out={tmp_path}", "--dtype=bfloat16", status=2)
    assert "has answers made with another dtype; give another --out" in said


def test_help_needs_nothing_heavy():
    code = (
        "import sys\nfrom longalign.__main__ import main\nmain(['--help'])\nassert main(['longbench-chat']) == 2\n"
        "assert main(['longbench-chat', '--help']) == 0\nassert 'jsonargparse' not in sys.modules\n"
        "import longalign.commands.longbench_chat, longalign.commands.longbench_chat_predict\n"
        "print([name for name in ('openai', 'torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and "longbench-chat compare" in done.stdout
