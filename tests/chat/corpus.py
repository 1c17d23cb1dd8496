"""Random texts as a tokenizer meets them: English, Chinese, code, emoji, rare characters, names of control tokens."""

from random import Random

CONTROL_NAMES = ["<unk>", "<s>", "</s>", "[MASK]", "[gMASK]", "[sMASK]", "sop", "eop", "[gMASK]sop"]
_EMOJI = ["😀", "👩‍🚀", "🏳️‍🌈", "👍🏽", "🇫🇷", "❤️"]
_RARE = [
    "\u0301",
    "\u200b",
    "\u3000",
    "\ufeff",
    "\x07",
    "\x7f",
    "ﬁ",
    "Ⅷ",
    "½",
    "\U00020000",
    "\U0010fffd",
    "ỹ",
    "ß",
    "א",
    "ก",
]
_CODE = [
    "def ",
    "return ",
    "    ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "{}",
    "()",
    "=>",
    "!=",
    "</",
    "<p>",
    "0x1F",
    "3.14",
    "2026",
    "//",
]
_PARTS = ["a", "e", "i", "o", "u", "th", "st", "r", "n", "l", "so", "op", "p", "eo", "ing", "er", "ph", "y", "k", "m"]


def words(random: Random, count: int = 2000) -> list[str]:
    return ["".join(random.choices(_PARTS, k=random.randint(1, 5))) for _ in range(count)]


def text(random: Random, vocabulary: list[str], length: int, names: list[str] = CONTROL_NAMES) -> str:
    """A text of `length` parts; every kind of part meets every other, with space between them or none."""
    kinds = [
        lambda: random.choice(vocabulary),
        lambda: random.choice(vocabulary).title(),
        lambda: "".join(chr(0x4E00 + int(random.expovariate(0.01)) % 20000) for _ in range(random.randint(1, 6))),
        lambda: random.choice("，。：？！、（）“”.,:;?!-_'\"<>[]|/\\"),
        lambda: random.choice(_CODE),
        lambda: random.choice(_EMOJI),
        lambda: random.choice(_RARE),
        lambda: str(random.randint(0, 10 ** random.randint(1, 6))),
        lambda: random.choice(names),
        lambda: " " * random.randint(1, 9),
    ]
    chosen = random.choices(kinds, weights=[40, 8, 20, 10, 8, 1, 1, 4, 4, 4], k=length)
    return "".join(kind() + random.choice(["", " "]) for kind in chosen)
