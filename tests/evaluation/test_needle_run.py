"""`longalign needle` from the command line: what comes out, what is refused, and the way back."""

import csv
import json
import logging
import re
import subprocess
import sys

import pytest

from longalign.__main__ import main
from longalign.evaluation.needle.heatmap import colour
from longalign.testing import FakeOpenAIServer, Reply, error
from tests.evaluation.needle_runs import needle, rows_of, status_of, summary_of


@pytest.mark.parametrize(("fake", "recall"), [("perfect", 1.0), ("blind", 0.0), ("recency", 1.0)])
@pytest.mark.parametrize("task", ["single", "kv", "multi_value", "multi_key", "variable_tracking"])
def test_fakes_score_as_they_are_made_to(tmp_path, task, fake, recall):
    assert needle(tmp_path, f"--fake={fake}", f"--task={task}", "--lengths=600", small=False) == 0
    assert summary_of(tmp_path)["recall"]["recall"] == recall


def test_a_model_that_remembers_the_end_only_has_an_effective_length(tmp_path, capsys):
    assert needle(tmp_path, "--fake=recency", "--lengths=1000,8000,16000", small=False) == 0
    summary = summary_of(tmp_path)
    assert summary["effective_length"]["length"] == 8000
    by_cell = {(cell["length"], cell["depth"]): cell["recall"] for cell in summary["cells"]}
    assert by_cell[16000, 10] == 0 and by_cell[16000, 90] == 1
    out = capsys.readouterr().out
    assert "effective length 8,000 tokens; recall" in out and "16,000" in out


def test_every_file_is_there_and_says_the_same(tmp_path):
    assert needle(tmp_path, "--fake=recency", "--language=zh", "--task=multi_key") == 0
    rows, summary = rows_of(tmp_path), summary_of(tmp_path)
    assert len(rows) == summary["prompts"] == 8 and summary["versions"]["longalign"]
    assert {cell["n"] for cell in summary["cells"]} == {2}
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["answer"] for row in table] == [row["answer"] for row in rows]
    assert (tmp_path / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*.tmp"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=|@import|url\(", page)  # nothing from elsewhere
    data = json.loads(re.search(r'application/json">(.*?)</script>', page, re.S)[1])
    assert sorted(data) == ["1200/20", "1200/80", "600/20", "600/80"]
    shown = data["600/20"][0]
    assert shown["needles"][0] in shown["around"][0] and shown["answer"] == rows[0]["answer"]
    for row in rows:
        assert 0 <= row["length"] - 64 - row["tokens"] <= 8 and abs(row["reached"][0] - row["depth"]) < 15


def test_needles_far_from_their_depth_and_empty_answers_are_said(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("words without a stop " * 500)
    out = tmp_path / "out"
    assert needle(out, "--fake=perfect", f"--haystack={tmp_path}", "--depths=0,50,100") == 0
    summary = summary_of(out)
    assert summary["off_their_depth"] == 4 and summary["answers_empty"] == 0
    assert "4 needles more than 10 % of the text away from the depth asked for" in capsys.readouterr().out
    with FakeOpenAIServer("<think>a</think>") as server:
        options = ["--api_model=m", "--tokenizer=words", f"--base_url={server.base_url}"]
        assert needle(tmp_path / "empty", *options) == 0
    assert summary_of(tmp_path / "empty")["answers_empty"] == 8
    assert "8 empty answers" in (tmp_path / "empty" / "report.html").read_text()


def test_the_parts_of_a_commands_time_are_all_of_it_and_one_answer_needs_no_list(tmp_path):
    options = ["--needle=A secret is kept in Oslo.", "--question=Where?", "--answers=Oslo"]
    assert needle(tmp_path, "--fake=perfect", *options) == 0
    seconds = summary_of(tmp_path)["seconds"]
    assert sum(s for name, s in seconds.items() if name != "command") == pytest.approx(seconds["command"], abs=0.05)
    assert rows_of(tmp_path)[0]["answers"] == ["Oslo"]


def test_a_run_that_is_done_asks_nothing_and_keeps_what_its_summary_says(tmp_path):
    assert needle(tmp_path, "--fake=perfect") == 0
    before, rows = summary_of(tmp_path), (tmp_path / "results.jsonl").read_bytes()
    assert needle(tmp_path, "--fake=perfect") == 0
    assert summary_of(tmp_path) == before and (tmp_path / "results.jsonl").read_bytes() == rows


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--seeds=3"], "made with seeds 2, now it is 3"),
        (["--task=multi_key"], "made with task kv, now it is multi_key"),
        (["--fake=blind"], "made with model fake perfect, now it is fake blind"),
        (["--max_new_tokens=32"], "made with max_new_tokens 64"),
        (["--haystack={folder}"], "made with haystack {'generated': 'en'"),
        (["--system=Be brief."], "made with system "),
    ],
)
def test_a_changed_setting_in_the_same_folder_is_refused_in_one_line(tmp_path, capsys, changed, said):
    (tmp_path / "a.txt").write_text("It rained. " * 500)
    out = tmp_path / "out"
    assert needle(out, "--fake=perfect", "--task=kv") == 0
    capsys.readouterr()
    rows = (out / "results.jsonl").read_bytes()
    assert needle(out, "--fake=perfect", "--task=kv", *(c.format(folder=tmp_path) for c in changed)) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in message and "a new --out" in message
    assert (out / "results.jsonl").read_bytes() == rows


def test_a_folder_without_good_results_takes_other_settings(tmp_path, key):
    options = ["--api_model=m", "--tokenizer=words", "--max_retries=0"]
    with FakeOpenAIServer(lambda body: error(400, "no")) as server:
        assert status_of(*options, f"--base_url={server.base_url}", out=tmp_path) == 1
    with FakeOpenAIServer("Dolores Park") as server:
        assert needle(tmp_path, *options, f"--base_url={server.base_url}") == 0
        assert summary_of(tmp_path)["settings"]["base_url"] == server.base_url
    assert needle(tmp_path, *options, "--base_url=http://127.0.0.1:9/v1") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "got none, expected one of --model DIR, --api_model NAME"),
        (["--fake=perfect", "--model=x"], "got --model and --fake, expected one"),
        (["--fake=perfct"], "perfct"),
        (["--fake=perfect", "--lengths=1000:2000"], "lengths: got '1000:2000', expected FIRST:LAST:COUNT"),
        (["--fake=perfect", "--lengths=1000.5"], "lengths: got '1000.5', expected whole numbers"),
        (["--fake=perfect", "--lengths=1:inf:3"], "lengths: got '1:inf:3', expected FIRST:LAST:COUNT"),
        (["--fake=perfect", "--depths=0,101"], "depths: got '0,101', expected percents"),
        (["--fake=perfect", "--depths=0:10:21"], "depths: 0:10:21 has only 11 whole numbers; give a list with commas"),
        (["--fake=perfect", "--seeds=0"], "seeds: got 0"),
        (["--fake=perfect", "--lengths=80"], "lengths: 80 tokens are too few"),
        (["--fake=perfect", "--lengths=50", "--plan"], "lengths: 50 has no room beside the answer's 64"),
        (["--fake=perfect", "--needle=A b.", "--question=y", '--answers=[""]'], "answers: one is empty"),
        (["--fake=perfect", "--needle=x"], "needle: give a sentence, and with --question"),
        (["--fake=perfect", "--question=x"], "go with --needle"),
        (["--fake=perfect", "--task=kv", "--needle=x", "--question=y"], "go with --task single"),
        (["--fake=perfect", "--haystack=/nowhere"], "haystack: /nowhere does not exist"),
        (["--fake=perfect", "--compat=longalign"], "give --haystack"),
        (["--api_model=m", "--base_url=http://127.0.0.1:9/v1"], "tokenizer: lengths are counted in tokens of m"),
        (["--model=/nowhere"], "--model: folder /nowhere does not exist"),
        (["--fake=perfect", "--max_new_tokens=0"], "max_new_tokens"),
        (["--fake=perfect", "--compat=longalign", "--seeds=3"], "seeds: --compat longalign has one prompt"),
        (["--fake=perfect", "--gguf_file=a.gguf"], "gguf_file: is of a model that runs here; give --model, or leave"),
        (
            ["--api_model=m", "--tokenizer=words", "--config_overrides={rope_theta: 1}", "--gguf_file=a.gguf"],
            "gguf_file, config_overrides: ",
        ),
        (["--fake=perfect", "--plan", "--price_in=-5", "--price_out=1"], "price_in: got -5.0, expected 0 or more"),
        (["--fake=perfect", "--depths=[50, .nan]"], "depths: got [50.0, nan], expected percents"),
        (["--fake=perfect", "--compat=longalign", "--language=zh"], "language: the prompts of --compat longalign are"),
        (["--fake=perfect", "--judge_base_url=http://127.0.0.1:9/v1"], "judge_base_url: give --judge_model"),
    ],
)
def test_mistakes_take_one_line_and_leave_no_folder(tmp_path, capsys, options, said):
    assert needle(tmp_path / "out", *options, small=False) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("longalign needle: error: ") and said in lines[-1]
    assert not (tmp_path / "out").exists()


def test_a_prompt_is_rebuilt_from_its_row_byte_for_byte(tmp_path, capfdbinary, caplog):
    caplog.set_level(logging.INFO)
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("It rained on 月亮 hill. Nobody came.\r\n" * 300, newline="")
    for more in ([], [f"--haystack={texts}"]):
        out = tmp_path / f"out{len(more)}"
        assert needle(out, "--fake=perfect", "--task=variable_tracking", *more) == 0
        row = rows_of(out)[4]
        for name in ("5", row["key"]):
            capfdbinary.readouterr()
            assert main(["needle", "rebuild", f"--out={out}", f"--row={name}"]) == 0
            shown = capfdbinary.readouterr()
            text = shown.out.decode()
            assert text.endswith(row["question"]) and all(needle in text for needle in row["needles"])
            assert f"row {row['key']}: its text and ids are those of the run" in caplog.text
        assert main(["needle", "rebuild", f"--out={out}", "--row=5", "--form=ids"]) == 0
        assert len(capfdbinary.readouterr().out.split()) == row["tokens"]


def test_a_haystack_that_has_changed_or_moved_is_noticed(tmp_path, capsys):
    texts, out = tmp_path / "texts", tmp_path / "out"
    texts.mkdir()
    (texts / "a.txt").write_text("It rained. " * 2000)
    assert needle(out, "--fake=perfect", f"--haystack={texts}") == 0
    moved = texts.rename(tmp_path / "moved")
    rebuild = ["needle", "rebuild", f"--out={out}", "--row=1"]
    assert main(rebuild) == 2 and "does not exist" in capsys.readouterr().err
    assert main([*rebuild, f"--haystack={moved}"]) == 0
    (moved / "a.txt").write_text("It snowed. " * 2000)
    assert main([*rebuild, f"--haystack={moved}"]) == 2
    assert "has changed" in capsys.readouterr().err
    with (out / "results.jsonl").open("ab") as file:
        file.write(b'{"key": "torn')
    for row, said in (("99", "in line 99"), ("0", "in line 0"), ("9", "no row in line 9"), ("²", "the key '²'")):
        assert main(["needle", "rebuild", f"--out={out}", f"--row={row}"]) == 2
        assert said in capsys.readouterr().err


def test_a_plan_says_counts_and_cost_and_writes_nothing(tmp_path, capsys):
    options = [
        "--api_model=m",
        "--base_url=http://127.0.0.1:9/v1",
        "--price_in=2",
        "--price_out=10",
        "--judge_model=j",
        "--plan",
    ]
    assert needle(tmp_path / "out", *options, small=False) == 0
    shown = capsys.readouterr().out
    assert "300 prompts: 10 lengths × 10 depths × 3 seeds" in shown and "9,130,800 tokens to read" in shown
    assert "300 calls to m at http://127.0.0.1:9/v1" in shown and "at most 18.45 at your prices" in shown
    assert "and 300 short calls to the judge j at https://api.openai.com/v1" in shown
    assert "in words" not in shown and not (tmp_path / "out").exists()
    assert needle(tmp_path / "out", *options, "--tokenizer=words", small=False) == 0
    assert "all of this is in words, of which m makes more tokens: it costs more" in capsys.readouterr().out


@pytest.mark.parametrize(("reason", "cut"), [("stop", 0), ("", 0), ("eos_token", 0), ("length", 8)])
def test_answers_count_as_cut_off_only_if_the_server_says_so(tmp_path, key, reason, cut):
    with FakeOpenAIServer(lambda body: Reply("no idea", finish_reason=reason)) as server:
        options = ["--api_model=m", f"--base_url={server.base_url}", "--tokenizer=words"]
        assert needle(tmp_path, *options) == 0
    assert summary_of(tmp_path)["answers_not_ended"] == cut
    assert ("8 answers ended by max_new_tokens" in (tmp_path / "report.html").read_text()) == bool(cut)


def answer_from(body):
    """A server that finds the number in the needle, but fails on long prompts."""
    text = body["messages"][-1]["content"]
    found = re.search(r"locker number of the .*? is (\d{7})", text)
    return error(400, "prompt is too long") if len(text) > 4000 else Reply(f"It is {found[1]}.")


def test_a_server_is_asked_and_failed_cells_are_tried_again(tmp_path, key, caplog):
    caplog.set_level(logging.INFO)
    options = ["--api_model=m", "--tokenizer=words", "--task=kv", "--max_retries=0"]
    with FakeOpenAIServer(answer_from) as server:
        assert status_of(*options, f"--base_url={server.base_url}", out=tmp_path) == 1
        assert summary_of(tmp_path)["failed"] == 4 and summary_of(tmp_path)["recall"]["n"] == 4
        body = server.requests[0].body
        assert (body["temperature"], body["max_tokens"], body["model"]) == (0, 64, "m")
        assert "4 of 8 prompts failed" in (tmp_path / "report.html").read_text()
        server._answer = lambda body: "It is " + re.search(r"is (\d{7})", body["messages"][-1]["content"])[1]
        asked = len(server.requests)
        assert needle(tmp_path, *options, f"--base_url={server.base_url}") == 0
        assert len(server.requests) == asked + 4  # only what failed
    assert sum(line.startswith("1,200 tokens: recall") for line in caplog.messages) == 1  # when all four are there
    summary, rows = summary_of(tmp_path), rows_of(tmp_path)
    assert summary["failed"] == 0 and summary["recall"]["recall"] == 1 and len(rows) == 12
    assert rows[-1]["served_model"] == "m-2026-01-01" and rows[-1]["served_prompt_tokens"] > 0
    assert all(key not in file.read_text(errors="ignore") for file in tmp_path.iterdir())


def test_a_judge_rates_beside_the_recall_and_unreadable_ratings_are_counted(tmp_path, capsys):
    ratings = iter(["[[10]]", "ten", Reply("[[3]]", finish_reason="length"), *["It agrees. [[7]]"] * 5])
    with FakeOpenAIServer(lambda body: next(ratings)) as server:
        judge = ["--judge_model=j", f"--judge_base_url={server.base_url}", "--concurrency=1"]
        assert needle(tmp_path, "--fake=blind", *judge) == 0
        assert "Dolores Park" in server.requests[0].body["messages"][0]["content"]
        assert needle(tmp_path, "--fake=blind", *judge) == 0
        assert len(server.requests) == 8  # rated once
    judged = summary_of(tmp_path)["judge"]
    assert judged == {
        "judge": "j",
        "mean_rating": pytest.approx(45 / 6),
        "rated": 6,
        "unreadable": 2,
        "failed": 0,
        "missing": 0,
    }
    assert summary_of(tmp_path)["recall"]["recall"] == 0
    assert "judge j: mean rating 7.50 of 10, 6 rated, 2 unreadable" in capsys.readouterr().out


def test_a_failed_rating_makes_the_status_1_and_is_asked_for_again(tmp_path):
    replies = iter([error(400, "no"), *["[[7]]"] * 8])
    with FakeOpenAIServer(lambda body: next(replies)) as server:
        judge = ["--judge_model=j", f"--judge_base_url={server.base_url}", "--concurrency=1"]
        assert status_of("--fake=blind", *judge, out=tmp_path) == 1
        assert summary_of(tmp_path)["judge"]["failed"] == 1
        assert needle(tmp_path, "--fake=blind", *judge) == 0 and len(server.requests) == 9


def test_the_originals_prompts_are_asked_and_rebuilt(tmp_path, capfdbinary, caplog):
    caplog.set_level(logging.INFO)
    golden = "tests/golden/needle/haystack"
    options = ["--compat=longalign", f"--haystack={golden}", "--tokenizer=tests/golden/prep/tokenizer/llama"]
    own = ["--needle=The spare key of the boat house hangs behind the third oar.", "--answers=[third oar]"]
    more = ["--question=Where?", "--chat_format=llama2", "--lengths=420,1000", "--depths=10,50,100"]
    assert needle(tmp_path, "--fake=perfect", *options, *own, *more, small=False) == 0
    rows = rows_of(tmp_path)
    assert len(rows) == 6 and all(row["recall"] == 1 for row in rows)
    capfdbinary.readouterr()
    assert main(["needle", "rebuild", f"--out={tmp_path}", "--row=2"]) == 0
    shown = capfdbinary.readouterr()
    assert b"patience. \nThe spare key" in shown.out and "text and ids are those of the run" in caplog.text


def test_the_parts_that_build_and_score_need_no_torch():
    parts = ["build", "encoders", "haystack", "tasks", "scoring", "statistics", "recipe", "splicing"]
    imports = "; ".join(f"import longalign.evaluation.needle.{part}" for part in parts)
    code = f"import sys; {imports}; assert not {{'torch', 'transformers', 'openai'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_colours_run_from_bad_to_good_and_texts_on_them_can_be_read():
    assert colour(0)[0] == "#a50026" and colour(1)[0] == "#4575b4" and colour(None)[0] == "#dddddd"
    assert {colour(n / 20)[1] for n in range(21)} == {"#111111", "#ffffff"}
