"""What of a reply is the answer: models may think aloud first."""

_THOUGHTS_END = "</think>"


def split_thoughts(text: str) -> tuple[str, str]:
    """(thoughts, answer) of a model that thinks aloud before it answers; unfinished thoughts leave no answer."""
    if _THOUGHTS_END in text:
        thoughts, _, answer = text.rpartition(_THOUGHTS_END)
        return thoughts.replace("<think>", "", 1).strip(), answer.strip()
    if text.lstrip().startswith("<think>"):
        return text.lstrip().removeprefix("<think>").strip(), ""
    return "", text
