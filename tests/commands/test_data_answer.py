"""A model answers the questions of a file; what is written can be trained on."""

import json
from pathlib import Path

import pytest
import torch

from longalign.__main__ import main
from longalign.chat import load_tokenizer
from longalign.data.sources import read_conversations
from longalign.evaluation.local_model import LocalModel
from tests.training.conftest import TINY

ROWS = [
    [("system", "Be brief."), ("user", "river?"), ("assistant", "lamp"), ("user", "old bridge?"), ("assistant", "x")],
    [("user", "seven?")],
    [("user", "seven?")],
    [("user", "harbour?"), ("assistant", "light")],
]  # fmt: skip


@pytest.fixture
def ask(tmp_path, monkeypatch):
    rows = [{"messages": [{"role": role, "content": text} for role, text in row]} for row in ROWS]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*more: str) -> int:
        options = [f"--questions={tmp_path}/q.jsonl", f"--model={TINY}", f"--out={tmp_path}/a.jsonl"]
        return main(["data", "answer", *options, "--chat_format=llama2", "--device=cpu", "--dtype=float32", *more])

    return run


def always(monkeypatch, answers: list[tuple[list[int], bool]]) -> list[list[int]]:
    """Let the model say these ids; returns the prompts that it was asked."""
    asked: list[list[int]] = []

    def answer(self, prompts, max_new_tokens, on_done):
        for n, prompt in enumerate(prompts):
            asked.append(prompt)
            on_done(n, *answers[n])

    monkeypatch.setattr(LocalModel, "answer", answer)
    return asked


def killed_after_one(ask, monkeypatch) -> None:
    def answer(self, prompts, max_new_tokens, on_done):
        on_done(0, [300], True)
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalModel, "answer", answer)
    with pytest.raises(SystemExit, match="130"):
        ask()


def test_the_remedy_for_a_question_that_does_not_fit_names_no_option_of_another_command(ask, monkeypatch, capsys):
    def none(self, prompts, max_new_tokens):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(LocalModel, "_together", none)
    assert ask() == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith("give shorter prompts") and "--lengths" not in said


def test_each_question_gets_the_models_own_answer_once(ask, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    asked = always(monkeypatch, [([300, 301], True), ([], True), ([302], False)])
    assert ask() == 0
    ((_, messages),) = read_conversations(str(tmp_path / "a.jsonl"))
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[-2]["content"] == "old bridge?" and messages[-1]["content"] not in ("x", "")
    assert len(asked) == 3, "the question that came twice is asked once"
    assert "1 conversation in" in caplog.text and "1 asked before, 1 empty, 1 not ended" in caplog.text
    assert not Path(f"{tmp_path}/a.jsonl.work").exists()


def test_a_killed_run_asks_only_what_is_left(ask, tmp_path, monkeypatch):
    killed_after_one(ask, monkeypatch)
    assert not (tmp_path / "a.jsonl").exists()
    asked = always(monkeypatch, [([301], True), ([302], True)])
    assert ask() == 0
    assert len(asked) == 2 and len(list(read_conversations(str(tmp_path / "a.jsonl")))) == 3
    assert ask() == 2, "what is there is not overwritten"


def test_a_real_model_answers_and_a_file_without_answers_is_not_written(ask, tmp_path, capfd):
    assert ask("--max_new_tokens=4", "--count=2") == 2  # its weights are random: it never stops
    assert "no answer is left (2 not ended); raise --max_new_tokens" in capfd.readouterr().err
    assert not (tmp_path / "a.jsonl").exists()


def test_questions_beyond_the_models_context_are_left_out_and_counted(ask, tmp_path, monkeypatch, caplog, capfd):
    caplog.set_level("INFO")
    rows = [{"messages": [{"role": "user", "content": text}]} for text in ("river " * 5000, "river?")]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = always(monkeypatch, [([300], True)])
    assert ask() == 0
    assert len(asked) == 1 and "1 conversation in" in caplog.text
    assert "1 longer than the model's 1,024 tokens (with --max_new_tokens)" in caplog.text
    (tmp_path / "a.jsonl").unlink()
    assert ask("--count=1") == 2
    assert (
        capfd.readouterr()
        .err.strip()
        .endswith("no answer is left (1 longer than the model's 1,024 tokens (with --max_new_tokens))")
    )


def test_an_answer_keeps_the_spaces_that_the_model_wrote(ask, tmp_path, monkeypatch):
    tokenizer = load_tokenizer(TINY)
    tokenizer.clean_up_tokenization_spaces = True
    tokenizer.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output = True
    monkeypatch.setattr("longalign.chat.load_tokenizer", lambda *_, **__: tokenizer)
    ids = tokenizer("a lamp . Is it ?", add_special_tokens=False).input_ids
    always(monkeypatch, [(ids, True)])
    assert ask("--count=1") == 0
    ((_, messages),) = read_conversations(str(tmp_path / "a.jsonl"))
    assert messages[-1]["content"] == "a lamp . Is it ?"


def test_half_a_character_in_a_question_is_replaced(ask, tmp_path, monkeypatch):
    (tmp_path / "q.jsonl").write_text('{"messages": [{"role": "user", "content": "river \\ud83d?"}]}\n')
    always(monkeypatch, [([300], True)])
    assert ask() == 0
    ((_, messages),) = read_conversations(str(tmp_path / "a.jsonl"))
    assert messages[0]["content"] == "river \ufffd?"


def test_answers_under_other_settings_are_asked_for_anew(ask, monkeypatch):
    killed_after_one(ask, monkeypatch)
    asked = always(monkeypatch, [([301], True)] * 3)
    assert ask("--dtype=bfloat16") == 0
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--count=0", "count: got 0, expected 1 or more"),
        ("--out=a.txt", "out: got a.txt, expected a file that ends in"),
    ],
)
def test_options_without_sense_are_refused_by_name(ask, capfd, option, expected):
    assert ask(option) == 2
    assert expected in capfd.readouterr().err
