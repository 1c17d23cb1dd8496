"""Jinja chat templates with which a server's prompts have the same ids as those that LongAlign trains on.

A server renders the template to one text and encodes it in one piece. LongAlign encodes each question and answer on its
own, so sentencepiece puts a word-start mark in front of each. In the template a space stands for that mark; which
spaces a tokenizer needs is found by trying. A byte-level tokenizer has no such mark, and may merge the first or last
letters of an answer with the format's brackets: then prompts with earlier answers have other ids.
"""

import json
import re
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import jinja2

from longalign.chat.encode import ChatFormat, chat_encoder
from longalign.chat.formats import ZERO_WIDTH, PlainEncoder, PlainFormat
from longalign.chat.messages import Message
from longalign.errors import UserError

# Messages are joined into rounds as in `formats`. `_rounds_template` replaces each @name@.
_ROUNDS_TEMPLATE = (
    "{% macro turn(number, question, answer) %}{{ @lead@ if number == 1 else @gap@ }}{{ @frame@ }}"
    "{% set answer = answer @clean@ | trim %}{% if answer %}{{ @gap@ + answer }}{% endif %}{% endmacro %}"
    "{{ @prefix@ }}{% set now = namespace(number=1, question=none, answer=none) %}"
    "{% for message in messages %}{% if message.role == 'assistant' %}"
    "{% set now.answer = message.content if now.answer is none else now.answer + '\\n\\n' + message.content %}"
    "{% else %}{% if now.answer is not none %}{{ turn(now.number, now.question or '', now.answer) }}"
    "{% set now.number = now.number + 1 %}{% set now.question = none %}{% set now.answer = none %}{% endif %}"
    "{% set now.question = message.content if now.question is none else now.question + '\\n\\n' + message.content %}"
    "{% endif %}{% endfor %}{{ turn(now.number, now.question or '', now.answer or '') }}"
    "{% if now.answer is not none and not add_generation_prompt %}{{ @end@ }}{% endif %}"
)


def _talk(*turns: str) -> list[Message]:
    """Messages from texts whose first letter is the role: s, u or a."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[turn[0]], "content": turn[1:]} for turn in turns]


_ONE_ROUND = [
    _talk("uWhere is it?"),
    _talk("sBe brief.", "u在哪里？"),
    _talk("u  def f(x):\n    return x  "),
    _talk("up", "uq"),
]
_HISTORY = [
    _talk("uWhere is it?", "aIn the harbour.", "uWhy?", "a \u200b因为。 ", "u好 "),
    _talk("u1", "a2", "u3", "a", "u5", "a6", "a7", "u8"),
    _talk("aHello!", "uHi", "a```\nx = 1\n```", "s[x]", "uwhy"),
]


class PlainTemplate(NamedTuple):
    """A chat template. exact: whether all prompts get the ids of `encode_prompt`.

    If it is not exact, prompts of one round still get these ids where a template can give them.
    """

    template: str
    exact: bool


def plain_chat_template(tokenizer: Any, chat_format: ChatFormat) -> PlainTemplate:
    """Make a Jinja template of LongAlign's format `chatglm3` or `llama2` for this tokenizer.

    A rendered prompt ends where the answer begins, whether `add_generation_prompt` is set or not. A conversation that
    ends with an answer is rendered with EOS behind it, if the tokenizer makes a token of EOS in a text; ChatGLM's does
    not.

    Raises:
        UserError: the format is another one, or does not fit the tokenizer.
    """
    if chat_format == "template":
        raise UserError("chat format 'template' is the tokenizer's own template, expected chatglm3 or llama2")
    encoder = chat_encoder(tokenizer, chat_format)
    assert isinstance(encoder, PlainEncoder)
    names = {token_id: name for name, token_id in tokenizer.get_added_vocab().items()}
    prefix = "".join(names.get(token_id, "") for token_id in encoder.prefix_ids)
    blanks = list(product(("", " "), repeat=2))
    candidates = [_rounds_template(encoder.format, prefix, *some) for some in blanks]
    probes = (_ONE_ROUND, _HISTORY)
    right = [[_agreement(tokenizer, one, encoder.prompt, some) for some in probes] for one in candidates]
    best = max(range(len(candidates)), key=right.__getitem__)
    lead, gap = blanks[best]
    with_eos = _rounds_template(encoder.format, prefix, lead, gap, end=tokenizer.eos_token)
    ended = rendered_ids(tokenizer, with_eos, _talk("uq", "ax"), prompt=False)[-1] == tokenizer.eos_token_id
    exact = gap != "" and right[best] == list(map(len, probes))
    return PlainTemplate(with_eos if ended else candidates[best], exact)


def _rounds_template(plain_format: PlainFormat, prefix: str, lead: str, gap: str, *, end: str = "") -> str:
    parts = re.split(r"\{(number|text)\}", plain_format.question)  # texts and names alternate
    names = {"number": "number", "text": "question"}
    frame = [names[part] if k % 2 else _quote(part) for k, part in enumerate(parts)]
    filled = {
        "lead": _quote(lead),
        "gap": _quote(gap),
        "frame": " ~ ".join(frame),
        "clean": " ".join(f"| replace({json.dumps(mark)}, '')" for mark in ZERO_WIDTH),
        "prefix": _quote(prefix),
        "end": _quote(end),
    }
    return re.sub(r"@(\w+)@", lambda match: filled[match[1]], _ROUNDS_TEMPLATE)


def agrees(tokenizer: Any, template: str, reference: Callable[[list[Message]], list[int]]) -> bool:
    """Whether a template gives the same ids as `reference` for some prompts with the roles system, user, assistant."""
    prompts = [*_ONE_ROUND, *_HISTORY[:1]]
    try:
        return _agreement(tokenizer, template, reference, prompts) == len(prompts)
    except (jinja2.TemplateError, TypeError):
        return False


def rendered_ids(tokenizer: Any, template: str, messages: list[Message], *, prompt: bool = True) -> list[int]:
    """The ids that a server makes: it renders the messages and encodes the text at once, without adding BOS or EOS."""
    text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=prompt)
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def _agreement(
    tokenizer: Any, template: str, reference: Callable[[list[Message]], list[int]], prompts: list[list[Message]]
) -> int:
    """For how many of the prompts the template gives the reference's ids."""
    return sum(rendered_ids(tokenizer, template, messages) == reference(messages) for messages in prompts)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
