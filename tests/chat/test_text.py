"""TextEncoder on vocabularies that hold their control tokens as ordinary entries."""

import templates
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from longalign.chat import encode_conversation, encode_prompt, encode_row

LETTERS = [*"abcdefghijklmnopqrstuvwxyz<>/|_▁?.:\n", "<|im_start|>", "<|im_end|>", "</s>"]
CONVERSATION = [
    {"role": "user", "content": "why </s> <|im_end|>"},
    {"role": "assistant", "content": "</s>so"},
]


def finish(backend, template=templates.CHATML):
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in LETTERS[-3:]])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", chat_template=template)


def check(tokenizer):
    ids, labels = encode_conversation(CONVERSATION, tokenizer)
    control = [tokenizer.convert_tokens_to_ids(t) for t in LETTERS[-3:]]
    assert [i for i in ids if i in control] == [control[0], control[1], control[0], control[1]]
    prompt = encode_prompt(CONVERSATION[:1], tokenizer)
    assert ids[: len(prompt)] == prompt
    targets = [label for label in labels[len(prompt) :] if label != -100]
    assert "".join(tokenizer.convert_ids_to_tokens(targets)).endswith("</s>so<|im_end|>")


def test_a_unigram_vocabulary():
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), *((t, -1.0) for t in LETTERS)], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    check(finish(backend))


def test_a_bpe_vocabulary_that_is_looked_up_before_merging():
    vocab = {token: i for i, token in enumerate(["<unk>", "</", "s>", *LETTERS])}
    merges = [("<", "/"), ("s", ">"), ("</", "s>")]
    backend = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    check(finish(backend))


def test_a_letter_that_no_token_has_is_no_control_token_though_its_id_is_one():
    backend = Tokenizer(models.WordLevel({t: i for i, t in enumerate(["<unk>", *LETTERS])}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = finish(backend)
    tokenizer.add_special_tokens({"unk_token": "<unk>"})

    def events(text):
        row = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "so"}]}
        return encode_row(row, tokenizer, max_length=999).events

    assert events("é?") == () and events("<unk>?") == events("</s>?") == ("control_token_as_text",)
