"""ChatGLM's tokenizer, saved and loaded again: sentencepiece's ids for any text, the original's ids for its prompts."""

import json
import shutil
from random import Random

import corpus
import pytest
import sentencepiece as spm
from tokenizers_for_tests import GOLDEN
from transformers import AutoTokenizer

from longalign.chat import encode_conversation, encode_prompt, load_tokenizer
from longalign.chat.chatglm import ROLE_TOKENS, SPECIAL_TOKENS, build_chatglm_tokenizer
from longalign.chat.chatglm_template import _ROLES
from longalign.errors import UserError

TEXTS = 2000
OPENING = "[gMASK]sop"
CONTENTS = [
    "Hi",
    "  x ",
    "\n",
    " ",
    "",
    "a\n\nb\n",
    "\n x",
    "你好，世界。",
    "😀 👩‍🚀",
    "sop",
    "</s>",
    "[gMASK]sop x",
    "<0x0A>",
]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with 8000 pieces, trained as ChatGLM's."""
    folder = tmp_path_factory.mktemp("chatglm")
    random = Random(0)
    words = corpus.words(random)
    texts = (corpus.text(random, words, 40, names=[""]) for _ in range(8000))
    lines = (line.replace("op", "ap") for text in texts for line in text.split("\n"))  # no piece is called sop
    spm.SentencePieceTrainer.Train(
        sentence_iterator=lines,
        model_prefix=str(folder / "tokenizer"),
        vocab_size=8000,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        character_coverage=0.995,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "ChatGLMTokenizer"}))
    return folder


@pytest.fixture(scope="session", params=["golden/prep", "golden/chatglm3_tiny", "trained"])
def source(request):
    golden = {
        "golden/prep": GOLDEN / "tokenizer" / "chatglm",
        "golden/chatglm3_tiny": GOLDEN.parent / "chatglm3_tiny",
    }
    return golden[request.param] if request.param in golden else request.getfixturevalue("trained")


@pytest.fixture(scope="session")
def model(source):
    return spm.SentencePieceProcessor(str(source / "tokenizer.model"))


@pytest.fixture(scope="session")
def tokenizer(source, tmp_path_factory):
    """Saved and loaded twice, without any option."""
    tokenizer = load_tokenizer(source)
    for name in ("once", "twice"):
        folder = tmp_path_factory.mktemp(name)
        tokenizer.save_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


def test_any_text_gets_sentencepieces_ids_and_comes_back(tokenizer, model):
    random = Random(1)
    words = corpus.words(random)
    texts = [corpus.text(random, words, random.randint(2, 200)) for _ in range(TEXTS)]
    texts = [text for text in texts if not text.startswith(OPENING)]  # opens a sequence, see below
    assert sum(len(text.encode()) for text in texts) > 1_000_000
    for text, ids, expected in zip(texts, ids_of(tokenizer, texts), model.encode(texts), strict=True):
        assert ids == expected, text
        assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["philosophy", "a sop to Cerberus", "people", "<s>struck</s>", " sop", "sop\n", "x [gMASK]"]
)
def test_names_within_a_text_are_text(tokenizer, model, text):
    assert ids_of(tokenizer, text) == model.encode(text)
    assert tokenizer(text).input_ids == [*tokenizer.convert_tokens_to_ids(["[gMASK]", "sop"]), *model.encode(text)]


def test_special_tokens_follow_the_vocabulary_and_stand_alone(tokenizer, model):
    first = model.GetPieceSize()
    names = [*SPECIAL_TOKENS, *ROLE_TOKENS]
    assert tokenizer.convert_tokens_to_ids(names) == list(range(first, first + 9))
    for name in [*names, "<unk>", "<s>", "</s>"]:
        assert ids_of(tokenizer, name) == [tokenizer.convert_tokens_to_ids(name)]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id, len(tokenizer)) == (2, 0, first + 9)


def test_special_tokens_are_skipped_in_decoding(tokenizer):
    special = tokenizer.convert_tokens_to_ids([*SPECIAL_TOKENS, *ROLE_TOKENS, "</s>"])
    ids = [*special, *ids_of(tokenizer, "soprano 你好"), *special]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "soprano 你好"
    assert "<|user|>" in tokenizer.decode(ids)


@pytest.mark.parametrize("content", CONTENTS)
def test_an_opened_text_is_two_tokens_and_the_text(tokenizer, model, content):
    opening = tokenizer.convert_tokens_to_ids(["[gMASK]", "sop"])
    assert ids_of(tokenizer, OPENING + content) == opening + model.encode(content)
    user = tokenizer.convert_tokens_to_ids("<|user|>")
    assert ids_of(tokenizer, f"{OPENING}<|user|>\n {content}x")[:3] == [*opening, user]


def original(tokenizer, model, messages):
    """What build_chat_input of ChatGLM3's own code does: each role, line and text encoded on its own."""
    ids = tokenizer.convert_tokens_to_ids(["[gMASK]", "sop"])
    for message in messages:
        ids.append(tokenizer.convert_tokens_to_ids(f"<|{message['role']}|>"))
        ids += model.encode(message.get("metadata", "") + "\n") + model.encode(message["content"])
    return [*ids, tokenizer.convert_tokens_to_ids("<|assistant|>")]


def say(**turns):
    """say(u="Hi", a1="Hello") -> messages; a digit tells equal roles apart."""
    roles = {"s": "system", "u": "user", "a": "assistant", "o": "observation"}
    return [{"role": roles[key[0]], "content": content} for key, content in turns.items()]


@pytest.mark.parametrize("content", [content for content in CONTENTS if content != "sop"])
def test_the_template_gives_the_originals_ids(tokenizer, model, content):
    conversations = [say(u=content), say(s=content, u="q", a=content, u1=content), say(u="q", a="call", o=content)]
    for messages in [*conversations, [{"role": "assistant", "metadata": "get_weather", "content": content}]]:
        encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        assert encoded["input_ids"] == original(tokenizer, model, messages)


def test_roles_that_chatglm_has_not_are_refused_by_the_template(tokenizer):
    with pytest.raises(Exception, match="system, user, assistant or observation, got tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}])


@pytest.mark.parametrize("content", CONTENTS)
def test_conversations_in_the_template_are_the_originals_prompts_and_answers(tokenizer, model, content):
    messages = say(s="S", u=content, a="one</s>", u1=content, a1="你好 sop")
    ids, labels = encode_conversation(messages, tokenizer, "template")
    assert ids == [*original(tokenizer, model, messages)[:-1], 2]
    assert encode_prompt(messages[:4], tokenizer, "template") == original(tokenizer, model, messages[:4])
    user = tokenizer.convert_tokens_to_ids("<|user|>")
    line = model.encode("\n")
    expected = [*line, *model.encode("one</s>"), user, *line, *model.encode("你好 sop"), 2]
    assert [label for label in labels if label != -100] == expected
    assert all(label in (-100, token) for token, label in zip(ids, labels, strict=True))


def copy(source, folder, config=None, **files):
    """A ChatGLM folder: "/" in a file's name is written "__"."""
    shutil.copy(source / "tokenizer.model", folder)
    for name, content in (
        {"tokenizer_config__json": {"tokenizer_class": "ChatGLMTokenizer"} | (config or {})} | files
    ).items():
        (folder / name.replace("__", ".")).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


PREP = GOLDEN / "tokenizer" / "chatglm"


@pytest.mark.parametrize(
    ("has", "config", "files"),
    [
        (True, {}, {}),
        (
            True,
            {"additional_special_tokens": ["<|user|>", "<|observation|>"]},
            {"config__json": {"padded_vocab_size": 501}},
        ),
        (True, {"added_tokens_decoder": {"502": {"content": "<|user|>"}}}, {"tokenization_chatglm__py": "sop"}),
        (True, {}, {"tokenization_chatglm__py": 'roles = ["<|system|>", "<|user|>"]'}),
        (False, {}, {"tokenization_chatglm__py": 'special_tokens = ["[MASK]", "sop"]'}),
        (True, {}, {"config__json": {"padded_vocab_size": 505}}),
        (False, {}, {"config__json": {"padded_vocab_size": 504}}),
        (True, {}, {"config__json": "{broken"}),
    ],
)
def test_role_tokens_are_there_unless_the_folder_says_otherwise(tmp_path, has, config, files):
    tokenizer = load_tokenizer(copy(PREP, tmp_path, config, **files))
    assert [name in tokenizer.get_vocab() for name in ROLE_TOKENS] == [has] * 4
    assert len(tokenizer) == (505 if has else 501)


def test_another_id_in_the_config_is_refused(tmp_path):
    folder = copy(PREP, tmp_path, {"added_tokens_decoder": {"504": {"content": "<|user|>"}}})
    with pytest.raises(UserError, match=r"<\|user\|> is token 504 .* expected 502"):
        load_tokenizer(folder)


def test_without_role_tokens_the_template_is_the_round_format():
    tokenizer = build_chatglm_tokenizer(PREP, role_tokens=())
    messages = say(u="q", a=" an answer", u1="你好 ")
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert ids_of(tokenizer, text) == encode_prompt(messages, tokenizer, "chatglm3")
    assert encode_prompt(messages, tokenizer, "template") == encode_prompt(messages, tokenizer, "chatglm3")


@pytest.mark.parametrize("where", ["config", "file"])
def test_the_folders_own_template_is_kept_where_it_gives_the_same_ids(tmp_path, where):
    """ChatGLM3's own has no answer to empty texts, nor metadata; a template with other ids is not taken."""
    same = (
        "{% for m in messages %}{% if loop.first %}[gMASK]sop{% endif %}<|{{ m['role'] }}|>\n {{ m['content'] }}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    for template, expected in [
        (same, same),
        (same.replace("\n ", "\n"), OPENING + _ROLES),
        ("{{ oops(", OPENING + _ROLES),
    ]:
        config, files = (
            ({"chat_template": template}, {}) if where == "config" else ({}, {"chat_template__jinja": template})
        )
        assert load_tokenizer(copy(PREP, tmp_path, config, **files)).chat_template == expected


def test_a_vocabulary_with_a_piece_called_sop_keeps_both(tmp_path):
    lines = ["sop sop sop gasop", "eop a b c"] * 50
    spm.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=259 + 24,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = spm.SentencePieceProcessor(str(tmp_path / "tokenizer.model"))
    assert model.PieceToId("sop") > 2
    tokenizer = build_chatglm_tokenizer(tmp_path)
    assert tokenizer.convert_tokens_to_ids("<sop>") == model.GetPieceSize() + 3
    assert ids_of(tokenizer, "gasop") == model.encode("gasop")
    assert tokenizer("sop").input_ids == [model.GetPieceSize() + 1, model.GetPieceSize() + 3, *model.encode("sop")]
    assert encode_prompt(say(u="gasop"), tokenizer, "chatglm3")[:2] == tokenizer("").input_ids


def test_the_mark_of_names_cannot_be_forged_by_a_text(tokenizer):
    control = set(tokenizer.all_special_ids)
    for name in ("</s>", "sop", "[gMASK]"):
        ids = ids_of(tokenizer, f"hello\ufdd0{name}world \ufdd0{name}")
        assert not control.intersection(ids)


def test_tools_of_a_system_message_are_written_as_in_the_original(tokenizer, model):
    tools = [{"name": "f", "about": "天气"}]
    messages = [{"role": "system", "content": "Answer.", "tools": tools}, {"role": "user", "content": "hi"}]
    text = "Answer.\n" + json.dumps(tools, indent=4, ensure_ascii=False)
    written = [{"role": "system", "content": text}, messages[1]]
    assert list(tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]) == original(
        tokenizer, model, written
    )


def test_a_unigram_model_is_refused(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("a river of stone\n" * 300)
    spm.SentencePieceTrainer.train(
        input=str(lines),
        model_prefix=str(tmp_path / "tokenizer"),
        model_type="unigram",
        vocab_size=300,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(UserError, match="not a BPE model"):
        build_chatglm_tokenizer(tmp_path)
