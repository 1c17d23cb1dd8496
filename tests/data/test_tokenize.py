import errno
import json
import multiprocessing
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from byte_tokenizer import byte_tokenizer

from longalign.chat import encode_conversation
from longalign.commands.interrupt import interruptible
from longalign.data import cache, encoding
from longalign.data.orphans import children_end_with_us
from longalign.data.synthetic import generate_conversations
from longalign.data.tokenize import report_table, tokenize_source
from longalign.data.tokenized import TokenizedSource, decode_targets
from longalign.errors import UserError

FORK = multiprocessing.get_context("fork")  # what the test has imported need not be imported again


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    long = generate_conversations("long", 6, length=6000, seed=1)
    return [{"messages": row["messages"]} for row in (*long, *generate_conversations("short", 60, seed=1))]


@pytest.fixture
def tokenise(tmp_path, tokenizer):
    def run(path, **options) -> TokenizedSource:
        return tokenize_source(path, tokenizer, **({"max_length": 20_000, "cache_dir": tmp_path / "cache"} | options))

    return run


def _folders(cache_dir: Path) -> list[str]:
    return sorted(file.name for file in cache_dir.iterdir() if file.is_dir() and file.name != "digests")


@pytest.mark.parametrize("num_proc", [1, 3])
def test_rows_on_disk_are_the_encoded_conversations_in_order(rows, tokenizer, tokenise, write_rows, num_proc):
    source = tokenise(write_rows("a.jsonl", rows), num_proc=num_proc)
    assert len(source) == len(rows)
    assert source.eos_id == tokenizer.eos_token_id
    for i, row in enumerate(rows):
        ids, labels = encode_conversation(row["messages"], tokenizer)
        got, targets = source[i]
        assert got.dtype == np.int32 and targets.dtype == np.uint8
        assert got.tolist() == ids and decode_targets(got, targets, source.eos_id).tolist() == labels
        assert source.lengths[i] == len(ids)
        assert source.num_targets[i] == sum(label != -100 for label in labels[1:])
    with pytest.raises(IndexError):
        source[len(rows)]


def test_labels_that_end_an_answer_survive(tokenise, write_rows, tokenizer):
    messages = [
        {"role": role, "content": f"text {i}"} for i, role in enumerate(("user", "assistant", "user", "assistant"))
    ]
    source = tokenise(write_rows("a.jsonl", [{"messages": messages}]), chat_format="llama2")
    ids, labels = encode_conversation(messages, tokenizer, "llama2")
    assert any(label not in (-100, token) for token, label in zip(ids, labels, strict=True))
    assert decode_targets(*source[0], source.eos_id).tolist() == labels


def test_a_token_takes_at_most_6_bytes_and_views_copy_nothing(rows, tokenise, write_rows):
    source = tokenise(write_rows("a.jsonl", rows * 5), num_proc=2)
    on_disk = sum(file.stat().st_size for file in source.folder.rglob("*") if file.is_file())
    assert on_disk / source.lengths.sum() <= 6
    ids, targets = source[3]
    assert not ids.flags.owndata and not targets.flags.owndata and not ids.flags.writeable


def test_a_half_character_is_replaced_and_counted(tokenise, write_rows, tokenizer):
    row = {"messages": [{"role": "user", "content": "a \ud83d b"}, {"role": "assistant", "content": "\U0001f600"}]}
    source = tokenise(write_rows("a.jsonl", [row]))
    assert source.report["events"] == {"half_character_replaced": 1}
    assert "a \ufffd b" in tokenizer.decode(source[0][0]) and "\U0001f600" in tokenizer.decode(source[0][0])


def test_a_second_call_reads_the_cache_and_a_change_makes_a_new_one(rows, tokenise, write_rows, tmp_path, monkeypatch):
    path = write_rows("a.jsonl", rows)
    first = tokenise(path).folder
    with monkeypatch.context() as patch:
        patch.setattr(encoding, "encode_rows", None)
        assert tokenise(path, num_proc=3).folder == first
        os.utime(path, (1, 1))
        assert tokenise(path).folder == first  # another time, the same bytes
    others = [
        tokenise(path, max_length=8000).folder,
        tokenise(path, overflow="drop").folder,
        tokenise(path, chat_format="llama2").folder,
        tokenise(path, name="long").folder,
        tokenise(write_rows("a.jsonl", rows[1:])).folder,
    ]
    assert len({first, *others}) == 6


def test_the_tokenizers_state_is_in_the_key():
    one, other = byte_tokenizer(), byte_tokenizer()
    assert cache.tokenizer_digest(one) == cache.tokenizer_digest(other)
    one(["a", "bbb"], padding=True, truncation=True, max_length=2, return_tensors=None) if one.pad_token else None
    assert cache.tokenizer_digest(one) == cache.tokenizer_digest(other)
    other.chat_template += " "
    assert cache.tokenizer_digest(one) != cache.tokenizer_digest(other)
    one.add_tokens(["new"])
    assert len({cache.tokenizer_digest(each) for each in (one, other, byte_tokenizer())}) == 3


def test_a_files_digest_is_remembered_until_it_changes(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("one")
    os.utime(file, (1000, 1000))
    digest = cache.file_digest(str(file), tmp_path / "digests")
    with monkeypatch.context() as patch:
        patch.setattr(cache.hashlib, "file_digest", None)
        assert cache.file_digest(str(file), tmp_path / "digests") == digest
    (note,) = (tmp_path / "digests").iterdir()
    note.write_text(note.read_text()[:-9])  # of a process that was killed
    assert cache.file_digest(str(file), tmp_path / "digests") == digest
    file.write_text("two")  # the same size
    assert cache.file_digest(str(file), tmp_path / "digests") != digest


@pytest.mark.parametrize("num_proc", [1, 2])
def test_drops_and_cuts_are_counted_over_all_processes(rows, tokenise, write_rows, num_proc, caplog):
    question = {"messages": [{"role": "user", "content": "anyone?"}]}
    with caplog.at_level("INFO"):
        source = tokenise(write_rows("a.jsonl", [*rows, *[question] * 5]), max_length=4000, num_proc=num_proc)
    report = source.report
    assert report["rows"] == len(rows) + 5
    assert report["kept"] == len(source) == len(rows)
    assert report["dropped"] == {"no_target": 5}
    assert report["events"]["cut_document"] == 6
    assert report["tokens"] == source.lengths.sum() and report["targets"] == source.num_targets.sum()
    assert source.lengths.max() <= 4000
    assert caplog.text.count("× no target (dropped)") == 1
    assert "66 of 71 conversations" in report_table("long", report)


def test_if_nothing_is_left_the_counts_are_told_and_no_cache_stays(tokenise, write_rows, tmp_path):
    question = {"messages": [{"role": "user", "content": "anyone?"}]}
    with pytest.raises(UserError, match=r"all 3 conversations were dropped: 3 × no_target \(data.source\)"):
        tokenise(write_rows("a.jsonl", [question] * 3))
    assert _folders(tmp_path / "cache") == []


@pytest.mark.parametrize("num_proc", [1, 3])
def test_a_mistake_in_a_worker_comes_out_in_one_line(rows, tokenise, write_rows, tmp_path, num_proc):
    path = write_rows("a.jsonl", rows)
    with pytest.raises(UserError) as caught:
        tokenise(path, max_length=3000, overflow="error", num_proc=num_proc)
    assert "a.jsonl line " in str(caught.value) and "tokens" in str(caught.value)
    assert "\n" not in str(caught.value) and "data.source" in str(caught.value)
    assert _folders(tmp_path / "cache") == []


def test_broken_json_is_told_with_its_line(rows, tokenise, write_rows, tmp_path):
    path = write_rows("a.jsonl", rows)
    Path(path).write_text(Path(path).read_text() + "{")
    with pytest.raises(UserError, match=f"broken JSON at line {len(rows) + 1} of"):
        tokenise(path)
    assert _folders(tmp_path / "cache") == []


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_full_disk_is_told_in_one_line(rows, tokenise, write_rows, tmp_path, monkeypatch, num_proc):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoding, "_list_array", full)  # in a worker
    with pytest.raises(UserError, match=f"the disk of {tmp_path / 'cache'} is full"):
        tokenise(write_rows("a.jsonl", rows), num_proc=num_proc)
    assert _folders(tmp_path / "cache") == []


def test_a_folder_that_cannot_be_made_is_told_in_one_line(rows, tokenise, write_rows, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"set another data\.cache_dir"):
        tokenise(write_rows("a.jsonl", rows), cache_dir=tmp_path / "file" / "cache")


def test_lengths_of_many_rows_need_no_loop(tokenise, write_rows):
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    source = tokenise(write_rows("a.jsonl", [row] * 5000), num_proc=2)
    assert len(source) == 5000 and len(set(source.lengths)) == 1
    assert all(np.array_equal(source[i][0], source[0][0]) for i in (1, 999, 1000, 2499, 2500, 4999))
    copy = pickle.loads(pickle.dumps(source))
    assert np.array_equal(copy[4999][0], source[4999][0])


def _tokenise_in_process(path, cache_dir, num_proc, slow_s, results):
    real = encoding.encode_row

    def slowly(*args, **kwargs):
        time.sleep(slow_s)
        return real(*args, **kwargs)

    encoding.encode_row = slowly  # workers are forked, and inherit it
    source = tokenize_source(path, byte_tokenizer(), max_length=20_000, cache_dir=cache_dir, num_proc=num_proc)
    results.put((os.getpid(), str(source.folder), source.folder.stat().st_ino, source.lengths.tolist()))


def test_of_two_processes_one_writes_and_the_other_waits(rows, tokenise, write_rows, tmp_path):
    path, results = write_rows("a.jsonl", rows), FORK.Queue()
    arguments = (path, tmp_path / "cache", 2, 0.005, results)
    processes = [FORK.Process(target=_tokenise_in_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    got = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(10)
    assert got[0][1:] == got[1][1:]
    assert got[0][3] == tokenise(path, cache_dir=tmp_path / "alone").lengths.tolist()
    assert len(_folders(tmp_path / "cache")) == 1


def test_a_run_killed_while_it_tokenises_leaves_nothing_taken_for_whole(rows, tokenise, write_rows, tmp_path):
    path, cache_dir = write_rows("a.jsonl", rows), tmp_path / "cache"
    process = FORK.Process(target=_tokenise_in_process, args=(path, cache_dir, 2, 0.5, FORK.Queue()))
    process.start()
    deadline = time.monotonic() + 30
    while len(children := _children(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)  # two workers and the library's manager are at it
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert len(children) == 3
    left = _folders(cache_dir)
    assert left and all(name.startswith(".") for name in left)
    start = time.monotonic()
    source = tokenise(path)
    assert time.monotonic() - start < 10, "waited for the dead"
    assert len(source) == len(rows)
    assert _folders(cache_dir) == [source.folder.name]
    for _ in range(60):
        if not any(_alive(child) for child in children):
            break
        time.sleep(0.1)
    assert not any(_alive(child) for child in children), "workers outlive their parent"


def _tokenise_until_stopped(path, cache_dir, results):
    os.setsid()  # a terminal of its own
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with interruptible():
            _tokenise_in_process(path, cache_dir, 2, 0.5, results)
    except SystemExit as end:
        results.put(end.code)


@pytest.mark.parametrize(
    ("end", "number", "status"),
    [(os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGTERM, 143)],
    ids=["ctrl_c", "kill"],
)
def test_a_stop_ends_all_processes_without_a_traceback(end, number, status, rows, write_rows, tmp_path, capfd):
    results = FORK.Queue()
    process = FORK.Process(target=_tokenise_until_stopped, args=(write_rows("a.jsonl", rows), tmp_path, results))
    process.start()
    deadline = time.monotonic() + 30
    while len(_children(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    end(process.pid, number)
    assert results.get(timeout=30) == status
    process.join(10)
    assert "Traceback" not in capfd.readouterr().err


def _handler_of_sigterm(results):
    results.put(signal.getsignal(signal.SIGTERM))


def test_a_child_leaves_what_its_parent_does_on_sigterm_to_it():
    results, before = FORK.Queue(), signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with children_end_with_us():
            process = FORK.Process(target=_handler_of_sigterm, args=(results,))
            process.start()
        assert results.get(timeout=30) == signal.SIG_DFL
        process.join(10)
    finally:
        signal.signal(signal.SIGTERM, before)


def _children(pid: int) -> list[int]:
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _stat(stat) and _stat(stat)[1] == str(pid)
    ]


def _stat(file: Path) -> list[str]:
    """[state, parent, …] of a process; empty if it is gone."""
    try:
        return file.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _alive(pid: int) -> bool:
    stat = _stat(Path(f"/proc/{pid}/stat"))
    return bool(stat) and stat[0] != "Z"


def test_nothing_is_left_in_the_librarys_own_cache(rows, tokenise, write_rows, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    source = tokenise(write_rows("a.jsonl", rows), num_proc=2)
    assert not (tmp_path / "hub").exists()
    names = {file.name.split(".")[0].rstrip("0123456789_of") for file in source.folder.iterdir()}
    assert names == {"tokens", "report", "meta", "key"}
    assert json.loads((source.folder / "report.json").read_text()) == source.report
