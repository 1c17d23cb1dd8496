"""The judge's prompts, and how a rating is read from its reply; a reply without a clear rating has none.

The templates are text files of our own in the format of LongBench-Chat's ``prompt_fs.txt``. They have slots ``{}`` for
the question, the reference, an answer and a rating of each example, and last the answer to rate. The published file can
be given instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longalign.api.thoughts import split_thoughts
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case, Rated, row_key

SYSTEM = "You judge the quality of texts, fairly and by the rules that you are given."

SCALES = {"few_shot": (1, 10), "zero_shot": (1, 10), "qa": (1, 3), "summary": (1, 5)}
"""Presets and the range of their ratings: LongBench-Chat's judge, the same without examples, and LongBench's judges for
questions and for summaries."""

_MARK = re.compile(r"\[([^\[\]{}\n]*(?:begins?|ends?))\]")
_RATING_LINE = re.compile(r"^\W*rating\W*?[:：]\W*?(\d+)\W*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class JudgePrompt:
    """A template, cut at its slots into `parts`, with its system message and the lowest and highest rating."""

    parts: tuple[str, ...]
    system: str
    scale: tuple[int, int]

    @property
    def examples(self) -> int:
        """How many rated examples the prompt shows."""
        return (len(self.parts) - 4) // 2

    @property
    def key(self) -> str:
        """A hash of template, system message and scale."""
        return row_key("template", self.parts, self.system, self.scale)

    def messages(self, case: Case, few_shots: Sequence[Rated], answer: str) -> list[dict[str, str]]:
        """System and user message. ``answer`` is inserted as it is, with its newlines."""
        slots = [case.query, case.answer]
        for shot in few_shots[: self.examples]:
            slots += [shot.answer, str(shot.score)]
        slots.append(answer)
        assert len(slots) == len(self.parts) - 1
        text = "".join(part + slot for part, slot in zip(self.parts, slots, strict=False)) + self.parts[-1]
        return [{"role": "system", "content": self.system}, {"role": "user", "content": text}]

    def without_marks(self, answer: str) -> str:
        """``answer`` with the template's marks, such as ``[… ends]``, in round brackets.

        An answer that holds such a mark could otherwise look as if it ended there.
        """
        for name in {match for part in self.parts for match in _MARK.findall(part)}:
            answer = answer.replace(f"[{name}]", f"({name})")
        return answer


def load_prompt(preset: str = "few_shot", template: str | None = None, system: str | None = None) -> JudgePrompt:
    """A preset's prompt. ``template``: a file to use in place of the preset's text; the scale stays.

    Raises:
        UserError: the preset is unknown, or the file cannot be read or has a wrong number of slots.
    """
    if preset not in SCALES:
        raise UserError(f"preset: got {preset!r}, expected one of {', '.join(SCALES)}")
    path = Path(__file__).with_name(f"{preset}.txt") if template is None else Path(template).expanduser()
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise UserError(f"template: {template}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"template: {template} is not UTF-8 text (byte {error.start})") from error
    # the last newline is the editor's: the prompt must end in "Rating: ", where the judge goes on
    parts = tuple(text.removesuffix("\n").split("{}"))
    if len(parts) < 4 or len(parts) % 2:
        raise UserError(
            f"template: {template} has {len(parts) - 1} slots {{}}, expected 3 (question, reference, answer) and two "
            "more for each rated example: 9 in LongBench-Chat's prompt_fs.txt"
        )
    return JudgePrompt(parts, SYSTEM if system is None else system, SCALES[preset])


def parse_rating(text: str, scale: tuple[int, int]) -> int | None:
    """The rating in a judge's reply; None if it cannot be read, or is not within the scale.

    It is the whole number in the last ``[[n]]``. In a reply without ``[[`` it is that of the last line ``Rating: n``,
    or the reply itself if it is only a number. Thoughts in front of the reply are not read.
    """
    text = split_thoughts(text)[1]
    bracketed = re.findall(r"\[\[(.*?)\]\]", text, re.DOTALL)
    if bracketed or "[[" in text:
        found = bracketed[-1].strip() if bracketed and text.rfind("[[") < text.rfind("]]") else ""
    else:
        lines = _RATING_LINE.findall(text) or (re.fullmatch(r"\s*(\d+)\s*", text, re.DOTALL) and [text.strip()])
        found = lines[-1] if lines else ""
    if not re.fullmatch(r"[0-9]{1,3}", found):
        return None
    return int(found) if scale[0] <= int(found) <= scale[1] else None


def parse_rating_like_the_released_code(text: str) -> float | None:
    """The first number in the last ``[[…]]``, of any size and with decimals (LongAlign, LongBench_Chat/eval.py)."""
    bracketed = re.findall(r"\[\[([^\]]+)\]\]", text)
    numbers = re.findall(r"\d+\.\d+|\d+", bracketed[-1]) if bracketed else []
    return float(numbers[0]) if numbers else None
