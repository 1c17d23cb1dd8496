"""Read LongBench-Chat's published files. Errors name the file, the row and the field.

test_cases.json   [{"idx": 1, "prompt": document, blank line, question, "query": the question for the judge,
                    "answer": the reference}, …]; other keys are kept; ``language``, if there, is the case's
few_shots.json    [[{"answer": text, "score": 1 to 10}, three of them], …]; those of a case are at position idx - 1
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from longalign.api.replies import well_formed
from longalign.data.cache import content_key
from longalign.errors import UserError

FEW_SHOTS = 3
"""Rated examples of a case, in the published file and in the published prompt."""

_FIELDS: dict[str, type[int] | type[str]] = {"idx": int, "prompt": str, "query": str, "answer": str}
CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Rated:
    """An example answer and its rating."""

    answer: str
    score: int


@dataclass(frozen=True)
class Case:
    """One question about one document. ``prompt`` is what the model gets, ``query`` what the judge gets."""

    idx: int
    prompt: str
    query: str
    answer: str
    language: str
    few_shots: tuple[Rated, ...] = ()
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A hash of the case, with its number, by which its examples are found."""
        return row_key("case", self.idx, self.prompt, self.query, self.answer)


def row_key(*parts: Any) -> str:
    """The key of a row of JSON lines: 20 hexadecimal digits of a hash of what it depends on."""
    return content_key(parts)[:20]


def read_cases(test_cases: str, few_shots: str | None = None) -> list[Case]:
    """The cases of a ``test_cases.json``, each with its examples where a ``few_shots.json`` is given.

    Raises:
        UserError: a file is missing or has another format; the message names file, row (from 1) and field.
    """
    rows = _read_list(test_cases, "test_cases")
    if not rows:
        raise UserError(f"test_cases: {test_cases} has no cases")
    shots = None if few_shots is None else _read_few_shots(few_shots)
    cases = [_case(row, f"test_cases: {test_cases} row {number}") for number, row in enumerate(rows, start=1)]
    double = [idx for idx, count in Counter(case.idx for case in cases).items() if count > 1]
    if double:
        raise UserError(f"test_cases: {test_cases}: idx {double[0]} occurs twice; each case needs its own")
    if shots is None:
        return cases
    last = max(cases, key=lambda case: case.idx)
    if last.idx > len(shots):
        raise UserError(
            f"few_shots: {few_shots} has examples for idx 1 to {len(shots)}, {test_cases} has idx {last.idx}; "
            "give the two files of one release"
        )
    return [replace(case, few_shots=shots[case.idx - 1]) for case in cases]


def language_of(text: str) -> str:
    """``zh`` where Chinese characters outnumber the words in Latin letters, else ``en``."""
    return "zh" if len(CJK.findall(text)) > len(re.findall(r"[A-Za-z]+", text)) else "en"


def _case(row: Any, where: str) -> Case:
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected an object with {', '.join(_FIELDS)}, got {_kind(row)}")
    for name, kind in _FIELDS.items():
        value: Any = row.get(name)
        if type(value) is not kind:
            what = "is missing" if name not in row else f"is {_kind(value)}"
            raise UserError(f"{where}: field {name!r} {what}, expected {'a number' if kind is int else 'a text'}")
        if isinstance(value, str) and not value.strip():
            raise UserError(f"{where}: field {name!r} is empty")
        if isinstance(value, str) and well_formed(value) != value:
            raise UserError(f"{where}: field {name!r} holds half a surrogate pair, which is no text; delete it")
    if row["idx"] < 1:
        raise UserError(f"{where}: field 'idx' is {row['idx']}, expected 1 or more")
    language = row.get("language", language_of(row["query"]))
    if not isinstance(language, str):
        raise UserError(f"{where}: field 'language' is {_kind(language)}, expected a text such as en or zh")
    others = {name: value for name, value in row.items() if name not in _FIELDS}
    return Case(row["idx"], row["prompt"], row["query"], row["answer"], language, others=others)


def _read_few_shots(path: str) -> list[tuple[Rated, ...]]:
    shots = []
    for number, row in enumerate(_read_list(path, "few_shots"), start=1):
        where = f"few_shots: {path} row {number}"
        if not isinstance(row, list) or len(row) != FEW_SHOTS:
            got = f"a list of {len(row)}" if isinstance(row, list) else _kind(row)
            raise UserError(f"{where}: expected a list of {FEW_SHOTS} examples, got {got}")
        shots.append(tuple(_rated(value, f"{where}, example {i}") for i, value in enumerate(row, start=1)))
    return shots


def _rated(value: Any, where: str) -> Rated:
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected an object with answer, score, got {_kind(value)}")
    answer, score = value.get("answer"), value.get("score")
    if not isinstance(answer, str):
        raise UserError(f"{where}: field 'answer' is {_kind(answer) if 'answer' in value else 'missing'}")
    if type(score) is not int or not 1 <= score <= 10:
        got = f"{_kind(score)} {score!r}" if "score" in value else "missing"
        raise UserError(f"{where}: field 'score' is {got}, expected a whole number from 1 to 10")
    return Rated(answer, score)


def _read_list(path: str, option: str) -> list[Any]:
    try:
        value = json.loads(Path(path).expanduser().read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{option}: {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        hint = "; it seems to be JSON lines: put the rows into one list" if "Extra data" in str(error) else ""
        raise UserError(f"{option}: {path} cannot be read as JSON ({error}){hint}") from error
    if not isinstance(value, list):
        raise UserError(f"{option}: {path}: expected a list, got {_kind(value)}")
    return value


_KINDS: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda v: v is None, "null"),
    (lambda v: isinstance(v, bool), "true or false"),
    (lambda v: isinstance(v, int | float), "a number"),
    (lambda v: isinstance(v, str), "a text"),
    (lambda v: isinstance(v, list), "a list"),
    (lambda v: True, "an object"),
)


def _kind(value: Any) -> str:
    return next(name for test, name in _KINDS if test(value))
