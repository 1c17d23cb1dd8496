"""`longalign data import` through the command line: what it writes, says, refuses, and leaves to training."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from longalign.__main__ import main
from longalign.data.sources import read_conversations
from tests.data.test_importing_html import MARKDOWN, PAGE
from tests.training.conftest import TINY

SHAREGPT = [
    {"id": "p1", "conversations": [{"from": "human", "value": "How to sort?"}, {"from": "gpt", "value": PAGE}]},
    {"id": "p2", "conversations": [{"from": "gpt", "value": "<p>hello</p>"}, {"from": "human", "value": "a < b?"}]},
    {"id": "p3", "conversations": [{"from": "human", "value": "a < b?"}, {"from": "chatgpt", "value": "List<int>"}]},
    {"id": "p3", "conversations": [{"from": "human", "value": "a < b?"}, {"from": "gpt", "value": "List<int>"}]},
    {"id": "p4", "conversations": [{"from": "human", "value": "你好吗"}, {"from": "gpt", "value": "<p>我很好</p>"}]},
]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys, caplog):
    """Run the command in an empty folder; (stdout, stderr with the log)."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")

    def run(*args: str, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        got = main(["data", "import", *args])
        out, err = capsys.readouterr()
        assert got == status, err
        if status:
            assert len(err.splitlines()) == 1, err
        return out, err + caplog.text

    return run


def _write(path, rows: list) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _read(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_sharegpt_pages_become_rows_that_training_reads(call, tmp_path):
    (tmp_path / "sg_90k_part1_html_cleaned.json").write_text(json.dumps(SHAREGPT))
    out, err = call(
        "--source=sg_90k_part1_html_cleaned.json",
        "--out=data/chats.jsonl",
        f"--tokenizer={TINY}",
        "--chat_format=llama2",
    )
    rows = _read(tmp_path / "data/chats.jsonl")
    assert [row["id"] for row in rows] == ["p1", "p3", "p4"]
    assert [row["messages"][1]["content"] for row in rows] == [MARKDOWN, "List<int>", "我很好"]
    assert "5 rows read, 3 kept, 2 dropped; 3 conversations written" in out
    assert "sharegpt rows (keys id, conversations)" in err
    report = json.loads((tmp_path / "data/chats.jsonl.report.json").read_text())
    assert report["dropped"] == {"no answer": 1, "duplicate": 1}
    assert report["examples"]["duplicate"] == [{"where": "sg_90k_part1_html_cleaned.json row 4"}]
    assert report["languages"] == {"en": 2, "zh": 1}
    assert set(report["lengths"]) == {"characters", "tokens"}
    # the folder, with the report in it, is a source of fit
    assert [messages for _, messages in read_conversations("data")] == [row["messages"] for row in rows]
    options = ["--data.chat_format=llama2", "--data.max_length=512", "--data.num_proc=1", "--data.packs_per_step=1"]
    sources = [f"--model.model={TINY}", "--data.short=data", "--data.cache_dir=cache"]
    assert main(["data", "prepare", *sources, *options]) == 0


def test_every_kind_of_file_and_output_gives_the_same_rows(call, tmp_path):
    rows = [{"instruction": f"q {i} 问", "input": "", "output": "a"} for i in range(9)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n"))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "c.json.zst").write_bytes(zstandard.compress(json.dumps(rows).encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    for source in ("a.jsonl", "b.jsonl.gz", "c.json.zst", "d.parquet"):
        call(f"--source={source}", f"--out=out/{source[0]}.jsonl")
        assert (tmp_path / f"out/{source[0]}.jsonl").read_bytes() == (tmp_path / "out/a.jsonl").read_bytes()
    expected = (tmp_path / "out/a.jsonl").read_bytes()
    for suffix, read in ((".gz", gzip.decompress), (".zst", lambda data: zstandard.decompress(data, len(expected)))):
        call("--source=a.jsonl", f"--out=out/z.jsonl{suffix}")
        assert read((tmp_path / f"out/z.jsonl{suffix}").read_bytes()) == expected
    out, _ = call(f"--source={tmp_path}", "--out=out/all.jsonl")  # all four files: each row once
    assert "36 rows read, 9 kept, 27 dropped" in out


def test_each_file_of_a_folder_has_its_own_format(call, tmp_path):
    (tmp_path / "in").mkdir()
    _write(tmp_path / "in/a.jsonl", [{"instruction": "q1", "output": "a"}])
    _write(tmp_path / "in/b.jsonl", [{"question": "q2", "answer": "a"}])
    call("--source=in", "--out=o.jsonl")
    assert list(json.loads((tmp_path / "o.jsonl.report.json").read_text())["formats"].values()) == [
        "alpaca",
        "question",
    ]


def test_columns_and_documents(call, tmp_path):
    _write(
        tmp_path / "a.jsonl", [{"text": "long document", "ask": "who?", "gold": ["me", "I"], "id": 7, "source": "book"}]
    )
    call("--source=a.jsonl", "--out=o.jsonl", '--columns={"document": "text", "question": "ask", "answer": "gold"}')
    assert _read(tmp_path / "o.jsonl") == [
        {
            "id": "7",
            "source": "book",
            "language": "en",
            "messages": [
                {"role": "user", "content": "long document\n\nwho?"},
                {"role": "assistant", "content": "me"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "out: given/o.jsonl exists already"),
        (["--out=o.txt"], "out: got o.txt, expected a file that ends in .jsonl"),
        (["--out=given/a.jsonl", "--overwrite=true"], "is one of the files of --source"),
        (["--out=folder.jsonl", "--overwrite=true"], "out: folder.jsonl is a folder"),
        (["--out=n.jsonl", "--split_length=9"], "give --tokenizer"),
        (["--out=n.jsonl", "--split_length=0", f"--tokenizer={TINY}"], "split_length: got 0"),
        (["--out=n.jsonl", "--tokenizer=/no/where"], "/no/where"),
        (["--out=n.jsonl", "--format=alpaca"], "nothing of given/a.jsonl can be used: 1 × a key is missing"),
        (["--out=n.jsonl", "--source=given/none.jsonl"], "data file given/none.jsonl does not exist (source)"),
        (["--out=n.jsonl", "--source=given/broken.jsonl"], "broken JSON at line 2 of given/broken.jsonl"),
        (["--out=n.jsonl", "--source=given/empty.json"], "data file given/empty.json is empty (source)"),
        (["--out=n.jsonl", "--source=given/text.jsonl"], "keys seen: text, url"),
        (["--out=n.jsonl", '--columns={"dialog": "x"}'], "columns: got 'dialog', expected one of messages"),
        (["--out=n.jsonl", "--languge=zh"], "did you mean 'language'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(call, tmp_path, args, said):
    (tmp_path / "given").mkdir()
    (tmp_path / "folder.jsonl").mkdir()
    _write(tmp_path / "given/a.jsonl", [{"question": "q", "answer": "a"}])
    _write(tmp_path / "given/text.jsonl", [{"text": "x", "url": "y"}])
    (tmp_path / "given/broken.jsonl").write_text('{"question": "q", "answer": "a"}\n{"question"\n')
    (tmp_path / "given/empty.json").write_text("[]")
    (tmp_path / "given/o.jsonl").write_text("kept")
    _, err = call("--source=given/a.jsonl", "--out=given/o.jsonl", *args, status=2)
    assert said in err
    assert (tmp_path / "given/o.jsonl").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.jsonl", "given"]
    assert len(list((tmp_path / "given").iterdir())) == 5


def test_broken_lines_are_skipped_and_counted_where_asked(call, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(
        b'{"question": "q", "answer": "a"}\n{"quest\n\xff\xfe\n' + b"[" * 100_000 + b"\n"
    )
    out, _ = call("--source=a.jsonl", "--out=o.jsonl", "--skip_broken=true")
    assert "4 rows read, 1 kept, 3 dropped" in out
    (tmp_path / "a.jsonl").write_text("{\n")
    _, err = call("--source=a.jsonl", "--out=p.jsonl", "--skip_broken=true", status=2)
    assert "nothing of a.jsonl can be used: 1 × the line is no JSON (first: a.jsonl line 1)" in err


def test_a_long_conversation_is_split_and_the_rest_counted(call, tmp_path):
    turns = [{"from": who, "value": f"{i} river stone lamp"} for i in range(12) for who in ("human", "gpt")]
    alone = [{"from": "human", "value": "river " * 400}, {"from": "gpt", "value": "a"}]
    rows = [{"id": "x", "conversations": turns}, {"id": "y", "conversations": alone}]
    _write(tmp_path / "a.jsonl", rows)
    options = ["--source=a.jsonl", "--split_length=100", f"--tokenizer={TINY}", "--chat_format=llama2"]
    out, _ = call(*options, "--out=o.jsonl")
    found = _read(tmp_path / "o.jsonl")
    assert "2 rows read, 1 kept, 1 dropped" in out and "too long" in out and "split" in out
    assert len(found) > 1 and sum(len(row["messages"]) for row in found) == 24
    assert [row["id"] for row in found] == [f"x_{2 * int(row['messages'][0]['content'].split()[0])}" for row in found]
    lengths = json.loads((tmp_path / "o.jsonl.report.json").read_text())["lengths"]["tokens"]
    assert lengths["100%"] <= 100
    call(*options, "--out=p.jsonl", "--too_long=keep")
    assert _read(tmp_path / "p.jsonl")[-1]["id"] == "y"


def test_overwriting_is_said_and_gives_the_same_bytes(call, tmp_path):
    _write(tmp_path / "a.jsonl", [{"question": f"q{i}", "answer": "a"} for i in range(5)])
    call("--source=a.jsonl", "--out=o.jsonl.gz")
    first = (tmp_path / "o.jsonl.gz").read_bytes()
    call("--source=a.jsonl", "--out=o.jsonl.gz", "--overwrite=true")
    assert (tmp_path / "o.jsonl.gz").read_bytes() == first


@pytest.mark.parametrize(
    ("name", "args", "files"),
    [
        ("THUDM/LongAlign-10k", [], None),
        ("owner/chats:dev", [], None),
        ("anon8231489123/ShareGPT_Vicuna_unfiltered", [], "HTML_cleaned_raw_dataset/*.json"),
        ("owner/many", ["--hub_files=part1/*.parquet"], "part1/*.parquet"),
    ],
)
def test_a_hub_name_goes_through_datasets(call, tmp_path, monkeypatch, name, args, files):
    asked = []
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]

    class Datasets:
        @staticmethod
        def load_dataset(name, split, **more):
            asked.append((name, split, more))
            return [{"messages": messages, "length": 8}]

    monkeypatch.setitem(sys.modules, "datasets", Datasets)
    _, err = call(f"--source={name}", "--out=o.jsonl", *args)
    owner_name, _, split = name.partition(":")
    assert asked == [(owner_name, split or "train", {"data_files": files} if files else {})]
    assert [row["messages"] for row in _read(tmp_path / "o.jsonl")] == [messages]
    assert f"{name}: longalign rows" in err


def test_text_of_the_data_cannot_reach_the_terminal(call, tmp_path):
    _write(tmp_path / "a.jsonl", [{"\x1b[31mkey\ud83d": 1}, {"question": "q", "answer": "a", "\x1b[31m": 2}])
    out, err = call("--source=a.jsonl", "--out=o.jsonl")
    assert "\x1b" not in out + err + (tmp_path / "o.jsonl.report.json").read_text()


@pytest.mark.parametrize(("number", "status", "left"), [(signal.SIGKILL, -9, 1), (signal.SIGTERM, 143, 0)])
def test_a_killed_run_leaves_no_output_under_its_name_and_the_next_one_writes_it(call, tmp_path, number, status, left):
    _write(tmp_path / "a.jsonl", [{"question": f"q{i}", "answer": "a" * 50} for i in range(20_000)])
    command = [sys.executable, "-m", "longalign", "data", "import", "--source=a.jsonl", "--out=o.jsonl"]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(".o.jsonl.incomplete")) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(number)
    assert run.wait() == status, "it was ready before it could be killed"
    assert not (tmp_path / "o.jsonl").exists() and not (tmp_path / "o.jsonl.report.json").exists()
    assert len(list(tmp_path.glob(".o.jsonl.incomplete"))) == left
    call("--source=a.jsonl", "--out=o.jsonl")
    assert len(_read(tmp_path / "o.jsonl")) == 20_000


def stop_after_replacing(monkeypatch, path) -> None:
    """Ctrl-C at the moment when a file has got its name."""
    replace = os.replace

    def stopped(source, target):
        replace(source, target)
        if str(target) == str(path):
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)


@pytest.mark.parametrize("moment", ["o.jsonl", "o.jsonl.report.json"])
def test_where_the_rows_are_their_report_is_whenever_the_run_is_stopped(call, tmp_path, monkeypatch, moment):
    _write(tmp_path / "a.jsonl", [{"question": "q", "answer": "a"}, {"question": "q", "answer": "a"}])
    options = ("data", "import", "--source=a.jsonl", "--out=o.jsonl")
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="130"):
        stop_after_replacing(patch, moment)
        main([*options])
    if moment != "o.jsonl":
        assert not (tmp_path / "o.jsonl").exists()
        call(*options[2:])
    assert len(_read(tmp_path / "o.jsonl")) == 1
    assert json.loads((tmp_path / "o.jsonl.report.json").read_text())["dropped"] == {"duplicate": 1}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
def test_memory_does_not_grow_with_the_data(call, tmp_path, name):
    peaks = []
    for count in (100, 1500):
        rows = [{"question": f"{i} " + "word " * 4000, "answer": "a"} for i in range(count)]
        if name == "a.jsonl":
            _write(tmp_path / name, rows)
        else:
            text = json.dumps(rows).encode()
            (tmp_path / name).write_bytes(gzip.compress(text, 1) if name.endswith(".gz") else text)
        del rows
        tracemalloc.start()
        out, _ = call(f"--source={name}", "--out=o.jsonl", "--overwrite=true")
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
        assert f"{count:,} rows read, {count:,} kept" in out
    assert peaks[1] - peaks[0] < 5, peaks  # MiB, of 30 MB of rows


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom longalign.__main__ import main\n"
        "try:\n    main(['data', 'import', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'markdownify') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--split_length" in done.stdout
    assert "OUT.report.json has the counts" in done.stdout, "help is the whole docstring"
