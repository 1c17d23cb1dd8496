"""Cells to prompts: needles at sentence boundaries of the haystack, everything within the cell's length.

A `Draft` says what stands where; `finish` makes the ids that a model gets. Both take the tokens of the haystack, which
is encoded once, and encode only what stands around the needles (`splicing`), so a grid of a hundred prompts takes
seconds. With a tokenizer of which it is not certain that this gives the ids of the whole prompt, `finish` encodes that;
if the draft's count of tokens then proves wrong, the draft is made again by encoding.
"""

import hashlib
import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from longalign.errors import UserError
from longalign.evaluation.needle.encoders import Encoder, Message
from longalign.evaluation.needle.haystack import Haystack, Source
from longalign.evaluation.needle.sentences import next_word_end, word_end
from longalign.evaluation.needle.splicing import Piece, Spliced, splice
from longalign.evaluation.needle.tasks import Cell, Item, make_item, targets
from longalign.evaluation.needle.wording import WORDINGS

log = logging.getLogger(__name__)

MIN_DOCUMENT = 32
"""Tokens of haystack that a prompt has at least."""

_PASSES = 8


@dataclass(frozen=True)
class Frame:
    """What stands around a document: a system message (or none), and the user's with {document} and {question}."""

    user: str
    system: str = ""

    def messages(self, document: str, question: str) -> list[Message]:
        content = self.user.replace("{question}", question, 1).replace("{document}", document, 1)
        opening = [{"role": "system", "content": self.system}] if self.system else []
        return [*opening, {"role": "user", "content": content}]


@dataclass(frozen=True)
class Draft:
    """A prompt as spans: ``haystack[start:end]`` with `texts` inserted at `offsets` (characters of the endless text).

    `reached` is the depth of each needle, then of each decoy: percent of the document's haystack tokens in front of it.
    """

    cell: Cell
    item: Item
    start: int
    end: int
    offsets: tuple[int, ...]
    texts: tuple[str, ...]
    reached: tuple[float, ...]
    tokens: int
    frame: Frame


@dataclass(frozen=True)
class Prompt:
    """A draft with its messages and the ids that a model gets."""

    draft: Draft
    messages: list[Message]
    input_ids: list[int]

    @property
    def cell(self) -> Cell:
        return self.draft.cell

    @property
    def item(self) -> Item:
        return self.draft.item


@dataclass(frozen=True)
class ForcedIds:
    """For scoring without generating: the prompt, how its answer begins, and the rest if it is right, and if wrong."""

    prompt_ids: list[int]
    prefix_ids: list[int]
    answer_ids: list[int]
    wrong_ids: list[int]


class Builder:
    """Builds the prompts of one haystack, tokenizer and answer room (`max_new_tokens`)."""

    def __init__(
        self, haystack: Haystack, encoder: Encoder, max_new_tokens: int, *, own: Item | None = None, system: str = ""
    ) -> None:
        self.haystack, self.encoder, self.max_new_tokens = haystack, encoder, max_new_tokens
        self._own, self._system = own, system
        self._splices = haystack.exact
        self._compared: set[int] = set()  # lengths

    def frame(self, language: str) -> Frame:
        """What stands around the document."""
        return Frame(WORDINGS[language].document, self._system)

    def draft(self, cell: Cell) -> Draft:
        """What the cell's prompt consists of.

        Raises:
            UserError: the cell's length has no room, or see `make_item`.
        """
        item = make_item(cell, self.haystack.holds, self._own)
        return self._fit(cell, item, self._count)

    def finish(self, draft: Draft) -> Prompt:
        """Encode a draft's prompt. Its length and the answer's room are at most the cell's length, at most a word less.

        Safe to call from several threads.
        """
        messages = self.messages(draft)
        ids = self._ids(draft, messages)
        if len(ids) != draft.tokens:
            draft = self._fit(draft.cell, draft.item, self._encode)
            messages = self.messages(draft)
            ids = self.encoder.prompt(messages)
        assert len(ids) == draft.tokens <= draft.cell.length - self.max_new_tokens
        return Prompt(draft, messages, ids)

    def build(self, cell: Cell) -> Prompt:
        """`draft` and `finish`."""
        return self.finish(self.draft(cell))

    def messages(self, draft: Draft) -> list[Message]:
        """The prompt's messages."""
        return draft.frame.messages(document(draft, self.haystack.text), draft.item.question)

    def forced(self, prompt: Prompt) -> ForcedIds:
        """Ids for teacher forcing. `prefix_ids + answer_ids` are the ids of the full answer, and so with `wrong_ids`.

        Raises:
            UserError: the chat format tells nothing of answers.
        """
        item = prompt.item
        right, wrong = (self.encoder.answer(item.prefix + text) for text in (item.answer, item.wrong))
        alone = self.encoder.answer(item.prefix.rstrip()) if item.prefix else []
        kept = min(_common(right, alone), _common(right, wrong))
        return ForcedIds(prompt.input_ids, right[:kept], right[kept:], wrong[kept:])

    # How long a document may be

    def _fit(self, cell: Cell, item: Item, count: Callable[[Draft], int]) -> Draft:
        """The longest document with which the prompt fits, cut at the end of a word."""
        hay, budget = self.haystack, cell.length - self.max_new_tokens
        first = int(np.random.default_rng([cell.seed, 7]).integers(max(hay.first_sentences, 1)))
        start = int(hay.sentences[first])
        first = int(np.searchsorted(hay.starts, start))
        stop = self._stop(first, self._room(cell, item, budget))
        tried: dict[int, Draft] = {}
        for _ in range(_PASSES):
            draft = self._lay_out(cell, item, start, stop)
            if draft.end in tried:
                break
            tried[draft.end] = draft = replace(draft, tokens=count(draft))
            missing = budget - draft.tokens
            if missing >= 0 and self._next_word(draft) > missing:
                return draft
            stop = self._stop(first, int(np.searchsorted(hay.starts, draft.end)) - first + missing)
            if missing < 0:
                stop = min(stop, draft.end - 1)
        best = max((d for d in tried.values() if d.tokens <= budget), key=lambda d: d.tokens, default=None)
        if best is None:
            raise UserError(f"lengths: {cell.length} cannot be reached with this tokenizer; give a longer one")
        return best

    def _stop(self, first: int, tokens: int) -> int:
        """Where a document of some tokens from the haystack's token `first` on ends."""
        return int(self.haystack.ends[first + max(tokens, MIN_DOCUMENT // 2) - 1])

    def _room(self, cell: Cell, item: Item, budget: int) -> int:
        """A first guess at the tokens of haystack."""
        empty = len(self.encoder.prompt(self.frame(cell.language).messages("", item.question)))
        hidden = sum(len(self.encoder.tokens(text)[0]) for text in (*item.needles, *item.decoys))
        if budget - empty - hidden < MIN_DOCUMENT:
            raise UserError(
                f"lengths: {cell.length} tokens are too few: question and chat format take {empty}, needles {hidden}, "
                f"the answer's room {self.max_new_tokens} (--max_new_tokens) and the text {MIN_DOCUMENT} at least"
            )
        return budget - empty - hidden

    def _lay_out(self, cell: Cell, item: Item, start: int, stop: int) -> Draft:
        """Haystack from `start` to the last word before `stop`, needles at the sentences nearest to their depths."""
        hay = self.haystack
        first = int(np.searchsorted(hay.starts, start))
        end = word_end(hay.text, start, stop)
        tokens = int(np.searchsorted(hay.starts, end)) - first
        low, high = np.searchsorted(hay.sentences, (start, end))
        places = np.append(hay.sentences[low:high], end)  # before each sentence, and at the end
        at = np.searchsorted(hay.starts, places) - first
        wanted = targets(cell, item)
        chosen = [int(np.abs(at - depth / 100 * tokens)[: len(at) - (depth < 100)].argmin()) for depth in wanted]
        joint = WORDINGS[cell.language].joint
        order = sorted(range(len(chosen)), key=lambda n: (chosen[n], n))
        sentences = (*item.needles, *item.decoys)
        return Draft(
            cell=cell,
            item=item,
            start=start,
            end=end,
            offsets=tuple(int(places[chosen[n]]) for n in order),
            texts=tuple(joint + sentences[n] if places[chosen[n]] == end else sentences[n] + joint for n in order),
            reached=tuple(round(100 * float(at[chosen[n]]) / tokens, 3) for n in range(len(chosen))),
            tokens=0,
            frame=self.frame(cell.language),
        )

    def _next_word(self, draft: Draft) -> int:
        """Tokens that the document's next word would take."""
        hay = self.haystack
        after = next_word_end(hay.text, draft.end)
        first, last = np.searchsorted(hay.starts, (draft.end, after))
        return max(int(last - first), 1)

    # Tokens, counted and made

    def _ids(self, draft: Draft, messages: list[Message]) -> list[int]:
        """The ids of a draft's prompt, which is encoded as a whole where splicing is not certain to give the same.

        The first prompt of each length is encoded in both ways.
        """
        spliced = self._splice(draft) if self._splices else None
        if spliced is None or not self._is_same_frame(draft, messages, spliced.short):
            return self.encoder.prompt(messages)
        ids = spliced.ids()
        if draft.cell.length not in self._compared:
            self._compared.add(draft.cell.length)
            whole = self.encoder.prompt(messages)
            if ids != whole:
                log.warning("ids put together are not those of the whole prompt; prompts are encoded one by one")
                self._splices = False
            return whole
        return ids

    def _is_same_frame(self, draft: Draft, messages: list[Message], short: str) -> bool:
        """Whether the chat format writes the same around the whole document and the short one, and changes neither."""
        whole = document(draft, self.haystack.text)
        rendered = self.encoder.rendered(draft.frame.messages(short, draft.item.question))
        return self.encoder.rendered(messages) == rendered.replace(short, whole, 1)

    def _count(self, draft: Draft) -> int:
        spliced = self._splice(draft)
        return self._encode(draft) if spliced is None else len(spliced)

    def _encode(self, draft: Draft) -> int:
        return len(self.encoder.prompt(self.messages(draft)))

    def _splice(self, draft: Draft) -> Spliced | None:
        pieces: list[Piece] = []
        for start, end, text in cuts(draft):
            pieces += [(start, end), text]
        question = draft.item.question
        return splice(pieces, lambda text: draft.frame.messages(text, question), self.haystack, self.encoder)


def cuts(draft: Draft) -> list[tuple[int, int, str]]:
    """The document as (start, end, text): haystack[start:end], then an inserted text ("" at the end)."""
    edges = [draft.start, *draft.offsets, draft.end]
    return list(zip(edges, edges[1:], (*draft.texts, ""), strict=False))


def document(draft: Draft, haystack: str | Source) -> str:
    """The text of a draft, in the haystack's text or in its source."""
    return "".join(haystack[start:end] + text for start, end, text in cuts(draft))


def around(draft: Draft, haystack: str | Source, reach: int = 150) -> list[str]:
    """Each needle with what stands before and behind it in the document."""
    text = document(draft, haystack)
    places = [(text.find(needle), len(needle)) for needle in draft.item.needles]
    return [text[max(0, at - reach) : at + length + reach] for at, length in places]


def messages_sha256(messages: list[Message]) -> str:
    """Hash of messages, to the byte."""
    return hashlib.sha256(json.dumps(messages, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def ids_sha256(ids: list[int]) -> str:
    """Hash of ids, as little-endian int32."""
    return hashlib.sha256(np.array(ids, dtype="<i4").tobytes()).hexdigest()


def grid(lengths: list[int], depths: list[float], seeds: int, task: str = "single", language: str = "en") -> list[Cell]:
    """Every cell, shortest first."""
    return [
        Cell(length, depth, seed, task, language)  # type: ignore[arg-type]
        for length in sorted(lengths)
        for depth in sorted(depths)
        for seed in range(seeds)
    ]


def _common(a: list[int], b: list[int]) -> int:
    return bisect_left(range(min(len(a), len(b))), True, key=lambda n: a[: n + 1] != b[: n + 1])
