"""`longalign data generate` through the command line."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from longalign.__main__ import main
from longalign.data.sources import read_conversations
from tests.training.conftest import TINY

SMALL = ["--count=16", "--length=1000:3000"]


def generate(*options: str, status: int = 0) -> None:
    assert main(["data", "generate", *options]) == status


def rows_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_written_that_training_reads_and_the_table_counts_them(tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    out = tmp_path / "new" / "long.jsonl"
    generate(f"--out={out}", *SMALL)
    said = capsys.readouterr()
    rows = rows_of(out)
    assert len(rows) == 16 and len(list(read_conversations(str(out)))) == 16
    last = said.out.splitlines()[-1].split()
    assert last[0] == "all" and [int(cell.replace(",", "")) for cell in last[-4:-2]] == [
        16,
        sum(len(row["questions"]) for row in rows),
    ]
    assert int(last[-1].replace(",", "")) == sum(row["length"] for row in rows)
    assert "characters" in said.out and "lengths are in characters" in caplog.text
    assert {row["kind"] for row in rows} == set(re.findall(r"^(\w+) +(?:en|zh) ", said.out, re.M))


def test_the_same_options_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        generate(f"--out={tmp_path / name}.jsonl", *SMALL)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_several_processes_write_the_same_bytes(tmp_path):
    lengths = [*SMALL, "--questions=2:6", f"--tokenizer={TINY}"]
    for num_proc in (1, 2):
        generate(f"--out={tmp_path / str(num_proc)}.jsonl", *lengths, f"--num_proc={num_proc}")
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_a_mistake_that_another_process_finds_is_one_line(tmp_path, capsys):
    generate(f"--out={tmp_path / 'a.jsonl'}", "--count=4", "--length=60", "--num_proc=2", status=2)
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("lengths are")]
    assert len(lines) == 1 and "error: length: got 60" in lines[0] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_process_is_left_when_the_command_is_stopped(tmp_path, number, status):
    command = [sys.executable, "-m", "longalign", "data", "generate", f"--out={tmp_path / 'a.jsonl'}"]
    running = subprocess.Popen([*command, "--count=100000", "--length=50000", "--num_proc=2"], start_new_session=True)
    try:
        while not any(file.stat().st_size for file in tmp_path.glob(".a.jsonl.incomplete")):
            assert running.poll() is None
            time.sleep(0.1)
        workers = [child for child in psutil.Process(running.pid).children() if child.is_running()]
        running.send_signal(number)
        assert running.wait(timeout=60) == status and workers
        assert not psutil.wait_procs(workers, timeout=60)[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert not (tmp_path / "a.jsonl").exists()
    assert number == signal.SIGKILL or list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_is_one_line(tmp_path):
    command = [sys.executable, "-m", "longalign", "data", "generate", f"--out={tmp_path / 'a.jsonl'}"]
    options = ["--count=100000", "--length=50000", "--num_proc=2"]
    running = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    while not any(file.stat().st_size for file in tmp_path.glob(".a.jsonl.incomplete")):
        assert running.poll() is None
        time.sleep(0.1)
    psutil.Process(running.pid).children()[0].kill()
    said = running.communicate(timeout=60)[1]
    (line,) = (line for line in said.splitlines() if not line.startswith("lengths are"))
    assert running.returncode == 2 and "error: num_proc: a process was killed" in line
    assert list(tmp_path.iterdir()) == []


def test_length_is_counted_by_a_tokenizer(tmp_path, capsys):
    from longalign.chat import load_tokenizer

    out = tmp_path / "long.jsonl"
    generate(f"--out={out}", "--count=6", "--length=2000", f"--tokenizer={TINY}", "--language=en")
    tokenizer = load_tokenizer(TINY)
    for row in rows_of(out):
        tokens = sum(len(tokenizer(m["content"], add_special_tokens=False).input_ids) for m in row["messages"])
        assert 0.95 * 2000 <= tokens <= 2000
    assert "tokens" in capsys.readouterr().out


def test_tasks_language_split_and_styles_are_chosen(tmp_path):
    out = tmp_path / "a.jsonl"
    generate(f"--out={out}", *SMALL, "--tasks=count,table", "--language=zh", "--split=validation", "--styles=letters")
    rows = rows_of(out)
    assert {row["kind"] for row in rows} == {"count", "table"}
    assert {(row["language"], row["split"], *row["styles"]) for row in rows} == {("zh", "validation", "letters")}
    assert all(row["id"].startswith("tasks-validation-0-") for row in rows)


def test_facts_are_hidden_in_the_users_text_and_the_same_options_give_the_same_bytes(tmp_path, caplog):
    caplog.set_level("INFO")
    story = [f"On day {n} the wind turned. Nobody had seen the harbour so full." for n in range(300)]
    texts = [{"body": "\n\n".join(story[start : start + 30])} for start in range(0, 300, 30)] + [{"body": "short"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    options = [*SMALL, "--language=en", f"--text={tmp_path / 't.jsonl'}", "--text_column=body", f"--tokenizer={TINY}"]
    for num_proc in (1, 2):
        generate(f"--out={tmp_path / str(num_proc)}.jsonl", *options, f"--num_proc={num_proc}")
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    for row in rows_of(tmp_path / "1.jsonl"):
        assert row["styles"] == [] and all("t.jsonl line " in place for place in row["texts"])
        assert "Nobody had seen the harbour so full." in row["messages"][0]["content"]
    assert "text: 1 text not used: 1 shorter than 200 characters" in caplog.text


def test_text_that_cannot_be_used_is_one_line(tmp_path, capsys):
    (tmp_path / "t.jsonl").write_text(json.dumps({"body": "The wind turned. " * 40}))
    text = f"--text={tmp_path / 't.jsonl'}"
    for options, said in (
        ([text], "t.jsonl line 1: no column 'text' (there are: body); set --text_column"),
        (
            [text, "--text_column=body"],
            "no Chinese text of 200 characters or more; there are 1 English: give --lan",
        ),
        ([text, "--styles=letters"], "styles: --text does not use it"),
        ([text, "--kind=short"], "text: --kind short does not use it"),
        (["--text_column=body"], "text_column: got 'body' without --text"),
        (["--text=nowhere"], "nowhere does not exist (text)"),
    ):
        generate(f"--out={tmp_path / 'a.jsonl'}", *options, status=2)
        out, err = capsys.readouterr()
        assert out == "" and said in err and len(err.splitlines()) == 1, err
    assert [file.name for file in tmp_path.iterdir()] == ["t.jsonl"]


def test_short_chats_are_written_too(tmp_path, capsys):
    generate(f"--out={tmp_path / 'short.jsonl'}", "--kind=short", "--count=10")
    assert {row["kind"] for row in rows_of(tmp_path / "short.jsonl")} == {"short"}
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == "all"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count=0"], "count: got 0"),
        (["--num_proc=0"], "num_proc: got 0"),
        (["--kind=short", "--num_proc=2"], "num_proc: --kind short does not use it"),
        (["--length=5:3"], "length: got '5:3'"),
        (["--length=many"], "length: got 'many'"),
        (["--length=-4"], "length: got '-4'"),
        (["--length=1:2:3"], "length: got '1:2:3'"),
        (["--length=60"], "length: got 60"),
        (["--tasks=lookup,guess"], "tasks: got 'guess'"),
        (["--tasks="], "tasks: got ''"),
        (["--styles=poem"], "styles: got 'poem'"),
        (["--unanswerable=2"], "unanswerable: got 2"),
        (["--language=fr"], "language"),
        (["--kind=short", "--tasks=count"], "tasks: --kind short does not use it"),
        (["--kind=questions", "--length=9", "--tokenizer=./nothing"], "length: --kind questions does not use it"),
        (
            ["--kind=questions", "--count=4000", "--language=en", "--split=validation"],
            "count: got 4,000, there are 1,500 different questions in en, split validation",
        ),
        (["--tokenizer=./nothing"], "--tokenizer must name"),
        (["--cuont=3"], "did you mean 'count'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(tmp_path, capsys, options, said):
    generate(f"--out={tmp_path / 'a.jsonl'}", *options, status=2)
    out, err = capsys.readouterr()
    line = [line for line in err.splitlines() if "error:" in line]
    assert out == "" and len(line) == 1 and said in line[0], err
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_overwritten_and_needs_its_suffix(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text("mine")
    generate(f"--out={tmp_path / 'a.jsonl'}", *SMALL, status=2)
    generate(f"--out={tmp_path / 'a.txt'}", *SMALL, status=2)
    assert (tmp_path / "a.jsonl").read_text() == "mine" and not (tmp_path / "a.txt").exists()
    assert "exists already" in capsys.readouterr().err


def test_a_file_in_the_home_folder_may_be_named_by_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    generate("--out=~/a.jsonl", *SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from longalign.__main__ import main\n"
        "try: main(['data', 'generate', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
