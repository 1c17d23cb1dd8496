"""Finding places where a long text can be cut so that the ids of its parts, joined, are the ids of the whole.

A *joint* is the position between a letter and a character that surely begins another token: a space with a letter
behind it, or a full-width comma or stop. With two kinds of BPE tokenizers the ids on one side of a joint do not depend
on the text on the other side:

- The tokenizer splits texts into pre-tokens, by a pattern whose alternatives are all among `_RUNS` below. Then a
  pre-token ends at each joint, because no alternative matches a letter followed by a space or a full-width mark; and
  where it ends is decided by the next character alone, because none looks behind or further ahead than one character.
- The tokenizer makes no pre-tokens (sentencepiece), and no entry of its vocabulary contains a joint. Then no merge
  reaches over a joint, so the merges on its two sides are independent.

For all other tokenizers (Unigram, WordPiece, unknown patterns or normalizers) the answer here is "not known".
"""

import re
from typing import Any

from longalign.chat import standalone

_LETTER = (
    r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0400-\u0481\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
)
_MARKS = "，。、"
JOINT = re.compile(rf"(?<=[{_LETTER}])(?= [{_LETTER}]|[{_MARKS}])")

_INSIDE = re.compile(rf"[{_LETTER}>][▁ {_MARKS}]")  # a joint in a vocabulary entry; ">" ends a byte token, <0xE4>

_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_RUNS = frozenset(
    [
        "C", r"\p{N}", r"\p{N}{1,3}", r"\s+(?!\S)", r"\s+", r"\s*[\r\n]+",  # C: the contraction
        r"[^\r\n\p{L}\p{N}]?\p{L}+", r" ?[^\s\p{L}\p{N}]+[\r\n]*",  # GPT-4's, Llama 3's, GLM-4's, Qwen's
        r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+", r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",  # Qwen's later ones
        *(rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{end}" for end in ("", "C?")),  # GPT-4o's, Mistral's
        *(rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{end}" for end in ("", "C?")),
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    ]
)  # fmt: skip
"""Alternatives of the patterns by which tokenizers split texts into pre-tokens. GPT-2's are built into `ByteLevel`."""


def are_exact(state: dict[str, Any]) -> bool:
    """Whether a tokenizer is surely of one of the two kinds, so that texts without control tokens can be cut at joints.

    state: the content of its tokenizer.json.
    """
    model = state["model"]
    if model["type"] != "BPE" or model.get("dropout") or not all(map(_keeps_joints, parts(state["normalizer"]))):
        return False
    for token in state["added_tokens"]:
        name = token["content"]
        if JOINT.search(name) or (token["rstrip"] and re.search(rf"[{_LETTER}]\Z", name)):
            return False
    splits = parts(state["pre_tokenizer"])
    if all(part["type"] == "Metaspace" and part["replacement"] == "▁" for part in splits):
        return not _joins_unknown(model) and not any(map(_INSIDE.search, model["vocab"]))
    return all(map(_is_known_split, splits)) and any(map(_splits_joints, splits))


def parts(component: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer of a tokenizer.json: those of a `Sequence`, or the one that it is."""
    if component is None:
        return []
    sequence = component["type"] == "Sequence"
    return component["normalizers" if "normalizers" in component else "pretokenizers"] if sequence else [component]


def _joins_unknown(model: dict[str, Any]) -> bool:
    """Whether neighbouring characters that are not in the vocabulary may become one unknown token."""
    every_byte = model["byte_fallback"] and all(f"<0x{byte:02X}>" in model["vocab"] for byte in range(256))
    return model["fuse_unk"] and not every_byte


def _keeps_joints(normalizer: dict[str, Any]) -> bool:
    if normalizer["type"] == "Replace":
        marks_spaces = (normalizer["pattern"], normalizer["content"]) == ({"String": " "}, "▁")
        return marks_spaces or standalone.is_marking(normalizer)
    return normalizer["type"] in ("NFC", "Prepend")  # nothing composes with a space or a full-width mark


def _is_known_split(part: dict[str, Any]) -> bool:
    return part["type"] in ("ByteLevel", "Digits") or _splits_joints(part)


def _splits_joints(part: dict[str, Any]) -> bool:
    if part["type"] == "ByteLevel":
        return part["use_regex"]
    if part["type"] != "Split":
        return False
    isolates = (part["behavior"], part["invert"]) in (("Isolated", False), ("Removed", True))
    pattern = part["pattern"].get("Regex", "").replace(_CONTRACTION, "C")
    return isolates and _RUNS.issuperset(pattern.split("|"))
