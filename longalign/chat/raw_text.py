"""Turning raw text into sequences for continued pre-training: each token is a target, long texts give several."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from longalign.chat.encode import EncodedRow
from longalign.chat.formats import require_eos
from longalign.chat.joints import JOINT
from longalign.chat.text import TextEncoder
from longalign.errors import UserError

_PART = 200_000  # characters that are encoded at once; `tokenizers` needs about 170 bytes of memory for each


def encode_text(text: str, tokenizer: Any, *, max_length: int) -> list[EncodedRow]:
    """Encode a document to sequences of at most `max_length` tokens, in the order of the text; the labels are the ids.

    Each sequence begins with what the tokenizer puts in front of a text (BOS, or nothing); the last ends with EOS.
    Names of control tokens in the text are encoded as text. If there are several sequences, the first has the event
    `document_split`. A sequence of one token is dropped as `no_target`, and a text without a visible character as
    `no_text`.

    Raises:
        UserError: the tokenizer has no EOS, or `max_length` has no room for two tokens after the opening.
    """
    if not has_text(text):
        return [EncodedRow([], [], "no_text")]
    encoder, opening, eos_id = _text_encoder(tokenizer, tokenizer.eos_token_id)
    room = max_length - len(opening)
    if room < 2:
        raise UserError(f"data.max_length: got {max_length}, expected {len(opening) + 2} or more for a text")
    ids = [token for part in _parts(text, encoder) for token in encoder.encode(text[part], continuing=part.start > 0)]
    ids.append(eos_id)
    pieces = [opening + ids[start : start + room] for start in range(0, len(ids), room)]
    rows = [EncodedRow(piece, piece) if len(piece) > 1 else EncodedRow([], [], "no_target") for piece in pieces]
    if len(rows) > 1:
        rows[0] = EncodedRow(rows[0].input_ids, rows[0].labels, None, ("document_split",))
    return rows


def has_text(text: str) -> bool:
    """Whether the text has a visible character, that is one other than space, control and format characters."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def _parts(text: str, encoder: TextEncoder) -> Iterator[slice]:
    """Slices of a text whose ids, joined, are those of the whole; one slice if it is short or cannot be cut safely."""
    start = 0
    if len(text) > _PART and encoder.encodes_in_parts(text):
        while joint := JOINT.search(text, start + _PART):
            yield slice(start, joint.start())
            start = joint.start()
    yield slice(start, len(text))


@lru_cache(maxsize=4)
def _text_encoder(tokenizer: Any, eos_token_id: int | None) -> tuple[TextEncoder, list[int], int]:
    """(encoder, ids in front of a text, EOS). eos_token_id: a change of it makes a new cache entry."""
    whole, bare = (tokenizer("a", add_special_tokens=special).input_ids for special in (True, False))
    starts = (n for n in range(len(whole)) if whole[n : n + len(bare)] == bare)
    return TextEncoder(tokenizer), list(whole[: next(starts, 0)]), require_eos(tokenizer)
