"""Make the prompts of cells: needles stand between sentences of the haystack, and the prompt fits the cell's length.

A `Draft` says which texts are inserted where; `Builder.finish` makes the token ids that a model gets. Encoding whole
prompts would be slow. The haystack is encoded once, and for a prompt only the text around its needles (`splicing`), so
a grid of a hundred prompts takes seconds. If a tokenizer might give the whole prompt other ids, `finish` encodes the
whole prompt, and if the draft's number of tokens was wrong, it makes the draft again with whole encodings.
"""

import hashlib
import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from longalign.data.sentences import next_word_end, word_end
from longalign.errors import UserError
from longalign.evaluation.needle.encoders import Encoder, Message
from longalign.evaluation.needle.haystack import Haystack, Source
from longalign.evaluation.needle.splicing import Piece, Spliced, splice
from longalign.evaluation.needle.tasks import Cell, Item, make_item, targets
from longalign.evaluation.needle.wording import WORDINGS

log = logging.getLogger(__name__)

MIN_DOCUMENT = 32
"""The fewest tokens of haystack that a prompt may have."""

_PASSES = 8
"""Most attempts at the length of a document before the best of them is taken."""


@dataclass(frozen=True)
class Frame:
    """The text around a document: a user message with slots {document} and {question}; a system message, or none."""

    user: str
    system: str = ""

    def messages(self, document: str, question: str) -> list[Message]:
        content = self.user.replace("{question}", question, 1).replace("{document}", document, 1)
        opening = [{"role": "system", "content": self.system}] if self.system else []
        return [*opening, {"role": "user", "content": content}]


@dataclass(frozen=True)
class Draft:
    """A prompt as spans: ``haystack[start:end]`` with `texts` inserted at `offsets` (characters of the endless text).

    reached: the real depth of each needle, then of each decoy: the percentage of the document's haystack tokens that
    stand in front of it. tokens: of the whole prompt.
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
    """Ids for scoring without generating: the prompt, the beginning of its answer, and a right and a wrong end."""

    prompt_ids: list[int]
    prefix_ids: list[int]
    answer_ids: list[int]
    wrong_ids: list[int]


class Builder:
    """Builds prompts from one haystack with one tokenizer.

    Args:
        max_new_tokens: tokens of each cell's length that are kept free for the answer.
        own: the user's own needle, for cells of the task `single`.
        system: the system message; empty for none.
    """

    def __init__(
        self, haystack: Haystack, encoder: Encoder, max_new_tokens: int, *, own: Item | None = None, system: str = ""
    ) -> None:
        self.haystack, self.encoder, self.max_new_tokens = haystack, encoder, max_new_tokens
        self._own, self._system = own, system
        self._splices = haystack.exact
        self._compared: set[int] = set()  # lengths of which one prompt was also encoded whole

    def frame(self, language: str) -> Frame:
        """The text around the documents of a language."""
        return Frame(WORDINGS[language].document, self._system)

    def draft(self, cell: Cell) -> Draft:
        """Choose the cell's item, the span of its document, and the places of its needles.

        Raises:
            UserError: the cell's length is too small, or see `make_item`.
        """
        item = make_item(cell, self.haystack.holds, self._own)
        return self._fit(cell, item, self._count)

    def finish(self, draft: Draft) -> Prompt:
        """Encode a draft's prompt. With the answer's room it fills the cell's length, as far as whole words allow.

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
        """The messages of a draft's prompt: the system message, if there is one, and the user's."""
        return draft.frame.messages(document(draft, self.haystack.text), draft.item.question)

    def forced(self, prompt: Prompt) -> ForcedIds:
        """Ids for teacher forcing.

        `prefix_ids + answer_ids` are the ids of the full right answer, and `prefix_ids + wrong_ids` of the wrong one.

        Raises:
            UserError: see `Encoder.answer`.
        """
        item = prompt.item
        right, wrong = (self.encoder.answer(item.prefix + text) for text in (item.answer, item.wrong))
        alone = self.encoder.answer(item.prefix.rstrip()) if item.prefix else []
        kept = min(_common(right, alone), _common(right, wrong))
        return ForcedIds(prompt.input_ids, right[:kept], right[kept:], wrong[kept:])

    # How long a document may be

    def _fit(self, cell: Cell, item: Item, count: Callable[[Draft], int]) -> Draft:
        """The draft with the longest document that fits, cut at the end of a word; `count` gives a draft's tokens."""
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
        """The character at which a document of so many tokens ends that begins with the haystack's token `first`."""
        return int(self.haystack.ends[first + max(tokens, MIN_DOCUMENT // 2) - 1])

    def _room(self, cell: Cell, item: Item, budget: int) -> int:
        """A first estimate of the haystack tokens that fit beside question, chat format and hidden sentences."""
        empty = len(self.encoder.prompt(self.frame(cell.language).messages("", item.question)))
        hidden = sum(len(self.encoder.tokens(text)[0]) for text in (*item.needles, *item.decoys))
        if budget - empty - hidden < MIN_DOCUMENT:
            raise UserError(
                f"lengths: {cell.length} tokens are too few: question and chat format take {empty}, needles {hidden}, "
                f"the answer's room {self.max_new_tokens} (--max_new_tokens) and the text {MIN_DOCUMENT} at least"
            )
        return budget - empty - hidden

    def _lay_out(self, cell: Cell, item: Item, start: int, stop: int) -> Draft:
        """A draft whose document goes from `start` to the last word before `stop`; its tokens are not counted.

        Each needle stands at the boundary of sentences that is nearest to its depth.
        """
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
        """How many tokens the document's next word would add."""
        hay = self.haystack
        after = next_word_end(hay.text, draft.end)
        first, last = np.searchsorted(hay.starts, (draft.end, after))
        return max(int(last - first), 1)

    # Tokens, counted and made

    def _ids(self, draft: Draft, messages: list[Message]) -> list[int]:
        """The ids of a draft's prompt: spliced if that is certain to be right, else by encoding the whole prompt.

        The first prompt of each length is encoded in both ways; if they differ, splicing is not used any more.
        """
        spliced = self._splice(draft) if self._splices else None
        if spliced is None or not self._is_same_frame(draft, messages, spliced.short):
            return self.encoder.prompt(messages)
        ids = spliced.ids()
        if draft.cell.length not in self._compared:
            self._compared.add(draft.cell.length)
            whole = self.encoder.prompt(messages)
            if ids != whole:
                log.warning("spliced ids are not those of the whole prompt; from now on prompts are encoded whole")
                self._splices = False
            return whole
        return ids

    def _is_same_frame(self, draft: Draft, messages: list[Message], short: str) -> bool:
        """Whether the chat format renders the whole document as it does the short one, and leaves both as they are."""
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
    """The document as (start, end, text): ``haystack[start:end]``, then an inserted text ("" behind the last span)."""
    edges = [draft.start, *draft.offsets, draft.end]
    return list(zip(edges, edges[1:], (*draft.texts, ""), strict=False))


def document(draft: Draft, haystack: str | Source) -> str:
    """The text of a draft's document. `haystack`: the endless text, or the source of it."""
    return "".join(haystack[start:end] + text for start, end, text in cuts(draft))


def around(draft: Draft, haystack: str | Source, reach: int = 150) -> list[str]:
    """Each needle with `reach` characters of the document before and behind it."""
    text = document(draft, haystack)
    places = [(text.find(needle), len(needle)) for needle in draft.item.needles]
    return [text[max(0, at - reach) : at + length + reach] for at, length in places]


def messages_sha256(messages: list[Message]) -> str:
    """Hash of messages, as JSON."""
    return hashlib.sha256(json.dumps(messages, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def ids_sha256(ids: list[int]) -> str:
    """Hash of ids, as little-endian int32."""
    return hashlib.sha256(np.array(ids, dtype="<i4").tobytes()).hexdigest()


def grid(lengths: list[int], depths: list[float], seeds: int, task: str = "single", language: str = "en") -> list[Cell]:
    """The cells of every length, depth and seed, shortest first."""
    return [
        Cell(length, depth, seed, task, language)  # type: ignore[arg-type]
        for length in sorted(lengths)
        for depth in sorted(depths)
        for seed in range(seeds)
    ]


def _common(a: list[int], b: list[int]) -> int:
    """How many ids two lists have in common at their beginning."""
    return bisect_left(range(min(len(a), len(b))), True, key=lambda n: a[: n + 1] != b[: n + 1])
