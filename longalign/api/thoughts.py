"""Separating the answer of a reply from the thoughts that some models write in front of it."""

_MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
}


def split_thoughts(text: str) -> tuple[str, str]:
    """Split a reply into (thoughts, answer). The answer is empty if the thoughts have no end mark.

    A reply may have an end mark only: some chat formats put the opening `<think>` into the prompt.
    """
    said = text.lstrip()
    opening = next((mark for mark in _MARKS if said.startswith(mark)), "<think>")
    if _MARKS[opening] in text:
        thoughts, _, answer = text.rpartition(_MARKS[opening])
        return thoughts.replace(opening, "", 1).strip(), answer.strip()
    if said.startswith(opening):
        return said.removeprefix(opening).strip(), ""
    return "", text
