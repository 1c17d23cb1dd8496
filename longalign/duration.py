"""A time span in words, for lines that people read."""

import math


def duration(seconds: float) -> str:
    """3750 -> "1 h 2 min"; 75 -> "1 min 15 s"; 8.4 -> "8 s"; "?" for infinity and NaN."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
