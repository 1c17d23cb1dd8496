import pytest

from longalign.chat import parse_messages
from longalign.errors import UserError

USER = {"role": "user", "content": "q"}


def test_messages_keep_role_and_content_only():
    row = {"id": 3, "messages": [USER | {"name": "x"}, {"role": "assistant", "content": "a"}]}
    assert parse_messages(row) == [USER, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize("weight", [0, 0.0, False])
def test_weight_0_of_an_answer_is_kept_and_no_other_weight(weight):
    said = {"role": "assistant", "content": "a"}
    messages = [
        USER | {"weight": 0},
        said | {"weight": weight},
        USER,
        said | {"weight": 1},
        USER,
        said | {"weight": None},
    ]
    assert parse_messages({"messages": messages}) == [USER, said | {"weight": 0}, USER, said, USER, said]


@pytest.mark.parametrize("key", ["train", "training", "loss"])
def test_an_answer_that_its_source_excludes_gets_weight_0(key):
    said = {"role": "assistant", "content": "a"}
    messages = [USER | {key: False}, said | {key: False}, USER, said | {key: True}]
    assert parse_messages({"messages": messages}) == [USER, said | {"weight": 0}, USER, said]
    assert parse_messages({"messages": [USER, said | {key: 0}]}) == [USER, said | {"weight": 0}]


@pytest.mark.parametrize("key", ["tool_calls", "function_call", "reasoning_content", "reasoning", "thinking"])
def test_what_an_answer_has_beside_its_content_is_refused_and_never_left_out(key):
    said = {"role": "assistant", "content": "a"}
    with pytest.raises(UserError, match=f"message 2 .assistant.: '{key}' cannot be trained on"):
        parse_messages({"messages": [USER, said | {key: "x"}]})
    assert parse_messages({"tools": [], "messages": [USER, said | {key: None}]}) == [USER, said]


@pytest.mark.parametrize("key", ["tools", "functions"])
def test_tools_of_a_message_are_refused_as_those_of_a_row_are(key):
    rules = {"role": "system", "content": "Be brief."}
    said = {"role": "assistant", "content": "a"}
    with pytest.raises(UserError, match=f"message 1 .system.: '{key}' cannot be trained on"):
        parse_messages({"messages": [rules | {key: [{"name": "f"}]}, USER, said]})
    assert parse_messages({"messages": [rules | {key: []}, USER, said], key: "[]"}) == [rules, USER, said]


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse_messages({"messages": [{"role": "user", "content": parts}]})[0]["content"] == "ab"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([], "expected an object with a key 'messages', got list"),
        ({"text": "x"}, "expected the key 'messages', got 'text'"),
        ({}, "expected the key 'messages', got no key"),
        ({"messages": None}, "must be a list of objects with role and content, got null"),
        ({"messages": "hello"}, "must be a list of objects with role and content, got str 'hello'"),
        ({"messages": []}, "'messages' is empty"),
        ({"messages": [USER, "hi"]}, "message 2 must be an object"),
        ({"messages": [{"content": "q"}]}, "message 1 has no role, expected one of system, user, assistant"),
        ({"messages": [{"role": "gpt", "content": "q"}]}, "message 1 has role 'gpt', .* write 'assistant'"),
        ({"messages": [{"role": ["user"], "content": "q"}]}, "message 1 has role"),
        ({"messages": [USER, {"role": "assistant"}]}, r"message 2 \(assistant\) has no content"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, r"message 2 \(assistant\): .* got null"),
        (
            {"messages": [USER, {"role": "assistant", "content": "a", "weight": 0.5}]},
            "weight must be 0 or 1, got float",
        ),
        ({"messages": [USER, {"role": "assistant", "content": "a", "weight": "no"}]}, "weight must be 0 or 1, got str"),
        (
            {"messages": [USER, {"role": "assistant", "content": "a", "train": "false"}]},
            "train must be true or false, got str 'false'",
        ),
        ({"messages": [USER], "tools": [{"type": "function"}]}, "'tools' cannot be trained on"),
        ({"messages": [USER], "functions": [{"name": "f"}]}, "'functions' cannot be trained on"),
        ({"messages": [USER], "images": ["a.png"]}, "'images' cannot be trained on: leave the row out"),
        ({"messages": [{"role": "user", "content": 5}]}, r"message 1 \(user\): content must be a string, got int '5'"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "must be of type 'text', got 'image'"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "must be of type 'text', got str 'x'"),
    ],
)
def test_a_malformed_row_is_named_in_one_line(row, said):
    with pytest.raises(UserError, match=said) as caught:
        parse_messages(row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["label", "kto_tag"])
def test_a_bad_answer_of_a_set_for_kto_is_not_learnt(key):
    messages = [USER, {"role": "assistant", "content": "a"}]
    with pytest.raises(UserError, match=f"'{key}' is false, which marks a bad answer: leave the row out"):
        parse_messages({"messages": messages, key: False})
    for other in (True, None, "false positive", 0):  # what is no boolean is a label of some other kind
        assert parse_messages({"messages": messages, key: other}) == messages
