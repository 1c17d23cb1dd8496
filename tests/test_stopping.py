"""A command that is stopped, even while it imports, ends with one line and the status of the signal."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from tests.training.conftest import finish, start, wait_for

SLOW = "import pathlib, time\npathlib.Path(__file__).with_name('begun').touch()\ntime.sleep(60)\n"


def stopped_while_importing(tmp_path, words: list[str], number: int, status: int) -> str:
    (tmp_path / "torch.py").write_text(SLOW)
    default = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 -- background jobs ignore it
    process: subprocess.Popen = start(words, env={"PYTHONPATH": str(tmp_path)}, preexec_fn=default)
    wait_for(tmp_path / "begun", process)
    process.send_signal(number)
    return finish(process, status)


@pytest.mark.parametrize("command", ["export", "validate", "data prepare", "plan", "data inspect"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_while_it_imports_says_so_in_one_line(tmp_path, command, number, status):
    said = stopped_while_importing(tmp_path, command.split(), number, status)
    assert said.count("\n") == 1 and "stopped" in said


@pytest.mark.parametrize(
    "words", [["chat", "--model=any", "--file={}"], ["needle", "rebuild", "--out={0.parent}", "--row=1"]]
)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_only_shows_something_says_in_one_line_that_it_was_stopped(tmp_path, words, number, status):
    os.mkfifo(pipe := tmp_path / "results.jsonl")
    default = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 -- background jobs ignore it
    process = start([word.format(pipe) for word in words], preexec_fn=default)
    while process.poll() is None:
        with contextlib.suppress(OSError):  # the command has not opened it yet
            os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        time.sleep(0.01)
    process.send_signal(number)
    assert finish(process, status) == f"longalign {' '.join(w for w in words if w[0] != '-')}: stopped\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_run_that_is_stopped_while_it_imports_ends_with_the_status_of_later_stops(tmp_path, number):
    said = stopped_while_importing(tmp_path, ["fit"], number, 75)
    assert said == f"{signal.Signals(number).name}: not training, nothing to save, exiting with status 75\n"
