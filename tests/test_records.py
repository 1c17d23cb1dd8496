"""Results that survive a kill."""

import io
import json
import logging

import pytest

from longalign.errors import UserError
from longalign.records import Records, refuse_other_setups


def test_rows_come_back_and_the_newest_of_a_key_counts(tmp_path):
    path = tmp_path / "deep" / "results.jsonl"
    with Records(path) as records:
        records.append({"key": "a", "text": "one\r\ntwo\u2028three\u0085", "status": "ok"})
        records.append({"key": "b", "text": "1"})
        records.append({"key": "b", "text": "2"})
    again = Records(path)
    assert again.rows() == [
        {"key": "a", "text": "one\r\ntwo\u2028three\u0085", "status": "ok"},
        {"key": "b", "text": "2"},
    ]
    assert again.get("b") == {"key": "b", "text": "2"} and again.get("c") is None and len(again) == 2
    assert path.read_bytes().count(b"\n") == 3


def test_a_row_is_on_the_disk_when_append_returns(tmp_path):
    records = Records(tmp_path / "r.jsonl")
    records.append({"key": "a"})
    assert Records(tmp_path / "r.jsonl").done("a")


def test_a_row_that_a_stop_comes_with_is_in_the_memory_as_on_the_disk(tmp_path, monkeypatch):
    class StoppedInFlush(io.BufferedWriter):
        def flush(self):
            super().flush()
            raise KeyboardInterrupt

    records = Records(tmp_path / "r.jsonl")
    records.append({"key": "a"})
    records._file = StoppedInFlush(io.FileIO(tmp_path / "r.jsonl", "ab"))
    with pytest.raises(KeyboardInterrupt):
        records.append({"key": "b"})
    assert records.rows() == Records(tmp_path / "r.jsonl").rows() == [{"key": "a"}, {"key": "b"}]
    monkeypatch.setattr(StoppedInFlush, "flush", io.BufferedWriter.flush)


def test_a_failed_row_is_not_done_until_a_good_one_follows(tmp_path):
    records = Records(tmp_path / "r.jsonl")
    records.append({"key": "a", "status": "failed", "error": "HTTP 500"})
    assert not records.done("a") and not Records(tmp_path / "r.jsonl").done("a")
    records.append({"key": "a", "status": "ok"})
    assert Records(tmp_path / "r.jsonl").done("a")
    assert not records.done("b")


@pytest.mark.parametrize("torn", [b'{"key": "b", "te', b'{"key": "b", "text": "\xe4\xb8', b"nul"])
def test_a_torn_last_line_is_dropped_and_said_and_the_next_row_stands_on_its_own_line(tmp_path, caplog, torn):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"key": "a"}\n' + torn)
    with caplog.at_level(logging.WARNING), Records(path) as records:
        assert [row["key"] for row in records.rows()] == ["a"]
        assert path.read_bytes().endswith(torn)  # reading changes nothing
        records.append({"key": "c"})
    assert caplog.text.count("the last line is incomplete") == 1
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "c"]


def test_a_whole_last_line_without_its_newline_is_kept(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"key": "a"}')
    with Records(path) as records:
        records.append({"key": "b"})
    assert path.read_bytes() == b'{"key": "a"}\n{"key": "b"}\n'


@pytest.mark.parametrize("line", ["oops", "[1]", '{"no": "key"}', '{"key": 3}'])
def test_a_bad_line_in_the_middle_is_an_error_with_its_number(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"key": "a"}}\n{line}\n{{"key": "b"}}\n')
    with pytest.raises(UserError, match=r"r\.jsonl: line 2"):
        Records(path)


def test_two_processes_do_not_write_the_same_file(tmp_path):
    first, second = Records(tmp_path / "r.jsonl"), Records(tmp_path / "r.jsonl")
    first.append({"key": "a"})
    with pytest.raises(UserError, match="another process"):
        second.append({"key": "b"})
    first.close()
    second.append({"key": "b"})  # it knows what the other one wrote
    assert second.done("a")
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_claim_keeps_others_out_before_anything_is_written(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    first, second = Records(path), Records(path)
    with first:
        first.claim()
        with pytest.raises(UserError, match="another process"):
            second.claim()
        first.append({"key": "a"})
    second.claim()
    assert second.done("a")
    second.close()
    assert [file.name for file in path.parent.iterdir()] == ["r.jsonl"]


def test_a_line_that_is_nested_too_deep_is_named(tmp_path):
    (tmp_path / "r.jsonl").write_bytes(b"[" * 100_000 + b"\n")
    with pytest.raises(UserError, match="line 1 is no JSON object"):
        Records(tmp_path / "r.jsonl")


def test_half_a_surrogate_pair_can_be_written(tmp_path):
    with Records(tmp_path / "r.jsonl") as records:
        records.append({"key": "a", "text": "\ud83d"})
    assert Records(tmp_path / "r.jsonl").rows()[0]["text"] == "\ud83d"


def test_another_setup_is_refused_with_the_keys_that_differ(tmp_path):
    with Records(tmp_path / "r.jsonl") as records:
        records.append({"key": "a", "setup": {"seed": 1, "dtype": "auto", "old": 2}})
        records.append({"key": "b", "setup": {"seed": 9}, "status": "failed"})
    refuse_other_setups(records, {"seed": 1, "dtype": "auto", "old": 2}, "answers")
    for own, named in (({"seed": 2, "dtype": "auto", "old": 2}, "seed"), ({"seed": 1, "dtype": "auto"}, "old")):
        with pytest.raises(UserError, match=rf"answers made with another {named}; give another --out"):
            refuse_other_setups(records, own, "answers")
