import gzip
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from longalign.data.sources import find_files, read_conversations, read_rows
from longalign.errors import UserError

ROW = {"messages": [{"role": "user", "content": "q 问"}, {"role": "assistant", "content": "a"}]}
LINES = (json.dumps(ROW, ensure_ascii=False) + "\n") * 3


def _messages(path) -> list:
    return [messages for _, messages in read_conversations(str(path), "data.long")]


def _error(path) -> str:
    with pytest.raises(UserError) as caught:
        _messages(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "data.long" in message
    return message


def test_every_format_gives_the_same_rows(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINES)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.compress(LINES.encode()))
    (tmp_path / "d.json").write_text(json.dumps([ROW] * 3))
    pq.write_table(pa.Table.from_pylist([ROW | {"length": 7}] * 3), tmp_path / "e.parquet")
    for file in sorted(tmp_path.iterdir()):
        assert _messages(file) == [ROW["messages"]] * 3, file.name
    assert len(_messages(tmp_path)) == 15
    assert len(_messages(tmp_path / "*.jsonl*")) == 9


def test_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + LINES.encode() + b"\r\n\n" + LINES.encode())
    assert len(_messages(file)) == 6
    assert [where for where, _ in read_conversations(str(file))][-1] == f"{file} line 8"


def test_the_report_of_an_import_beside_its_data_is_no_data(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINES)
    (tmp_path / "a.jsonl.report.json").write_text("{}")
    assert len(_messages(tmp_path)) == len(_messages(tmp_path / "*.json*")) == 3


def test_a_tilde_that_no_shell_has_seen_is_the_home(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text(LINES)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(_messages("~/a.jsonl")) == len(_messages("~/*.jsonl")) == len(_messages("~")) == 3


def test_a_row_knows_its_line(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(LINES)
    assert [where for where, _ in read_conversations(str(file))] == [f"{file} line {n}" for n in (1, 2, 3)]


def _cut_behind_a_line() -> bytes:
    """A compressed file without its end, whose lines are whole."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(LINES.encode()) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def test_compressed_files_may_be_joined(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES.encode()) * 2)
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.compress(LINES.encode()) * 2)
    assert len(_messages(tmp_path)) == 12


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", LINES + '{"messages": [', "broken JSON at line 4 of"),
        ("a.jsonl", LINES.encode() + b'{"messages": "\xff"}', "no UTF-8 at line 4 of"),
        ("a.json", f"[\n{json.dumps(ROW)},\n]", "broken JSON at line 3 of"),
        ("a.json", "{}", "should hold a JSON list"),
        ("a.jsonl", "", "is empty"),
        ("a.json", "[]", "is empty"),
        ("a.parquet", "", "is empty"),
        ("a.jsonl", LINES + "[1]", "line 4: expected an object"),
        ("a.jsonl", '{"text": "x"}', "got 'text'; raw text is given as data.text"),
        ("a.jsonl", LINES + '{"messages": [{"role": "user"}]}', "line 4: message 1 (user) has no content"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": null}]}', "message 1 (user): content must be a string"),
        ("a.txt", LINES, "should end in one of .jsonl"),
        ("a.jsonl.gz", "no gzip", "cannot read"),
        ("a.jsonl.zst", "no zstd", "cannot read"),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-9], "cannot read"),
        ("a.jsonl.zst", zstandard.compress(LINES.encode())[:-1], "cannot read"),
        ("a.jsonl.zst", _cut_behind_a_line(), "cannot read"),
        ("a.parquet", "no parquet", "cannot read"),
    ],
)
def test_a_mistake_in_a_file_is_told_in_one_line(tmp_path, name, content, expected):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = _error(file)
    assert expected in message
    assert str(file) in message


def test_a_broken_or_empty_parquet_file_is_told_by_us_alone(tmp_path, caplog):
    pq.write_table(pa.table({"messages": pa.array([], pa.list_(pa.string()))}), tmp_path / "empty.parquet")
    (tmp_path / "broken.parquet").write_text("no parquet")
    assert "empty.parquet is empty" in _error(tmp_path / "empty.parquet")
    assert "cannot read" in _error(tmp_path / "broken.parquet")
    assert not caplog.records


def test_a_parquet_map_is_an_object_and_does_no_harm_where_it_is_not_needed(tmp_path):
    text = pa.map_(pa.string(), pa.string())
    turns = [[list(message.items()) for message in ROW["messages"]]] * 3
    about = pa.array([[("by", "me")], [], None], text)
    pq.write_table(pa.table({"messages": pa.array(turns, pa.list_(text)), "about": about}), tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist([ROW] * 3).append_column("about", about), tmp_path / "b.parquet")
    assert _messages(tmp_path) == [ROW["messages"]] * 6
    read = [row["about"] for _, row in read_rows(str(tmp_path / "b.parquet"), "data.long")]
    assert read == [{"by": "me"}, {}, None]


def test_missing_files_are_told_in_one_line(tmp_path):
    assert _error(tmp_path / "no.jsonl") == f"data file {tmp_path / 'no.jsonl'} does not exist (data.long)"
    assert "no data file matches" in _error(tmp_path / "*.jsonl")
    assert "holds no file that ends in" in _error(tmp_path)


def test_a_folder_of_save_to_disk_is_told_in_one_line(tmp_path):
    import datasets

    rows = datasets.Dataset.from_list([ROW])
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=rows).save_to_disk(tmp_path / "splits")
    for name in ("one", "splits"):
        assert "was written by save_to_disk of `datasets`: use to_parquet" in _error(tmp_path / name)


def test_a_name_on_the_hub_goes_through_datasets(monkeypatch):
    asked = []

    class Datasets:
        @staticmethod
        def load_dataset(name, split):
            asked.append((name, split))
            return [ROW]

    monkeypatch.setitem(sys.modules, "datasets", Datasets)
    assert _messages("owner/chats:dev") == [ROW["messages"]]
    assert _messages("owner/chats") == [ROW["messages"]]
    assert asked == [("owner/chats", "dev"), ("owner/chats", "train")]


def test_an_unknown_name_on_the_hub_is_told_in_one_line(monkeypatch):
    import datasets

    def refuse(name, split):
        raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{name}' doesn't exist on the Hub\nsecond line")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    assert "is neither a file here nor a data set on the hub" in _error("owner/nothing")


def test_what_a_folder_holds_beside_its_data_is_said_once(tmp_path, caplog):
    for name in ("a.jsonl", "b.csv", ".hidden", "a.jsonl.report.json"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nothing")
    caplog.set_level("INFO")
    for _ in range(2):
        assert find_files(str(tmp_path), "data.long") == [str(tmp_path / "a.jsonl")]
    assert [record.getMessage() for record in caplog.records] == [
        f"data.long: folders and other files in {tmp_path} are ignored: b.csv and 2 more"
    ]
