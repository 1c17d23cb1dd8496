"""LongAlign's two formats give the original's ids and labels, row by row; each difference is tested by name."""

import json
from functools import cache

import pytest
from tokenizers_for_tests import GOLDEN, sentencepiece

from longalign.chat import encode_conversation, encode_row
from longalign.errors import UserError

MAX_LENGTH = 512
VARIANTS = {
    "chatglm": ("chatglm", "chatglm3", {}),
    "llama": ("llama", "llama2", {}),
    "chatglm_nostrip": ("chatglm", "chatglm3", {"strip_whitespace": False}),
    "llama_nostrip": ("llama", "llama2", {"strip_whitespace": False}),
    "llama_legacy_false": ("llama", "llama2", {"dummy_prefix": "first"}),
}
REFUSED = {"empty_conversation", "null_user_content"}


@cache
def read(name):
    return [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


MESSAGES = {row["id"]: row["messages"] for name in ("sharegpt", "long", "hazards") for row in read(name)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_ids_and_labels_equal_the_originals(variant):
    folder, chat_format, options = VARIANTS[variant]
    tokenizer = sentencepiece(folder=folder)
    for expected in read(f"expected_{variant}"):
        if expected["id"] in REFUSED:
            continue
        ids, labels = encode_conversation(MESSAGES[expected["id"]], tokenizer, chat_format, **options)
        if expected["status"] == "none":
            assert (ids, labels) == ([], [])
            continue
        # The original cuts at max_length; encode_conversation knows no limit.
        assert (len(ids) > MAX_LENGTH) == expected["status"].startswith("truncated"), expected["id"]
        assert ids[:MAX_LENGTH] == expected["input_ids"], expected["id"]
        assert labels[:MAX_LENGTH] == expected["labels"], expected["id"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_equal_the_originals_with_overflow_truncate(variant):
    folder, chat_format, options = VARIANTS[variant]
    tokenizer = sentencepiece(folder=folder)
    for expected in read(f"expected_{variant}"):
        if expected["id"] in REFUSED:
            continue
        row = {"messages": MESSAGES[expected["id"]]}
        encoded = encode_row(row, tokenizer, chat_format, max_length=MAX_LENGTH, overflow="truncate", **options)
        if expected["status"] == "none" or expected["status"].endswith("all_masked"):
            assert encoded.reason == "no_target"
            continue
        assert (encoded.input_ids, encoded.labels) == (expected["input_ids"], expected["labels"])
        assert ("cut_tail" in encoded.events) == (expected["status"] == "truncated")


@pytest.mark.parametrize(("folder", "chat_format"), [("chatglm", "chatglm3"), ("llama", "llama2")])
class TestDifferences:
    def expected(self, folder, name):
        return next(row for row in read(f"expected_hazards_{folder}") if row["id"] == name)

    def text(self, folder, ids):
        return sentencepiece(folder=folder).decode(ids, skip_special_tokens=True)

    def encode(self, folder, chat_format, name):
        return encode_conversation(MESSAGES[name], sentencepiece(folder=folder), chat_format)

    def targets(self, folder, labels):
        return self.text(folder, [label for label in labels if label != -100])

    def test_null_and_empty_conversations_are_refused_not_made_up(self, folder, chat_format):
        for name in ("null_user_content", "empty_conversation", "assistant_content_null"):
            with pytest.raises(UserError, match=r"message|empty"):
                self.encode(folder, chat_format, name)

    def test_a_null_question_of_the_original_is_an_empty_one(self, folder, chat_format):
        expected = next(row for row in read(f"expected_{folder}") if row["id"] == "null_user_content")
        messages = [{"role": "user", "content": ""}, MESSAGES["null_user_content"][1]]
        ids, labels = encode_conversation(messages, sentencepiece(folder=folder), chat_format)
        assert (ids, labels) == (expected["input_ids"], expected["labels"])

    def test_a_row_of_exactly_max_length_is_kept_whole(self, folder, chat_format):
        name = f"exactly_max_length_{folder}"
        assert self.expected(folder, name)["status"] == "crash"
        row = {"messages": MESSAGES[name]}
        encoded = encode_row(row, sentencepiece(folder=folder), chat_format, max_length=MAX_LENGTH)
        assert len(encoded.input_ids) == MAX_LENGTH
        assert encoded.events == ()

    def test_a_system_text_goes_in_front_of_the_question_and_is_no_target(self, folder, chat_format):
        for name in ("system_first_3_messages", "system_first_4_messages"):
            ids, labels = self.encode(folder, chat_format, name)
            assert labels != self.expected(folder, name)["labels"]  # there the question is the target
            assert self.targets(folder, labels) == MESSAGES[name][2]["content"]
            question = f"{MESSAGES[name][0]['content']}\n\n{MESSAGES[name][1]['content']}"
            assert question in self.text(folder, ids)

    def test_control_tokens_written_in_a_text_stay_text(self, folder, chat_format):
        for name in ("literal_unk_in_user_text", "literal_eos_in_answer", "literal_eos_starts_answer"):
            ids, labels = self.encode(folder, chat_format, name)
            if folder == "chatglm":  # the original is right there
                assert (ids, labels) == (
                    self.expected(folder, name)["input_ids"],
                    self.expected(folder, name)["labels"],
                )
            assert 0 not in ids
            assert ids.count(2) == 1
            assert labels[-1] == 2
            assert self.targets(folder, labels) == MESSAGES[name][1]["content"]

    def test_the_originals_own_markers_are_text(self, folder, chat_format):
        for name in ("one_begin_marker_in_user_text", "both_markers_in_user_text"):
            ids, labels = self.encode(folder, chat_format, name)
            assert MESSAGES[name][0]["content"] in self.text(folder, ids)
            assert self.targets(folder, labels) == "c"

    def test_names_of_chatglm_tokens_are_text_as_in_the_original(self, folder, chat_format):
        expected = self.expected(folder, "text_sop_eop_gMASK")
        ids, labels = self.encode(folder, chat_format, "text_sop_eop_gMASK")
        assert (ids, labels) == (expected["input_ids"], expected["labels"])

    def test_an_answer_beyond_the_limit_is_kept_by_shortening(self, folder, chat_format):
        row = {"messages": MESSAGES["prompt_longer_than_max_length"]}
        encoded = encode_row(row, sentencepiece(folder=folder), chat_format, max_length=MAX_LENGTH)
        assert self.targets(folder, encoded.labels) == "This answer is beyond the cut."
        assert encoded.events == ("cut_document",)
