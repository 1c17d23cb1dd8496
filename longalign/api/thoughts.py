"""What of a reply is the answer: models may think aloud first."""

_MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
}


def split_thoughts(text: str) -> tuple[str, str]:
    """(thoughts, answer) of a model that thinks aloud before it answers; unfinished thoughts leave no answer.

    A `</think>` may come without its beginning, which some chat formats put into the prompt.
    """
    said = text.lstrip()
    opening = next((mark for mark in _MARKS if said.startswith(mark)), "<think>")
    if _MARKS[opening] in text:
        thoughts, _, answer = text.rpartition(_MARKS[opening])
        return thoughts.replace(opening, "", 1).strip(), answer.strip()
    if said.startswith(opening):
        return said.removeprefix(opening).strip(), ""
    return "", text
