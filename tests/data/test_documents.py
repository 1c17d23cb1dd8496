"""Raw texts from files, rows and the hub, and what they become in the cache."""

import gzip
import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from longalign.commands.plan_figures import source_figures
from longalign.commands.plan_screen import reasons
from longalign.data.datamodule import LongAlignData
from longalign.data.documents import read_documents
from longalign.data.mixture import Source
from longalign.data.synthesis.documents import read_texts
from longalign.data.tokenize import tokenize_source
from longalign.data.tokenized import decode_targets
from longalign.errors import UserError

TEXT = 'First line.\n\nSecond line: 问 and a "quote".\n'


def read(path, **options) -> list[str]:
    return [text for _, text in read_documents(str(path), "data.text", **options)]


def test_every_kind_of_file_gives_the_same_text(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.md").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "d.txt.zst").write_bytes(zstandard.compress(TEXT.encode()))
    (tmp_path / "e.jsonl").write_text(json.dumps({"text": TEXT}) + "\n" + json.dumps({"text": TEXT, "id": 3}) + "\n")
    (tmp_path / "f.json").write_text(json.dumps([{"text": TEXT}]))
    pq.write_table(pa.Table.from_pylist([{"text": TEXT}]), tmp_path / "g.parquet")
    assert read(tmp_path) == [TEXT] * 8
    assert read(tmp_path / "*.txt*") == [TEXT] * 3


def test_texts_without_a_visible_character_are_left_out_and_counted(tmp_path, tokenizer, caplog):
    rows = ["", "  \n\t", "\u200b\ufeff", None, "x"]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"body": text}) + "\n" for text in rows))
    caplog.set_level("INFO")
    source = tokenize_source(str(file), tokenizer, max_length=9, cache_dir=tmp_path / "c", name="t", text_column="body")
    assert len(source) == 1 and source.report["dropped"] == {"no_text": 4} and source.report["rows"] == 5
    assert "t: 1 sequence of 5 texts" in caplog.text and "4 × no text (dropped)" in caplog.text
    assert [text for _, _, text in read_texts(str(file), "body")] == ["x"]


def test_texts_that_synthesis_leaves_out_are_counted(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in ["x", "", "y", "x", " ", "x"]))
    left_out = Counter()
    assert [text for _, _, text in read_texts(str(file), "text", left_out)] == ["x", "y"]
    assert left_out == {"the same as another": 2, "empty": 2}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"caf\xe9", "is not UTF-8 text: byte 3"),
        ("a.txt.gz", b"no gzip", "cannot read"),
        ("a.jsonl", b'{"body": "x"}\n', "line 1: no column 'text' (there are: body); set data.text.text_column"),
        ("a.jsonl", b'{"text": 3}\n', "line 1: 'text' is int, expected text"),
        ("a.jsonl", b'"text"\n', "line 1: got str, expected an object with the column 'text'"),
        ("a.csv", b"x", "should end in one of"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(tmp_path / name)
    assert expected in str(caught.value) and "data.text" in str(caught.value) and "\n" not in str(caught.value)


def test_the_hub_is_asked_for_a_name(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets, "load_dataset", lambda name, split: [{"text": f"{name} {split}"}])
    assert read("someone/books:validation") == ["someone/books validation"]


def test_on_disk_every_token_is_a_target_and_long_texts_are_split(tmp_path, tokenizer, caplog):
    caplog.set_level("INFO")
    (tmp_path / "texts").mkdir()
    for number, size in enumerate((5, 250, 99)):
        (tmp_path / "texts" / f"{number}.txt").write_text("x" * size)
    source = tokenize_source(
        str(tmp_path / "texts"),
        tokenizer,
        max_length=100,
        cache_dir=tmp_path / "cache",
        name="text",
        text_column="text",
    )
    assert source.lengths.tolist() == [6, 100, 100, 51, 100]
    assert (source.num_targets == source.lengths - 1).all()
    for row in range(len(source)):
        assert np.array_equal(decode_targets(*source[row], source.eos_id), source[row][0])
    assert [int(source[row][0][-1]) == source.eos_id for row in range(5)] == [True, False, False, True, True]
    assert source.report["events"] == {"document_split": 1}
    assert source.documents.tolist() == [0, 1, 1, 1, 2]
    assert "text: 5 sequences of 3 texts, 357 tokens, 352 targets" in caplog.text


def test_a_held_out_text_is_held_out_whole(tmp_path, tokenizer, caplog):
    rows = [{"text": chr(97 + number) * (150 * number + 9)} for number in range(8)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = Source(str(tmp_path / "a.jsonl"), validation=3)
    data = LongAlignData(text=text, max_length=100, cache_dir=str(tmp_path / "cache"))
    data._tokenizer = tokenizer
    mixture, held_out = data.load_mixture()
    seen = [{int(mix[i][0][0]) for i in range(len(mix))} for mix in (mixture, held_out)]
    assert len(seen[0]) == 5 and len(seen[1]) == 3 and not seen[0] & seen[1]
    assert len(mixture) + len(held_out) == len(mixture.sources[0])
    assert held_out.split_texts() == [("text", len(held_out), 3)]
    (figures,) = source_figures(data, mixture, held_out)
    assert f"text: 7 × document split, {len(held_out)} sequences held out, of 3 whole texts" in str(reasons([figures]))


def test_a_source_is_raw_text_where_it_says_so():
    more = {"chats": Source("x"), "bodies": Source("x", text_column="body")}
    data = LongAlignData(long="a.jsonl", text="books", sources=more)
    columns = {name: source.text_column for name, source in data.sources.items()}
    assert columns == {"long": None, "text": "text", "chats": None, "bodies": "body"}
