"""A conversation with a model: its messages, and the ids of the next prompt in the model's own format.

The ids are those of training. A prompt that does not fit into the model's context is refused, or cut with a warning.
"""

import logging
from pathlib import Path
from typing import Any, Literal

from longalign.chat import ChatFormat, Message, chat_encoder, encode_prompt
from longalign.chat.overflow import shorten_document
from longalign.errors import UserError

log = logging.getLogger(__name__)

Fit = Literal["error", "shorten_document"]

SPARE = 1 / 16
"""Share of the context that is left free when a document is cut, so that the next turns need no further cut."""


class Conversation:
    """The messages of a conversation whose prompts and answers fit in ``context`` tokens.

    A document is put in front of the next question, with a blank line between, as in LongAlign's data.

    Args:
        context: None if the model has no limit.
        max_new_tokens: the greatest length of an answer.
        overflow: what to do with a prompt that does not fit: refuse it, or cut the middle out of its longest text.
        goes_on: whether to leave room for more turns (`SPARE`) when a prompt is cut.
    """

    def __init__(
        self,
        tokenizer: Any,
        chat_format: ChatFormat,
        *,
        context: int | None,
        max_new_tokens: int,
        system: str = "",
        overflow: Fit = "error",
        goes_on: bool = True,
    ) -> None:
        self._tokenizer, self._format = tokenizer, chat_format
        self._encoder = chat_encoder(tokenizer, chat_format)
        self._context, self._max_new_tokens = context, max_new_tokens
        self._system, self._overflow, self._goes_on = system, overflow, goes_on
        self._document: str | None = None
        self.forget()

    def forget(self) -> None:
        """Start a new conversation. If there is a document, it is put in front of the next question again."""
        self.messages: list[Message] = [] if not self._system else [{"role": "system", "content": self._system}]
        self._unread = self._document
        self._before = (self.messages, self._unread)

    @property
    def has_document(self) -> bool:
        """Whether a document was loaded."""
        return self._document is not None

    def load(self, text: str | None) -> int:
        """Put a document in front of the next question (None: no document); returns its length in tokens.

        Raises:
            UserError: the document alone does not fit.
        """
        tokens = len(self._encoder.text.encode(text)) if text else 0
        if self._overflow == "error":
            self._check(tokens, "the document")
        self._document = self._unread = text
        return tokens

    def ask(self, question: str) -> list[int]:
        """Add a question; returns the prompt's ids.

        Raises:
            UserError: the prompt does not fit, or the format refuses it; then the conversation is not changed.
        """
        content = f"{self._unread.rstrip()}\n\n{question}" if self._unread else question
        messages = [*self.messages, {"role": "user", "content": content}]
        ids = encode_prompt(messages, self._tokenizer, self._format)
        if self._too_long(len(ids)) and self._overflow == "shorten_document":
            ids, messages = self._shorten(messages, len(ids))
        self._check(len(ids), "the prompt")
        self._before = (self.messages, self._unread)
        self.messages, self._unread = messages, None
        return ids

    def answered(self, text: str) -> None:
        """Add the answer to the last question."""
        self.messages = [*self.messages, {"role": "assistant", "content": self._without_thoughts(text)}]
        self._before = (self.messages, self._unread)

    def take_back(self) -> None:
        """Remove the last question if it has no answer."""
        self.messages, self._unread = self._before

    def _too_long(self, tokens: int) -> bool:
        return self._context is not None and tokens + self._max_new_tokens > self._context

    def _check(self, tokens: int, what: str) -> None:
        if self._too_long(tokens):
            raise UserError(
                f"{what} has {tokens} tokens and --max_new_tokens is {self._max_new_tokens}, together "
                f"{tokens + self._max_new_tokens}; the model has room for {self._context} (max_position_embeddings); "
                "give less text, a smaller --max_new_tokens, or --overflow shorten_document"
            )

    def _shorten(self, messages: list[Message], tokens: int) -> tuple[list[int], list[Message]]:
        assert self._context is not None
        room = self._context - self._max_new_tokens - int(SPARE * self._context * self._goes_on)
        found = shorten_document(
            messages,
            tokens,
            room,
            encode=lambda shorter: (self._encoder.prompt(shorter), []),
            offsets=self._encoder.text.offsets,
        )
        if found is None:
            return self._encoder.prompt(messages), messages
        cut = tokens - len(found.input_ids)
        log.warning("%d of %d tokens were cut out of the middle of the longest text", cut, tokens)
        return found.input_ids, found.messages

    def _without_thoughts(self, answer: str) -> str:
        """An answer as it is shown in later prompts: templates of thinking models leave out earlier thoughts."""
        template = str(self._tokenizer.chat_template or "")
        if self._format != "template" or "</think>" not in template:
            return answer
        return answer.rpartition("</think>")[2].strip()


def read_document(path: str) -> str:
    """Read a text file.

    Raises:
        UserError: the file is missing, empty, or no UTF-8 text.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"file: {path}: {error.strerror or error}; expected a text file") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"file: {path} is not UTF-8 text (byte {error.start}); for a PDF extract the text first, for another "
            "encoding: iconv -t UTF-8"
        ) from error
    if "\0" in text:
        raise UserError(f"file: {path} holds zero bytes; expected UTF-8 text")
    if not text.strip():
        raise UserError(f"file: {path} is empty; expected a text to ask about")
    return text
