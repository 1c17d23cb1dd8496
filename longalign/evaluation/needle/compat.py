"""`--compat longalign`: the prompts of LongAlign's own Needle_test (commit 450ecc8), to the byte.

It works on tokens, and so does this. The texts are repeated until they are long enough, encoded, cut to the length,
decoded and encoded again, and cut to the length less 200 and the needle's tokens. The needle is inserted behind the
last full stop at or before the depth, and everything is decoded. ChatGLM3's own tokenizer counts [gMASK] and sop when
it cuts, and leaves their names at the start of the document: so do we with its vocabulary. Two things differ on
purpose. Files are taken in the order of their names, there in that of the file system. And the full stop is the
tokenizer's own; there it is id 30930, which is ChatGLM's, so that with any other tokenizer every needle lands at the
start.
"""

from dataclasses import dataclass, field
from typing import Any

from longalign.errors import UserError
from longalign.evaluation.needle.build import Draft, Frame, Prompt
from longalign.evaluation.needle.encoders import ChatPrompts, Encoder
from longalign.evaluation.needle.haystack import Haystack, Source
from longalign.evaluation.needle.tasks import Cell, Item
from longalign.evaluation.needle.wording import SINGLE, SINGLE_QUESTION

BUFFER = 200
"""Tokens that the original keeps free for question, chat format and answer."""

FRAME = Frame(
    user="{document}\n\nRead the document and answer: {question}",
    system="You are a helpful AI bot that answers questions for a user. Keep your response short and direct",
)

ANSWERS = ("eat a sandwich", "Dolores Park", "sunny day")


@dataclass(frozen=True)
class CompatRequest:
    """What the original's document depends on, beside its texts. `length` (tokens) and `depth` (percent) are as there.

    opening: the text of the special tokens that the original's tokenizer puts in front of a text and decodes with it.
    opening_tokens: how many these are.
    """

    length: int
    depth: float
    needle: str = f"\n{SINGLE}\n"
    opening: str = ""
    opening_tokens: int = 0


@dataclass(frozen=True)
class CompatDraft(Draft):
    """A draft whose only text is the whole document; `request` is what it was made from."""

    request: CompatRequest = field(default_factory=lambda: CompatRequest(0, 0))


class CompatBuilder:
    """Builds the original's prompts, with the methods of `build.Builder` that a run uses."""

    def __init__(self, haystack: Haystack, encoder: Encoder, max_new_tokens: int, *, own: Item | None = None) -> None:
        self.haystack, self.encoder, self.max_new_tokens = haystack, encoder, max_new_tokens
        self._item = own or Item((SINGLE,), SINGLE_QUESTION, ANSWERS, "", SINGLE, "")
        self._opening = _opening(encoder)

    def draft(self, cell: Cell) -> CompatDraft:
        """The original's prompt for a cell. It does not depend on the cell's seed."""
        request = CompatRequest(cell.length, cell.depth, f"\n{self._item.needles[0]}\n", *self._opening)
        text = compat_document(self.haystack.source, self.encoder, request)
        messages = FRAME.messages(text, self._item.question)
        return CompatDraft(
            cell=cell,
            item=self._item,
            start=0,
            end=0,
            offsets=(0,),
            texts=(text,),
            reached=(_depth(text, self._item.needles[0], self.encoder),),
            tokens=len(self.encoder.prompt(messages)),
            frame=FRAME,
            request=request,
        )

    def finish(self, draft: Draft) -> Prompt:
        """Encode a draft's prompt. As in the original, it is not cut if question and chat format exceed the buffer."""
        messages = FRAME.messages(draft.texts[0], draft.item.question)
        return Prompt(draft, messages, self.encoder.prompt(messages))


def compat_document(source: Source, encoder: Encoder, request: CompatRequest) -> str:
    """The original's document: text with the needle in it.

    Raises:
        UserError: the tokenizer has no token for a full stop, or the length is too small.
    """
    period = _period(encoder)
    ids = encoder.tokens(_repeated(source.text, encoder, request.length))[0]
    if len(ids) + request.opening_tokens > request.length:
        ids = encoder.tokens(request.opening + _decode(encoder, ids[: request.length - request.opening_tokens]))[0]
    needle = encoder.tokens(request.needle)[0]
    room = request.length - BUFFER - len(needle)
    if room <= 0:
        raise UserError(f"lengths: {request.length} is too short for {BUFFER} tokens of buffer and the needle")
    ids = ids[:room]
    at = len(ids)
    if request.depth != 100:
        at = int(len(ids) * (request.depth / 100))  # the original's rounding: 70 % of 90 are 62
        while at and ids[at - 1] != period:
            at -= 1
    return _decode(encoder, [*ids[:at], *needle, *ids[at:]])


def _opening(encoder: Encoder) -> tuple[str, int]:
    """`CompatRequest.opening` and `opening_tokens` of a tokenizer: those of ChatGLM3's, of any other none."""
    from longalign.chat.text import TextEncoder  # torch comes with it

    return ("[gMASK]sop ", 2) if TextEncoder(_tokenizer(encoder)).alone else ("", 0)


def _repeated(text: str, encoder: Encoder, length: int) -> str:
    once = len(encoder.tokens(text)[0])
    copies = max(1, length // max(once, 1))
    while len(encoder.tokens(text * copies)[0]) < length:
        copies += 1
    return text * copies


def _period(encoder: Encoder) -> int:
    tokenizer = _tokenizer(encoder)
    found = tokenizer.convert_tokens_to_ids(".")
    if found is None or found == tokenizer.unk_token_id:
        raise UserError(
            "compat: the tokenizer has no token for a full stop alone, behind which the needle goes; leave --compat out"
        )
    return found


def _decode(encoder: Encoder, ids: list[int]) -> str:
    return _tokenizer(encoder).decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _tokenizer(encoder: Encoder) -> Any:
    if not isinstance(encoder, ChatPrompts):
        raise UserError("compat: needs a tokenizer; give --tokenizer DIR")
    return encoder.tokenizer


def _depth(text: str, needle: str, encoder: Encoder) -> float:
    """The percentage of the document's tokens, without the needle's, that stand in front of the needle."""
    front, found, rest = text.partition(needle)
    assert found
    before, after = len(encoder.tokens(front)[0]), len(encoder.tokens(rest)[0])
    return round(100 * before / max(before + after, 1), 3)
