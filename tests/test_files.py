"""Files appear whole or not at all, and an error names the file."""

import errno
import io
import os
import signal
import subprocess
import sys

import pytest
from filelock import FileLock

from longalign.errors import UserError
from longalign.files import write_jsonl, write_text


class FullDisk(io.RawIOBase):
    number = errno.ENOSPC

    def write(self, data):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_the_old_file_and_is_said_with_its_name(tmp_path, monkeypatch, number):
    monkeypatch.setattr(FullDisk, "number", number)
    file = tmp_path / "rows.jsonl"
    write_jsonl(file, [{"a": 1}])
    monkeypatch.setattr("longalign.files._compressed", lambda raw, suffix: FullDisk())
    with pytest.raises(OSError, match=os.strerror(number)) as found:
        write_jsonl(file, [{"a": 2}])
    assert found.value.filename == str(file)
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda self, data: FullDisk().write(data))
    with pytest.raises(OSError, match=os.strerror(number)) as found:
        write_text(file, "new")
    assert found.value.filename == str(file)
    assert file.read_text() == '{"a": 1}\n' and list(tmp_path.iterdir()) == [file]


KILLED = """
import os, signal, sys
from longalign.files import write_jsonl
def rows():
    yield {"a": "half"}
    os.kill(os.getpid(), signal.SIGKILL)
write_jsonl(sys.argv[1], rows())
"""


def test_what_a_killed_writer_of_rows_left_is_gone_after_the_next_one(tmp_path):
    file = tmp_path / "rows.jsonl"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)])
    assert killed.returncode == -signal.SIGKILL and not file.exists() and list(tmp_path.iterdir())
    write_jsonl(file, [{"a": 1}])
    assert file.read_text() == '{"a": 1}\n' and list(tmp_path.iterdir()) == [file]


def test_a_report_is_there_before_the_rows_that_it_is_about(tmp_path):
    file, report = tmp_path / "rows.jsonl", tmp_path / "report"

    def write(count):
        assert not file.exists()
        report.write_text(f"{count} rows")

    write_jsonl(file, [{"a": 1}, {"a": 2}], report=write)
    assert file.exists() and report.read_text() == "2 rows"


def test_two_processes_do_not_write_the_same_rows(tmp_path):
    file = tmp_path / "rows.jsonl"
    with FileLock(tmp_path / ".rows.jsonl.lock"), pytest.raises(UserError, match="out: another process is writing"):
        write_jsonl(file, [{"a": 1}])
    assert not file.exists()


def test_what_a_killed_process_left_of_a_file_goes_and_what_another_one_writes_stays(tmp_path):
    left, written = tmp_path / ".card[1].html.77.tmp", tmp_path / ".card[1].html.78.tmp"
    for file in (left, written):
        file.write_text("<html>")
    os.utime(left, (0, 0))
    write_text(tmp_path / "card[1].html", "<html></html>")
    assert not left.exists() and written.exists()
