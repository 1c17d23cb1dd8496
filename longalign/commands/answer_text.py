"""An answer's tokens in, text that can be printed at once out: nothing that a later token would change."""

import re
from typing import Any

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_CUT_OFF = "\N{REPLACEMENT CHARACTER}"  # what decoders write for bytes that are no whole character


class AnswerText:
    """Text of a growing answer, without special tokens and without white space at its ends.

    The pieces that ``put`` and ``end`` return, joined, are ``text``, and equal to decoding all ids at once. Characters
    that are split over tokens wait for their last byte; a run of byte tokens (sentencepiece's ``<0xE4>``) waits for its
    end, because one wrong byte changes how the whole run is decoded.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        # ids[start:done] are printed, and context for the rest: a decoder drops the space in front of a first token
        self._start = self._done = 0
        self._context = ""
        self._in_bytes = False
        self._held = ""  # white space that may be the last
        self.text = ""

    def put(self, token_id: int) -> str:
        """What can be printed after one more token."""
        self._ids.append(token_id)
        token = self._tokenizer.convert_ids_to_tokens(token_id)
        is_byte = bool(token and _BYTE.fullmatch(token))
        self._in_bytes = is_byte or (self._in_bytes and not self._text([token_id]))  # a special token ends no run
        return "" if self._in_bytes else self._decode(final=False)

    def end(self) -> str:
        """What is left."""
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
