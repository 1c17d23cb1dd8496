"""Token ids of needle prompts: by a model's tokenizer and chat format, or by words if there is no tokenizer."""

import hashlib
import re
import zlib
from functools import cached_property
from typing import Any, Protocol

from longalign.errors import UserError

Message = dict[str, str]
Span = tuple[int, int]


class Encoder(Protocol):
    """What building prompts needs of a tokenizer with its chat format. `identity` names it in settings and recipes."""

    @property
    def identity(self) -> dict[str, Any]: ...

    def tokens(self, text: str) -> tuple[list[int], list[Span]]:
        """Ids and character spans of a text that stands alone, without chat format."""
        ...

    def joints(self, text: str) -> tuple[list[int], bool]:
        """Places at which a text can be cut, as numbers of characters, and whether they are certain or only likely.

        At such a place the ids of the parts, one after the other, are the ids of the whole, in any surroundings.
        """
        ...

    def prompt(self, messages: list[Message]) -> list[int]:
        """Ids of the messages in the chat format, up to where the model's answer begins."""
        ...

    def rendered(self, messages: list[Message]) -> str:
        """The text that `prompt` encodes."""
        ...

    def answer(self, text: str) -> list[int]:
        """Ids of an answer as they stand behind a prompt, without the tokens that end an answer."""
        ...


class ChatPrompts:
    """A tokenizer of transformers with a chat format of `longalign.chat`: prompts have the same ids as in training."""

    def __init__(self, tokenizer: Any, chat_format: Any, name: str) -> None:
        from longalign.chat import chat_encoder

        self.tokenizer, self.chat_format, self._name = tokenizer, chat_format, name
        self._encoder = chat_encoder(tokenizer, chat_format)
        self._prompt_of_one = self._encoder.prompt([{"role": "user", "content": "?"}])

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Name, chat format, and a hash of vocabulary, merges and template: it is equal for copies of a tokenizer."""
        state = self.tokenizer.backend_tokenizer.to_str() + str(self.tokenizer.chat_template)
        sha256 = hashlib.sha256(state.encode()).hexdigest()
        return {"name": self._name, "sha256": sha256, "chat_format": self.chat_format}

    def tokens(self, text: str) -> tuple[list[int], list[Span]]:
        return self._encoder.text.encode_with_offsets(text)

    def joints(self, text: str) -> tuple[list[int], bool]:
        from longalign.chat.joints import JOINT

        return [match.start() for match in JOINT.finditer(text)], self._encoder.text.joins(text)

    def prompt(self, messages: list[Message]) -> list[int]:
        return self._encoder.prompt(messages)

    def rendered(self, messages: list[Message]) -> str:
        return self._encoder.rendered(messages)

    def answer(self, text: str) -> list[int]:
        """The target tokens that training would have for this answer, without control tokens at their end.

        Raises:
            UserError: the chat template marks no targets, or writes a prompt in another way when an answer follows.
        """
        question = {"role": "user", "content": "?"}
        ids, labels = self._encoder.encode([question, {"role": "assistant", "content": text}], [])
        start = len(self._prompt_of_one)
        if ids[:start] != self._prompt_of_one:
            raise UserError("chat_format: the template writes a prompt in another way when its answer follows")
        targets = [token for token, label in zip(ids[start:], labels[start:], strict=True) if label == token]
        while targets and targets[-1] in self._encoder.text.control_ids:
            targets.pop()
        return targets


_WORD_END = re.compile(r"(?<=[^\W\d_])(?=\s|[，。、])")
_WORD = re.compile(r"\s*(?:[\u2e80-\uffef]|\d{1,3}|[^\W\d_]{1,8}|[^\s\w]|_|\w)|\s+\Z")


class WordPrompts:
    """Counts without a tokenizer: a token is a word or a piece of 8 letters of it, a mark, up to 3 digits, or a Chinese
    character. Ids are hashes of these texts; no model can read them."""

    identity: dict[str, Any] = {"name": "words", "sha256": "words-1", "chat_format": "words"}  # noqa: RUF012

    def tokens(self, text: str) -> tuple[list[int], list[Span]]:
        spans = [match.span() for match in _WORD.finditer(text)]
        return [zlib.crc32(text[start:end].encode()) & 0x7FFFFFFF for start, end in spans], spans

    def joints(self, text: str) -> tuple[list[int], bool]:
        return [match.start() for match in _WORD_END.finditer(text)], True

    def prompt(self, messages: list[Message]) -> list[int]:
        return [token for message in messages for token in self.tokens(self.rendered([message]))[0]]

    def rendered(self, messages: list[Message]) -> str:
        return "".join(f"{message['role']}: {message['content']}\n" for message in messages)

    def answer(self, text: str) -> list[int]:
        return self.tokens(text)[0]
