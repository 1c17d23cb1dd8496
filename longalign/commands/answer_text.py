"""Decoding an answer token by token, so that the text that is returned early is not changed by later tokens."""

import re
from typing import Any

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_CUT_OFF = "\N{REPLACEMENT CHARACTER}"  # what decoders give for the bytes of an incomplete character


class AnswerText:
    """The text of a growing answer, without special tokens and without white space at its ends.

    ``put`` and ``end`` return pieces; joined, they are ``text``, which equals decoding all ids at once. A character
    that is split over several tokens is returned with the last of them. A run of byte tokens (sentencepiece's
    ``<0xE4>``) is returned when it ends, because one invalid byte changes how the whole run is decoded.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        # ids[start:done] were returned already; they are decoded again with the rest, because a decoder drops the space
        # in front of its first token
        self._start = self._done = 0
        self._context = ""
        self._in_bytes = False
        self._held = ""  # white space that is returned only if more text follows
        self.text = ""

    def put(self, token_id: int) -> str:
        """Add a token; returns the text that can be printed now."""
        self._ids.append(token_id)
        token = self._tokenizer.convert_ids_to_tokens(token_id)
        is_byte = bool(token and _BYTE.fullmatch(token))
        self._in_bytes = is_byte or (self._in_bytes and not self._text([token_id]))  # a special token ends no run
        return "" if self._in_bytes else self._decode(final=False)

    def end(self) -> str:
        """End the answer; returns the rest of its text."""
        return self._decode(final=True)

    def _decode(self, final: bool) -> str:
        text = self._text(self._ids[self._start :])
        new = text[len(self._context) :]
        if not new or (text.endswith(_CUT_OFF) and not final):
            return ""
        self._start, self._done = self._done, len(self._ids)
        self._context = self._text(self._ids[self._start :])
        return self._without_ends(new)

    def _text(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _without_ends(self, new: str) -> str:
        new = self._held + new if self.text else new.lstrip()
        shown = new.rstrip()
        self._held = new[len(shown) :]
        self.text += shown
        return shown
