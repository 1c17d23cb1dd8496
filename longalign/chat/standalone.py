"""Special tokens whose names are text, except where nothing else stands: ChatGLM's `sop` is part of "philosophy".

The tokenizer's normalizer puts a mark in front of a name that is all of a text (or of what stands between two tokens
found anywhere, such as `<|user|>`), and in front of the two names that open a sequence. Added tokens with
`normalized=True` go through the same normalizer, so that they match a marked name and nothing else.

Some releases of `tokenizers` (0.23) decode such a token to its marked name, and do not know it for a special one. So
the decoder leaves marked names out, as sentencepiece leaves out its control symbols.
"""

import re
from typing import Any

from tokenizers import AddedToken, Regex, decoders, normalizers

MARK, _OTHER = "\ufdd0", "\ufdd1"  # noncharacters, which are not for texts


def added_tokens(names: list[str]) -> list[AddedToken]:
    """The added tokens for these names."""
    return [AddedToken(name, special=True, normalized=True) for name in names]


def marking(names: list[str], opening: tuple[str, ...]) -> list[normalizers.Normalizer]:
    """Steps to follow Prepend("▁"); `opening` are names that open a text, and "▁" comes after them.

    "▁sop" -> "*sop", "▁a sop" stays, "▁[gMASK]sop" -> "*[gMASK]*sop", "▁[gMASK]sopHi" -> "*[gMASK]*sop▁Hi" (*: mark)
    """
    alone = "|".join(map(re.escape, names))
    opened = re.escape("".join(opening))
    marked = "".join(MARK + name for name in opening)
    return [
        normalizers.Replace(MARK, _OTHER),  # a text that has it after all must not pass for a name
        normalizers.Replace(Regex(rf"\A▁(?=(?:{alone})\z)"), MARK),
        normalizers.Replace(Regex(rf"\A▁{opened}\z"), marked),
        normalizers.Replace(Regex(rf"\A▁{opened}"), marked + "▁"),
    ]


def unmarking() -> decoders.Decoder:
    """The first step of the decoder."""
    return decoders.Replace(Regex(f"{MARK}.*"), "")


def is_marking(normalizer: dict[str, Any]) -> bool:
    """Whether a step of a normalizer, as tokenizer.json has it, is one of `marking`."""
    return normalizer["type"] == "Replace" and normalizer["content"].startswith((MARK, _OTHER))
