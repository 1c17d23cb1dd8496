"""A number with its noun, for lines that people read."""


def counted(number: int, noun: str) -> str:
    """1, "row" -> "1 row"; 1200, "row" -> "1,200 rows". The noun is one whose plural ends in s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
