"""Files appear whole or not at all, and an error names the file."""

import errno
import io
import os

import pytest

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
