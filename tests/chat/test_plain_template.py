"""LongAlign's formats as chat templates: a server's ids are those of training, whatever the conversation."""

import json
import shutil
from random import Random

import corpus
import pytest
from tokenizers import AddedToken
from tokenizers_for_tests import GOLDEN, byte_level, sentencepiece

from longalign.chat import encode_conversation, encode_prompt, load_tokenizer
from longalign.chat.plain_template import plain_chat_template
from longalign.errors import UserError

ROLES = {"s": "system", "u": "user", "a": "assistant"}
SHAPES = ["u", "su", "uau", "suauau", "uu", "uaau", "uasu", "au", "uauauau"]


def conversations(roles, count):
    random = Random(roles)
    words = corpus.words(random, 200)
    edges = ["", "", " ", "\n", "\u200b", "\ufeff "]
    for _ in range(count):
        texts = [corpus.text(random, words, random.choice([0, 1, 3, 20]), names=[""]) for _ in roles]
        texts = [random.choice(edges) + text + random.choice(edges) for text in texts]
        yield [{"role": ROLES[role], "content": text} for role, text in zip(roles, texts, strict=True)]


def llama(folder, legacy):
    shutil.copy(GOLDEN / "tokenizer" / "llama" / "tokenizer.model", folder)
    config = {"tokenizer_class": "LlamaTokenizer", "legacy": legacy}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return load_tokenizer(folder)


def glm4():
    tokenizer = byte_level()
    marks = [AddedToken(name, special=True, normalized=False) for name in ("[gMASK]", "<sop>")]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    return tokenizer


@pytest.fixture(params=["chatglm-chatglm3", "chatglm-llama2", "llama_legacy-llama2", "llama-llama2"])
def exact(request, tmp_path):
    name, chat_format = request.param.split("-")
    if name == "chatglm":
        return sentencepiece(folder="chatglm"), chat_format
    return llama(tmp_path, legacy=name == "llama_legacy"), chat_format


def served(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"]


@pytest.mark.parametrize("roles", SHAPES)
def test_prompts_of_sentencepiece_tokenizers_are_exact(exact, roles):
    tokenizer, chat_format = exact
    tokenizer.chat_template, is_exact = plain_chat_template(tokenizer, chat_format)
    assert is_exact
    for messages in conversations(roles, 60):
        expected = encode_prompt(messages, tokenizer, chat_format)
        assert served(tokenizer, messages, add_generation_prompt=True) == expected
        assert served(tokenizer, messages) == expected


def test_whole_conversations_end_with_eos_where_a_text_can_hold_it(exact):
    tokenizer, chat_format = exact
    tokenizer.chat_template, _ = plain_chat_template(tokenizer, chat_format)
    for messages in conversations("uaua", 60):
        ids, _ = encode_conversation(messages, tokenizer, chat_format)
        assert ids[-1] == tokenizer.eos_token_id
        ended = "[gMASK]" not in tokenizer.get_vocab()
        assert served(tokenizer, messages) == (ids if ended else ids[:-1])


@pytest.mark.parametrize(("make", "chat_format"), [(byte_level, "llama2"), (glm4, "llama2"), (glm4, "chatglm3")])
def test_prompts_of_one_round_are_exact_for_byte_level_tokenizers(make, chat_format):
    tokenizer = make()
    tokenizer.chat_template, is_exact = plain_chat_template(tokenizer, chat_format)
    assert not is_exact
    for roles in ("u", "su", "uu"):
        for messages in conversations(roles, 60):
            expected = encode_prompt(messages, tokenizer, chat_format)
            assert served(tokenizer, messages, add_generation_prompt=True) == expected
    for messages in conversations("uauau", 20):
        expected = tokenizer.decode(encode_prompt(messages, tokenizer, chat_format))
        assert tokenizer.decode(served(tokenizer, messages)) == expected


def test_a_template_trains_as_the_format_does(exact):
    """Where EOS ends the answers is the one thing that a template cannot say between rounds."""
    tokenizer, chat_format = exact
    tokenizer.chat_template, _ = plain_chat_template(tokenizer, chat_format)
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "An answer."}]
    assert encode_conversation(messages, tokenizer, "template") == encode_conversation(messages, tokenizer, chat_format)


def test_a_format_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match=r"chat_format chatglm3 needs a tokenizer with \[gMASK\], sop"):
        plain_chat_template(byte_level(), "chatglm3")
    with pytest.raises(UserError, match="expected chatglm3 or llama2"):
        plain_chat_template(sentencepiece(folder="chatglm"), "template")
