"""`longalign needle` that is stopped or killed: what is kept, what is said, and how the same command goes on."""

import logging
import signal
import subprocess
import sys
import time

import pytest

from longalign.__main__ import main
from longalign.testing import FakeOpenAIServer, Reply, error
from tests.evaluation.needle_runs import needle, rows_of, status_of, summary_of


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert needle(whole, "--fake=perfect", "--task=kv") == 0
    assert needle(cut, "--fake=perfect", "--task=kv") == 0
    file = cut / "results.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:40])  # as `kill -9` leaves it
    assert needle(cut, "--fake=perfect", "--task=kv") == 0
    assert file.read_bytes().splitlines(keepends=True)[:3] == lines[:3]
    strip = lambda rows: [{k: v for k, v in row.items() if k != "seconds"} for row in rows]  # noqa: E731
    assert strip(rows_of(cut)) == strip(rows_of(whole))


def test_a_run_that_was_killed_before_its_summary_has_its_versions_in_the_next_one(tmp_path):
    assert needle(tmp_path, "--fake=perfect") == 0
    before = summary_of(tmp_path)
    (tmp_path / "summary.json").unlink()
    assert needle(tmp_path, "--fake=perfect") == 0
    assert summary_of(tmp_path)["versions"] == before["versions"]


def stop_in_the_middle(out, options, end):
    """Start the command in a process, send a signal when there are three rows; returns status and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "longalign", *options],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # background jobs ignore it
    )
    deadline = time.monotonic() + 60
    while not (out / "results.jsonl").exists() or len((out / "results.jsonl").read_bytes().splitlines()) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(end)
    said = process.communicate(timeout=60)[1].decode()
    return process.returncode, said


def check_partial(out, said, planned):
    """One line, and reports that say that they are partial."""
    assert "Traceback" not in said
    summary = summary_of(out)
    done = len(rows_of(out))
    assert 3 <= summary["prompts"] == done < planned == summary["planned"]
    line = f"stopped: {done} of {planned} prompts asked so far, see {out}/report.html; the same command goes on"
    assert said.strip().splitlines()[-1] == f"{line} where it stopped"
    page = (out / "report.html").read_text()
    assert f"(partial: {done} of {planned} prompts)</title>" in page and "<li>partial: " in page
    assert (out / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "results.csv").read_text().splitlines()) >= done + 1


@pytest.mark.parametrize(("end", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_process_that_is_stopped_loses_no_row_and_asks_no_cell_twice(tmp_path, end, status):
    out = tmp_path / "out"
    options = ["needle", f"--out={out}", "--fake=perfect", "--lengths=50000,60000", "--seeds=10"]
    found, said = stop_in_the_middle(out, options, end)
    assert found == status
    if end == signal.SIGKILL:
        assert not (out / "summary.json").exists()
    else:
        check_partial(out, said, 200)
    rows = (out / "results.jsonl").read_bytes()
    assert main(options) == 0
    assert (out / "results.jsonl").read_bytes().startswith(rows.rpartition(b"\n")[0])
    keys = [row["key"] for row in rows_of(out)]
    assert len(keys) == len(set(keys)) == 200 and summary_of(out)["recall"]["recall"] == 1
    assert "partial" not in (out / "report.html").read_text()


@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_process_that_is_stopped_while_a_server_answers_ends_in_order(tmp_path, key, end, status):
    with FakeOpenAIServer(lambda body: Reply("DOLORES PARK", delay_s=0.2)) as server:
        options = ["needle", f"--out={tmp_path}", "--api_model=m", f"--base_url={server.base_url}", "--tokenizer=words"]
        options += ["--lengths=600", "--concurrency=2"]
        found, said = stop_in_the_middle(tmp_path, options, end)
        assert found == status
        check_partial(tmp_path, said, 30)
        assert len(server.requests) <= len(rows_of(tmp_path)) + 2  # none is begun any more
        server._answer = "a sandwich"
        assert main(options) == 0
    assert len(rows_of(tmp_path)) == 30 and summary_of(tmp_path)["planned"] == 30


def test_an_error_in_the_middle_leaves_partial_reports_too(tmp_path, key, capsys, caplog):
    caplog.set_level(logging.INFO)
    script = [Reply("no idea")] * 3 + [error(401, "bad key")] * 9
    with FakeOpenAIServer(script=script) as server:
        options = ["--api_model=m", f"--base_url={server.base_url}", "--tokenizer=words", "--concurrency=1"]
        assert needle(tmp_path, *options) == 2
    assert "refuses the API key" in capsys.readouterr().err
    assert summary_of(tmp_path)["prompts"] == 3 and "3 of 8 prompts asked so far" in caplog.text


def test_a_stop_before_the_first_answer_leaves_no_reports(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("longalign.evaluation.needle.answering.FakeAnswerer.run", stop)
    assert status_of("--fake=perfect", out=tmp_path) == 130
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]
    assert caplog.messages[-1] == "stopped; the same command goes on where it stopped"


def test_a_stop_while_reports_are_written_does_not_begin_them_again(tmp_path, monkeypatch):
    """What Ctrl-C left half imported (matplotlib) cannot be used again."""
    calls = []

    def stop(*_):
        calls.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr("longalign.commands.needle_run.write_reports", stop)
    assert status_of("--fake=perfect", out=tmp_path) == 130
    assert len(calls) == 1 and len(rows_of(tmp_path)) == 8
