"""ChatGLM3's own chat format as a Jinja template, with which a server gets the same ids as from the original code."""

from collections.abc import Callable
from typing import Any

from longalign.chat.encode import encode_prompt
from longalign.chat.messages import Message
from longalign.chat.plain_template import agrees, plain_chat_template

# A message is its role's token, a line with its metadata (mostly empty), and its text. The original encodes the line
# and the text separately, so the text has a word-start mark of its own; the space before it gives that mark.
_ROLES = (
    "{% for message in messages %}"
    "{% if message.role not in ['system', 'user', 'assistant', 'observation'] %}"
    "{{ raise_exception('the role must be system, user, assistant or observation, got ' ~ message.role) }}{% endif %}"
    "{{ '<|' + message.role + '|>' + (message.metadata or '') + '\\n' }}"
    "{% set content = message.content or '' %}"
    "{% if message.tools %}{% set content = content + '\\n' + (message.tools | tojson(indent=4)) %}{% endif %}"
    "{% if content %}{{ ' ' + content }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def choose_template(
    tokenizer: Any,
    opening: tuple[str, str],
    encode: Callable[[str], list[int]],
    role_tokens: tuple[str, ...],
    own: str | None,
) -> str:
    """The chat template for a tokenizer in ChatGLM's format.

    That is the folder's `own` template if it gives the ids of the original code; if not, the one above. A tokenizer
    without role tokens uses the format of numbered rounds (`chatglm3` in `formats`) instead.

    Args:
        opening: names of the two tokens that open a sequence.
        encode: sentencepiece's function that encodes a text.
    """

    def with_roles(messages: list[Message]) -> list[int]:
        ids = tokenizer.convert_tokens_to_ids(list(opening))
        for message in messages:
            ids.append(tokenizer.convert_tokens_to_ids(f"<|{message['role']}|>"))
            ids += encode("\n") + encode(message["content"])
        return [*ids, tokenizer.convert_tokens_to_ids("<|assistant|>")]

    def in_rounds(messages: list[Message]) -> list[int]:
        return encode_prompt(messages, tokenizer, "chatglm3")

    if own and agrees(tokenizer, own, with_roles if role_tokens else in_rounds):
        return own
    return "".join(opening) + _ROLES if role_tokens else plain_chat_template(tokenizer, "chatglm3").template
