"""ChatGLM3's own chat format as a Jinja template, from which a server makes the ids of the original's code."""

from collections.abc import Callable
from typing import Any

from longalign.chat.encode import encode_prompt
from longalign.chat.messages import Message
from longalign.chat.plain_template import agrees, plain_chat_template

# Each role's token, a line that holds the message's metadata (mostly empty), the text. The space before the text is its
# word-start mark: the original encodes line and text each on its own.
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
    """The folder's `own` template where it gives the original's ids, else ours; without role tokens the round format.

    `encode` is sentencepiece's, `opening` the names of the two tokens that open a sequence.
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
