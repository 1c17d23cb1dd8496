"""Encoding texts so that nothing a message says can put a control token into a sequence.

`tokenizers` looks for special tokens such as `</s>` or `<|im_end|>` in every text that it encodes. So the encoder uses
copies of the tokenizer's backend: one as it is, for what a chat template itself writes, and one without the control
tokens, for what people wrote.
"""

import json
import re
import unicodedata
from bisect import bisect_left
from functools import cached_property
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from longalign.chat import joints, standalone
from longalign.chat.joints import parts
from longalign.errors import UserError

# Some tokenizers (DeepSeek's) add their role marks as ordinary tokens: these count as control tokens, too. Other added
# tokens, such as <think> or <tool_call>, are text.
_ROLE_MARK = re.compile(r"<[|｜].*[|｜]>", re.DOTALL)

_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode's white space, which `tokenizers` strips; Python's `strip` also takes U+001C to U+001F."""

_HIDDEN = "\0\uffff"  # a prefix that turns a vocabulary entry into one that matches no text

Span = tuple[int, int]
Mark = tuple[int, int, dict[str, Any]]  # start, end, the control token's entry


def _tokenizer(state: dict[str, Any], *, control_is_text: bool = True) -> Tokenizer:
    backend = Tokenizer.from_str(json.dumps(state))
    backend.encode_special_tokens = control_is_text
    return backend


class Piece(NamedTuple):
    """A part of a rendered text: either a control token, with its id, or a text to encode (token_id None).

    prefix: whether the text is encoded with a word-start mark in front.
    """

    start: int
    end: int
    token_id: int | None
    prefix: bool


class TextEncoder:
    """Encodes texts with copies of a tokenizer's backend, which are made when first needed. Picklable.

    Attributes:
        control: the control tokens by name, each as its entry of tokenizer.json. control_ids: their ids.
        alone: those, by id, that are recognised only where they stand alone (see the module `standalone`).
        prefix_scheme: when a word-start mark is put in front of a text, see `_prefix_scheme`.
        spaced: the names of those that are recognised only behind a space or where a text begins.
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            name = type(tokenizer).__name__
            raise UserError(f"tokenizer {name} has no `tokenizers` backend (tokenizer.json); data.tokenizer needs one")
        state = json.loads(backend.to_str())
        # without a post-processor, a token's offsets include its white space
        self._state = state | {"truncation": None, "padding": None, "post_processor": None}
        added = state["added_tokens"]
        self.control = {t["content"]: t for t in added if t["special"] or _ROLE_MARK.fullmatch(t["content"])}
        self._names = {t["id"]: name for name, t in self.control.items()}
        self.control_ids = frozenset(self._names)
        marks = any(map(standalone.is_marking, parts(state["normalizer"])))
        self.alone = {t["id"]: t for t in self.control.values() if marks and t["normalized"]}
        self.prefix_scheme = _prefix_scheme(state)
        self.spaced = [name for name, t in self.control.items() if not marks and _is_spaced(state, t)]
        self._opening = frozenset(t["id"] for t in added if t["content"] not in self.control and _opens(state, t))
        self.unknown = tokenizer.unk_token_id, tokenizer.unk_token or ""  # may stand for any text

    def __getstate__(self) -> dict[str, Any]:
        copies = {"_as_is", "_plain", "_segment", "_continuing"}
        return {key: value for key, value in self.__dict__.items() if key not in copies}

    # The four copies of the backend. Where two would be equal they are one object.

    @cached_property
    def _as_is(self) -> Tokenizer:
        """The backend as it is, for what a template writes: it recognises control tokens."""
        return _tokenizer(self._state, control_is_text=False)

    @cached_property
    def _plain(self) -> Tokenizer:
        """The backend without control tokens, with its own rule for the word-start mark."""
        return _tokenizer(_without_control(self._state, self.control))

    @cached_property
    def _segment(self) -> Tokenizer:
        """Without control tokens; always a word-start mark in front, as sentencepiece encodes a text of its own."""
        metaspace = any(part["type"] == "Metaspace" for part in parts(self._state["pre_tokenizer"]))
        if not metaspace or self.prefix_scheme == "never":
            return self._plain
        state = _without_prefix(_without_control(self._state, self.control))
        # Metaspace puts no mark in front of a text that starts with a space; sentencepiece does
        prepend = {"type": "Prepend", "prepend": "▁"}
        normalizers = [*parts(state["normalizer"]), prepend]
        return _tokenizer(state | {"normalizer": {"type": "Sequence", "normalizers": normalizers}})

    @cached_property
    def _continuing(self) -> Tokenizer:
        """Without control tokens; never a word-start mark in front, for a text that continues another one."""
        if self.prefix_scheme == "never":
            return self._plain
        return _tokenizer(_without_prefix(_without_control(self._state, self.control)))

    @cached_property
    def _joints_are_exact(self) -> bool:
        return joints.are_exact(self._state)

    def joins(self, text: str) -> bool:
        """Whether any text that contains `text` may be cut at the joints of `text` without a change of ids.

        Joints are the matches of `joints.JOINT`. Here the whole text is encoded with control tokens, so `text` must
        not hold the name of one.
        """
        composed = unicodedata.normalize("NFC", text)  # a name may appear by normalisation: the Kelvin sign becomes K
        return self._joints_are_exact and not self._control_pattern.search(composed) and standalone.MARK not in text

    def encodes_in_parts(self, text: str) -> bool:
        """Whether a text may be cut at its joints (`joints.JOINT`) without a change of the ids that `encode` gives."""
        return self._joints_are_exact and standalone.MARK not in text

    def encode(self, text: str, *, continuing: bool = False) -> list[int]:
        """The ids of a text that is encoded on its own, with a word-start mark in front as sentencepiece has it.

        continuing: without that mark, as the text continues another one.
        """
        backend = self._continuing if continuing else self._segment
        return backend.encode(text, add_special_tokens=False).ids

    def offsets(self, text: str) -> list[Span]:
        """The character span of each token of a text."""
        return self._segment.encode(text, add_special_tokens=False).offsets

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[Span]]:
        """The ids of a text, as from `encode`, and the character span of each."""
        encoding = self._segment.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def encode_rendered(self, text: str, content: list[Span], cuts: list[int]) -> tuple[list[int], list[Span], bool]:
        """Encode a text that a chat template rendered.

        The text is encoded in one piece, as a server does it. There are two exceptions, in which it is encoded in
        several: control tokens would be recognised in what people wrote, or a token would reach over the end of a
        prompt, where a model that generates has only the prompt's own tokens.

        Args:
            content: the spans of what people wrote, sorted.
            cuts: the ends of prompts, sorted.

        Returns:
            (ids, character span of each, whether `content` has the text of a control token).
        """
        encoding = self._as_is.encode(text, add_special_tokens=False)
        ids, offsets = encoding.ids, encoding.offsets
        literal = self._has_literal(text, ids, offsets, content)
        whole = self._state["model"]["type"] != "Unigram"  # a Unigram model may segment a prefix in another way
        if not literal and all(whole and _is_boundary(offsets, cut) for cut in cuts):
            return ids, offsets, False
        return *self.encode_pieces(text, content, cuts), literal

    def encode_pieces(self, text: str, content: list[Span], cuts: list[int]) -> tuple[list[int], list[Span]]:
        """Encode a rendered text in pieces, between control tokens and cuts: the slow path of `encode_rendered`.

        Without cuts, and without control tokens in the content, the ids are those of the text in one piece.
        """
        ids: list[int] = []
        offsets: list[Span] = []
        for piece in self._pieces(text, content, cuts):
            if piece.token_id is not None:
                ids.append(piece.token_id)
                offsets.append((piece.start, piece.end))
                continue
            opened = piece.prefix or (bool(ids) and ids[-1] in self._opening)
            encode = self._encode_plain if opened else self._encode_continuing
            more, spans = encode(text[piece.start : piece.end])
            ids += more
            offsets += [(piece.start + start, piece.start + end) for start, end in spans]
        return ids, offsets

    def _encode_plain(self, text: str) -> tuple[list[int], list[Span]]:
        encoding = self._plain.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def _encode_continuing(self, text: str) -> tuple[list[int], list[Span]]:
        """Without a word-start mark in front, but with those behind ordinary added tokens."""
        encoding = self._continuing.encode(text, add_special_tokens=False)
        first = next((k for k, token_id in enumerate(encoding.ids) if token_id in self._opening), None)
        if first is None:
            return encoding.ids, encoding.offsets
        begin = encoding.offsets[first][0]
        ids, offsets = self._encode_plain(text[begin:])
        shifted = [(begin + start, begin + end) for start, end in offsets]
        return encoding.ids[:first] + ids, encoding.offsets[:first] + shifted

    def _has_literal(self, text: str, ids: list[int], offsets: list[Span], content: list[Span]) -> bool:
        controls = ((token_id, offsets[k]) for k, token_id in enumerate(ids) if token_id in self.control_ids)
        return any(
            _overlaps(content, self._name_span(token_id, text, span))
            and (token_id != self.unknown[0] or self.unknown[1] in text[slice(*span)])
            for token_id, span in controls
        )

    def _name_span(self, token_id: int, text: str, span: Span) -> Span:
        """A control token's span without the white space that it has taken in (`lstrip`, `rstrip`)."""
        name = self._names[token_id]
        start = text.find(name, *span)
        return span if start < 0 else (start, start + len(name))

    def _pieces(self, text: str, content: list[Span], cuts: list[int]) -> list[Piece]:
        marks = self._control_marks(text, content)
        pieces: list[Piece] = []
        start, prefix = 0, self.prefix_scheme != "never"
        for mark_start, mark_end, token in [*marks, (len(text), len(text), None)]:
            end = mark_start
            if token and token["lstrip"]:
                end = start + len(text[start:mark_start].rstrip(_WHITE))
            for stop in [cut for cut in cuts if start < cut < end] + [end]:
                if stop > start:
                    pieces.append(Piece(start, stop, None, prefix))
                start, prefix = stop, False
            if token:
                pieces.append(Piece(mark_start, mark_end, token["id"], False))
                start, prefix = mark_end, self.prefix_scheme == "always"
                if token["rstrip"]:
                    start = len(text) - len(text[mark_end:].lstrip(_WHITE))
        return pieces

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        anywhere = (name for name, token in self.control.items() if token["id"] not in self.alone)
        longest_first = sorted(anywhere, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def match_control(self, text: str) -> tuple[int, int] | None:
        """If a text starts with a control token, maybe behind white space: (length of both, the token's id)."""
        space = len(text) - len(text.lstrip(_WHITE))
        match = self._control_pattern.match(text, space)
        return (match.end(), self.control[match.group()]["id"]) if match else None

    def _control_marks(self, text: str, content: list[Span]) -> list[Mark]:
        found, position = [], 0
        for start, end in [*content, (len(text), len(text))]:
            found += list(self._control_pattern.finditer(text, position, max(start, position)))
            position = max(end, position)
        marks: list[Mark] = [(match.start(), match.end(), self.control[match.group()]) for match in found]
        if not self.alone:
            return marks
        between = zip([0, *(end for _, end, _ in marks)], [*(start for start, _, _ in marks), len(text)], strict=True)
        return sorted(
            [*marks, *(mark for start, end in between for mark in self._leading_marks(text, start, end, content))],
            key=lambda mark: mark[0],
        )

    def _leading_marks(self, text: str, start: int, end: int, content: list[Span]) -> list[Mark]:
        """The standalone tokens at the start of the segment from `start` to `end`, in what the template wrote."""
        reach = sum(len(token["content"]) for token in self.alone.values())
        marks: list[Mark] = []
        for token_id in self._as_is.encode(text[start : min(start + reach, end)], add_special_tokens=False).ids:
            token = self.alone.get(token_id)
            if token is None:
                break
            marks.append((start, start + len(token["content"]), token))
            start = marks[-1][1]
        return [] if any(_overlaps(content, mark[:2]) for mark in marks) else marks


def _is_boundary(offsets: list[Span], cut: int) -> bool:
    after = bisect_left(offsets, (cut, -1))
    starts_here = after == len(offsets) or offsets[after][0] == cut
    return starts_here and (after == 0 or offsets[after - 1][1] <= cut)


def _overlaps(spans: list[Span], span: Span) -> bool:
    before = bisect_left(spans, (span[1], -1))  # spans[before:] start at or after its end
    return before > 0 and spans[before - 1][1] > span[0]


def _prefix_scheme(state: dict[str, Any]) -> str:
    """When the backend puts a word-start mark in front of a piece of text.

    "always"; "first": only at the start of the whole text, not behind a special token; or "never".
    """
    for part in parts(state["normalizer"]):
        if part["type"] == "Prepend":
            return "always"
    for part in parts(state["pre_tokenizer"]):
        if part["type"] == "Metaspace":
            return part["prepend_scheme"]
        if part["type"] == "ByteLevel" and part["add_prefix_space"]:
            return "always"
    return "never"


def _opens(state: dict[str, Any], token: dict[str, Any]) -> bool:
    """Whether the backend puts a word-start mark behind an added token."""
    return _prefix_scheme(state) == "always" and not _is_spaced(state, token)


def _is_spaced(state: dict[str, Any], token: dict[str, Any]) -> bool:
    """Whether an added token is recognised only behind a word-start mark, as `Prepend` adds one to its name, too."""
    return token["normalized"] and any(part["type"] == "Prepend" for part in parts(state["normalizer"]))


def _without_prefix(state: dict[str, Any]) -> dict[str, Any]:
    texts = [token for token in state["added_tokens"] if not token["special"]]
    spaced = "|".join(re.escape(token["content"]) for token in texts if _is_spaced(state, token))
    # the names of these tokens are normalized, too, and must keep the mark
    unmark = {"type": "Replace", "pattern": {"Regex": rf"\A▁(?!(?:{spaced})\z)"}, "content": ""}
    normalizers = []
    for part in parts(state["normalizer"]):
        if part["type"] != "Prepend":
            normalizers.append(part)
        elif spaced:
            normalizers += [part, unmark]
    never: dict[str, dict[str, Any]] = {
        "Metaspace": {"prepend_scheme": "never"},
        "ByteLevel": {"add_prefix_space": False},
    }
    splits = [part | never.get(part["type"], {}) for part in parts(state["pre_tokenizer"])]
    normalizer = {"type": "Sequence", "normalizers": normalizers} if normalizers else None
    pre_tokenizer = {"type": "Sequence", "pretokenizers": splits} if splits else None
    return state | {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer}


def _without_control(state: dict[str, Any], control: dict[str, Any]) -> dict[str, Any]:
    """The backend's state with control tokens that no text can give, neither by merges nor by look-up.

    All control tokens are marked as special, so that `encode_special_tokens` has the backend ignore them in texts.
    """
    model = dict(state["model"])
    hidden: dict[str, str] = {}
    if model["type"] == "BPE":
        merges = ((merge, merge if isinstance(merge, list) else merge.split(" ")) for merge in model["merges"])
        model["merges"] = [merge for merge, pair in merges if "".join(pair) not in control]
    if model["type"] == "Unigram":
        hidden = {token: _HIDDEN + token for token in control}
        model["vocab"] = [[hidden.get(piece, piece), score] for piece, score in model["vocab"]]
    elif model.get("ignore_merges"):
        hidden = {token: _HIDDEN + token for token in control if token != model.get("unk_token")}
        model["vocab"] = {hidden.get(piece, piece): token_id for piece, token_id in model["vocab"].items()}
    added = [
        token | {"content": hidden.get(token["content"], token["content"]), "special": token["content"] in control}
        for token in state["added_tokens"]
    ]
    steps = [part for part in parts(state["normalizer"]) if not standalone.is_marking(part)]
    normalizer = {"type": "Sequence", "normalizers": steps} if steps else None
    return state | {"model": model, "added_tokens": added, "normalizer": normalizer}
