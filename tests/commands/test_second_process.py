"""A second process on the same output is refused before it has asked, or loaded, anything."""

import json
from pathlib import Path

import pytest

from longalign.__main__ import main
from longalign.commands import needle_models
from longalign.records import Records
from longalign.testing import FakeOpenAIServer


@pytest.fixture
def refused(capsys, tmp_path):
    def run(work: Path, *words: str) -> None:
        with Records(work) as other, FakeOpenAIServer("In the year 1887.") as server:
            other.claim()
            assert main([*words, f"--base_url={server.base_url}"] if "--api_model=m" in words else [*words]) == 2
            assert "another process is writing" in capsys.readouterr().err
            assert not server.requests

    return run


def test_synthesize(refused, tmp_path):
    (tmp_path / "a.txt").write_text("In year 1803 the keeper rebuilt the bridge of Tarn. " * 40)
    where = [f"--documents={tmp_path / 'a.txt'}", f"--out={tmp_path / 'o.jsonl'}", "--buckets=200-900:1"]
    refused(tmp_path / "o.jsonl.work", "data", "synthesize", *where, "--max_new_tokens=60", "--api_model=m")


def test_answer(refused, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(needle_models.Local, "load", None)
    (tmp_path / "q.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "Who?"}]}) + "\n")
    model = Path(__file__).parents[1] / "golden" / "llama_tiny"
    where = [f"--questions={tmp_path / 'q.jsonl'}", f"--out={tmp_path / 'o.jsonl'}", f"--model={model}"]
    refused(tmp_path / "o.jsonl.work", "data", "answer", *where, "--chat_format=llama2")


def test_needle(refused, tmp_path):
    refused(
        tmp_path / "results.jsonl",
        "needle",
        f"--out={tmp_path}",
        "--lengths=400",
        "--depths=50",
        "--tokenizer=words",
        "--api_model=m",
    )
    assert not (tmp_path / "settings.json").exists()


def test_longbench_chat(refused, tmp_path):
    short = ["--suite_length=4000", "--max_new_tokens=20"]
    refused(tmp_path / "predictions.jsonl", "longbench-chat", "predict", f"--out={tmp_path}", *short, "--api_model=m")
    with FakeOpenAIServer("The answer.") as server:
        here = [f"--out={tmp_path}", f"--base_url={server.base_url}", "--api_model=w"]
        assert main(["longbench-chat", "predict", *here, *short]) == 0
    refused(tmp_path / "judgements.jsonl", "longbench-chat", "judge", f"--run={tmp_path}", "--api_model=m")
