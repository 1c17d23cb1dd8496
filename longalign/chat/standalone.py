"""Special tokens that are recognised only where they stand alone, as ChatGLM's `sop`, which is also in "philosophy".

How it works: the tokenizer's normalizer puts a mark, a character that no text has, in front of a name that is the whole
text (or everything between two tokens such as `<|user|>`, which are recognised anywhere), and in front of the two names
that open a sequence. The special tokens are added with `normalized=True`, so that the same normalizer marks their names
too. Thus they match a marked name and nothing else.

Some releases of `tokenizers` (0.23) decode such a token to its marked name and do not treat it as special. Therefore
the decoder removes marked names, as sentencepiece does with its control symbols.
"""

import re
from typing import Any

from tokenizers import AddedToken, Regex, decoders, normalizers

MARK, _OTHER = "\ufdd0", "\ufdd1"  # Unicode noncharacters, which texts do not use


def added_tokens(names: list[str]) -> list[AddedToken]:
    """The special tokens to add to the tokenizer for these names."""
    return [AddedToken(name, special=True, normalized=True) for name in names]


def marking(names: list[str], opening: tuple[str, ...]) -> list[normalizers.Normalizer]:
    """Normalizer steps that mark names, to be put behind Prepend("▁").

    Args:
        names: of all tokens that are recognised alone.
        opening: those of them that open a sequence; the "▁" of the text goes behind them.

    With * for the mark: "▁sop" -> "*sop"; "▁a sop" does not change; "▁[gMASK]sop" -> "*[gMASK]*sop";
    "▁[gMASK]sopHi" -> "*[gMASK]*sop▁Hi".
    """
    alone = "|".join(map(re.escape, names))
    opened = re.escape("".join(opening))
    marked = "".join(MARK + name for name in opening)
    return [
        normalizers.Replace(MARK, _OTHER),  # a mark that is in the text must not make a name of it
        normalizers.Replace(Regex(rf"\A▁(?=(?:{alone})\z)"), MARK),
        normalizers.Replace(Regex(rf"\A▁{opened}\z"), marked),
        normalizers.Replace(Regex(rf"\A▁{opened}"), marked + "▁"),
    ]


def unmarking() -> decoders.Decoder:
    """The decoder step that removes marked names; it comes first."""
    return decoders.Replace(Regex(f"{MARK}.*"), "")


def is_marking(normalizer: dict[str, Any]) -> bool:
    """Whether a normalizer step of a tokenizer.json is one of those that `marking` makes."""
    return normalizer["type"] == "Replace" and normalizer["content"].startswith((MARK, _OTHER))
