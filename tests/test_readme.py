"""The commands of README and guides run, their options, files and sections exist, and the Python runs, on tiny data."""

import io
import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longalign.__main__ import COMMANDS, main
from longalign.commands.torchrun import parse
from longalign.testing import FakeOpenAIServer
from longalign.training.checkpoints import newest_checkpoint
from tests.commands.test_configs import ParseOnly
from tests.training.conftest import TINY, conversation, write_rows

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
GUIDES = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
ALL = "\n".join(GUIDES.values())
SMALL = [
    "--data.chat_format=llama2",
    "--data.max_length=256",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--data.num_workers=0",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    return {
        "DIR": TINY,
        "long.jsonl": write_rows(folder / "long.jsonl", [conversation(i, 60, 5) for i in range(20)]),
        "chats.jsonl": write_rows(folder / "chats.jsonl", [conversation(i, 5, 5) for i in range(60)]),
        "folder": folder,
    }


def commands_under(heading: str) -> list[list[str]]:
    block = ALL.split(f"## {heading}")[1].split("\n\n")[1]
    return [shlex.split(line) for line in block.splitlines() if line.strip().startswith("longalign")]


def test_the_recipe_runs(files, monkeypatch, capsys):
    monkeypatch.chdir(files["folder"])
    (files["folder"] / "configs").symlink_to(ROOT / "configs")
    recipe = commands_under("The real recipe")
    assert [words[1] for words in recipe] == ["plan", "fit", "export"]
    for words in recipe:
        arguments = [str(files.get(word, word)) for word in words[1:]]
        more = SMALL if words[1] in ("plan", "fit") else []
        cache = [f"--data.cache_dir={files['folder']}/cache"] if more else []
        limit = ["--trainer.max_steps=1"] if words[1] == "fit" else []
        assert main([*arguments, *more, *cache, *limit]) == 0
    assert (files["folder"] / "my-model-64k/model.safetensors").exists()
    assert "working share" in capsys.readouterr().out.lower()


def test_a_longer_context_is_trained_exported_and_aligned(files, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "TEXTS").mkdir()
    for number in range(4):
        (tmp_path / "TEXTS" / f"{number}.txt").write_text("river stone lamp harbour " * 60)
    more = [*SMALL, f"--data.cache_dir={tmp_path}/cache", "--trainer.max_steps=1"]
    buckets = ["--data.text.buckets={0-128: {}, 128-: {}}"]  # the config's are of thousands of tokens
    for words in commands_under("A longer context"):
        options = more if words[1] == "fit" else []
        options = [*options, *(buckets if "configs/extend_llama2_7b.yaml" in words else [])]
        assert main([*(str(files.get(word, word)) for word in words[1:]), *options]) == 0
    config = json.loads((tmp_path / "llama2-7b-64k/config.json").read_text())
    assert config["max_position_embeddings"] == 65536 and config["rope_parameters"]["rope_theta"] == 2e6
    assert newest_checkpoint(tmp_path / "runs/llama2_7b_balanced_lw/checkpoints")


def test_published_files_are_imported(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").symlink_to(TINY)
    turns = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]
    for number in (1, 2):
        rows = [
            {"id": f"{number}-{i}", "conversations": [*turns, {"from": "human", "value": str(i)}]} for i in range(3)
        ]
        (tmp_path / f"sg_90k_part{number}_html_cleaned.json").write_text(json.dumps(rows))
    columns = {"article": ["A river. " * 9] * 2, "q": ["Where?", "When?"], "gold": ["here", "now"]}
    pq.write_table(pa.table(columns), tmp_path / "papers.parquet")
    lines = [words for words in commands_under("Data sets") if "/" not in words[4]]  # the others are on the hub
    assert len(lines) == 2
    for words in lines:
        assert main([*words[1:], *(["--chat_format=llama2"] if "--tokenizer" in words else [])]) == 0
    report = json.loads((tmp_path / "data/chats.jsonl.zst.report.json").read_text())
    assert report["rows"] == {"read": 6, "kept": 1, "dropped": 5} and report["dropped"] == {"duplicate": 5}
    assert len((tmp_path / "data/qa.jsonl").read_text().splitlines()) == 2


def test_long_data_from_documents_is_planned(monkeypatch, tmp_path, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").symlink_to(TINY)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/a.txt").write_text("The harbour master wrote down each ship. " * 2000)
    caplog.set_level("INFO")
    for words in commands_under("Long data from your documents"):
        assert main([word.replace("URL", "http://localhost:8000/v1") for word in words[1:]] + ["--plan"]) == 0
        assert "WRITER at http://localhost:8000/v1: " in caplog.messages[-1]


def test_long_tasks_are_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-model-64k").symlink_to(TINY)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/a.txt").write_text("\n\n".join(f"A river and stone {n} are here. " * 5 for n in range(20)))
    for words in commands_under("Long tasks with known answers"):
        length = [] if "short" in words else ["--length=1000:2000"]
        assert main([*words[1:], "--count=4", *length]) == 0
    assert len(list(tmp_path.glob("*.jsonl"))) == 5
    rows = [json.loads(line) for line in (tmp_path / "in-papers.jsonl").read_text().splitlines()]
    assert all(row["texts"] == ["papers/a.txt"] and "A river and stone" in str(row["messages"]) for row in rows)


def test_the_launchers_and_their_options_exist():
    block = ALL.split("## Several GPUs, several nodes")[1].split("\n\n")[1]
    one, many, slurm = (shlex.split(line) for line in block.splitlines())
    assert all(
        (ROOT / words[words.index(name)]).stat().st_mode & 0o111
        for words, name in ((one, "bin/torchrun-fit"), (many, "bin/torchrun-fit"), (slurm, "bin/slurm-fit"))
    )
    for words, nodes in ((one[1:], "1:1"), (many[1:], "2")):
        args = parse(words)
        assert args.nnodes == nodes and args.training_script_args[:2] == ["fit", "--config"]
        assert args.standalone == (nodes == "1:1")
    ParseOnly(["fit", *slurm[slurm.index("bin/slurm-fit") + 1 :]])


def test_the_chatglm_commands_and_chat_run(files, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "paper.txt").write_text("A river. " * 20)
    for name in ("LongAlign-6B-64k-base", "chatglm3-6b"):
        (tmp_path / name).symlink_to(ROOT / "tests/golden/chatglm3_tiny")
    monkeypatch.setattr("sys.stdin", io.StringIO("Why?\nAnd then?\n"))
    lines = commands_under("ChatGLM3, without") + commands_under("Talk to it")
    assert [words[1] for words in lines] == ["fit", "export", "convert", "convert", "chat", "chat"]
    more = {
        "fit": [*SMALL, "--data.chat_format=chatglm3", f"--data.cache_dir={tmp_path}", "--trainer.max_steps=1"],
        "chat": ["--max_new_tokens=8"],
    }
    for words in lines:
        arguments = [str(files.get(word, word)) for word in words[1:]]
        assert main([*arguments, *more.get(words[1], [])]) == 0
    assert (tmp_path / "my-chatglm3/config.json").exists() and (tmp_path / "chatglm3-6b-glm/config.json").exists()
    assert capsys.readouterr().out.strip()


def test_the_needle_commands_run(files, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-model-64k").symlink_to(TINY)
    small = ["--lengths=400", "--depths=10,90", "--max_new_tokens=4"]
    lines = commands_under("The needle test")
    assert [words[2] for words in lines] == ["--out"] * 4 + ["rebuild"]
    with FakeOpenAIServer() as server:
        for words in lines:
            names = {"http://localhost:8000/v1": server.base_url, "17": "4"}
            format_ = ["--chat_format=llama2"] if "my-model-64k" in words else []
            more = [] if "rebuild" in words else [*small, *format_]
            assert main([names.get(word, word) for word in words[1:]] + more) == 0
        assert len(server.requests) == 6
    assert (tmp_path / "runs/needle/report.html").exists() and "effective length" in capsys.readouterr().out


def test_the_longbench_chat_commands_run(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-model-64k").symlink_to(TINY)
    with FakeOpenAIServer("[[7]]") as server:
        for words in commands_under("LongBench-Chat"):
            arguments = words[1:] if "compare" in words or "predict" in words else [*words[1:], "--base_url=URL"]
            more = ["--chat_format=llama2", "--max_new_tokens=5"] if "my-model-64k" in words else []
            given = [server.base_url if "8000" in word else word.replace("URL", server.base_url) for word in arguments]
            assert main([*given, *more]) == 0
    assert "not distinguishable" in capsys.readouterr().out and (tmp_path / "runs/chat/table/compare.html").exists()


def test_every_option_in_the_table_parses():
    table = README.split("| you want | write |")[1].split("\n\n")[0]
    options = re.findall(r"`(--[^`]+)`", table)
    assert len(options) >= 12
    for option in options:
        ParseOnly(["fit", "--model.model=m", "--data.long=l.jsonl", *shlex.split(option)])


def test_every_command_that_is_named_exists():
    for command in re.findall(r"`longalign ([a-z -]+?)(?: --[^`]*)?`", ALL):
        assert command in COMMANDS


def test_every_file_and_section_that_is_named_exists():
    for path in re.findall(r"`((?:bin|longalign|tests|configs)/[\w./-]+)", ALL):
        assert (ROOT / path).exists(), path
    for guide, text in GUIDES.items():
        for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
            name, _, section = target.partition("#")
            file = (guide.parent / name).resolve() if name else guide
            assert file.exists(), (guide, target)
            assert not section or section in sections(file.read_text()), (guide, target)


def sections(text: str) -> set[str]:
    """The names by which a page's sections can be linked."""
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_python_runs(files):
    code = re.search(r"```python\n(.*?)```", README, re.S)[1]
    code = code.replace('"DIR"', repr(TINY)).replace('"template"', '"llama2"')
    names = {"conversations": [conversation(i, 30, 5)["messages"] for i in range(40)]}
    exec(code, names)
    assert names["pack"].step_weight == names["plan"].step_sequences[0] > 0
