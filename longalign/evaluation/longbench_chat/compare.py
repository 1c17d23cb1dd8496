"""Compare the ratings of one or more models: means by language and by length, and paired differences of two models."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from longalign.counted import counted
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.judge import UNPARSABLE
from longalign.evaluation.longbench_chat.statistics import Difference, Estimate, compare_paired, estimate_mean
from longalign.records import FAILED, OK, Records, Row

ALL = "all"
_EDGES = (4, 8, 16, 32, 64)  # thousands of tokens
_NAMES = [f"{low}-{high}k" for low, high in itertools.pairwise((0, *_EDGES))] + [f"over {_EDGES[-1]}k"]


@dataclass(frozen=True)
class Run:
    """One model's ratings. ``scores``: by case, the mean of its readable ratings; cases without any are not in it."""

    name: str
    rows: list[Row]
    scores: dict[str, float]

    @property
    def setup(self) -> Row:
        """The judge's setup, as in every row: judge, preset, prompt, scale, protocol and so on."""
        return self.rows[0]["setup"]

    def count(self, status: str) -> int:
        """How many ratings have this status."""
        return sum(row["status"] == status for row in self.rows)

    @property
    def unrated(self) -> int:
        """How many cases have no readable rating."""
        return len({row["case"] for row in self.rows}) - len(self.scores)

    @property
    def agreement(self) -> tuple[float, float] | None:
        """How well repeated ratings of an answer agree: the share of answers whose ratings are all equal, and the mean
        distance between the highest and the lowest. None if no answer has two readable ratings.
        """
        pairs = [scores for scores in _by_case(self.rows).values() if len(scores) > 1]
        if not pairs:
            return None
        return fmean(len(set(pair)) == 1 for pair in pairs), fmean(max(pair) - min(pair) for pair in pairs)


@dataclass(frozen=True)
class Line:
    """One run's mean over a group of cases."""

    run: str
    group: str
    estimate: Estimate


@dataclass(frozen=True)
class Pair:
    """Two runs on the cases that both have; the difference is second minus first."""

    first: str
    second: str
    difference: Difference

    @property
    def verdict(self) -> str:
        """Which run is better, or that the two cannot be distinguished, in words."""
        if not self.difference.distinguishable:
            return "not distinguishable"
        return f"{self.second if self.difference.estimate.mean > 0 else self.first} is better"


@dataclass(frozen=True)
class Comparison:
    """What `tables` and `page` show. ``notes``: what a reader must know before believing the numbers."""

    runs: list[Run]
    lines: list[Line]
    pairs: list[Pair]
    notes: list[str]


def read_run(path: str | Path) -> Run:
    """The ratings in a run's folder (``judgements.jsonl``) or in a file.

    Raises:
        UserError: there are no ratings, or rows of something else, or they are of several models or judges.
    """
    file = Path(path).expanduser()
    file = file / "judgements.jsonl" if file.is_dir() else file
    if not file.is_file():
        raise UserError(f"{path}: no ratings there; run longalign longbench-chat judge first")
    rows = Records(file).rows()
    if not rows:
        raise UserError(f"{file} is empty; run longalign longbench-chat judge first")
    if not all(map(_is_rating, rows)):
        raise UserError(f"{file}: its rows are no ratings by longalign longbench-chat judge")
    # failures under other options, such as a mistyped judge, do not belong to this run
    setup = next((row["setup"] for row in rows if row["status"] != FAILED), rows[-1]["setup"])
    rows = [row for row in rows if row["status"] != FAILED or row["setup"] == setup]
    for field in ("model", "setup"):
        if any(row[field] != rows[0][field] for row in rows):
            raise UserError(f"{file}: holds ratings of more than one {'judge' if field == 'setup' else 'model'}")
    name = str(file.parent if file.name == "judgements.jsonl" else file)
    return Run(name, rows, {case: fmean(scores) for case, scores in _by_case(rows).items()})


def compare(runs: Sequence[Run], seed: int = 0) -> Comparison:
    """Means of each run by group, and the difference of each pair of runs on the cases that both have.

    Raises:
        UserError: two runs have no case in common, or were rated in different ways.
    """
    runs = _with_short_names(runs)
    _check_judges(runs)
    groups = _groups(runs)
    lines = []
    for run in runs:
        for group, cases in groups.items():
            scores = [run.scores[case] for case in cases if case in run.scores]
            if scores:
                lines.append(Line(run.name, group, estimate_mean(scores, seed)))
    return Comparison(list(runs), lines, _pairs(runs, seed), _notes(runs))


def _is_rating(row: Row) -> bool:
    return {"case", "model", "status", "setup"} <= row.keys() and "judge" in row["setup"]


def _by_case(rows: Sequence[Row]) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["status"] == OK:
            scores[row["case"]].append(row["score"])
    return dict(scores)


def _groups(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The cases of each group. A case's length and language are those in the first run that has it."""
    cases = {row["case"]: row for run in reversed(runs) for row in run.rows}
    kinds: tuple[Callable[[Row], Any], ...] = (
        lambda row: ALL,
        lambda row: row["language"],
        lambda row: _length(row["full_tokens"]),
        lambda row: "cut" if row["cut_tokens"] else "not cut",
        lambda row: f"type {row['type']}" if isinstance(row["type"], str) else None,
    )
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        found: dict[str, list[str]] = defaultdict(list)
        for case, row in cases.items():
            found[kind(row)].append(case)
        if kind is kinds[0] or len(found) > 1:  # a kind with one group only says what "all" says
            names = sorted(found, key=lambda name: (_NAMES.index(name) if name in _NAMES else 0, str(name)))
            groups |= {name: found[name] for name in names if name is not None}
    return groups


def _length(tokens: int) -> str:
    return _NAMES[sum(tokens >= 1000 * edge for edge in _EDGES)]


def _pairs(runs: Sequence[Run], seed: int) -> list[Pair]:
    pairs = []
    for first, second in itertools.combinations(runs, 2):
        common = [case for case in first.scores if case in second.scores]
        if not common:
            raise UserError(f"{first.name} and {second.name} have no rated case in common; compare runs of one suite")
        before, after = ([run.scores[case] for case in common] for run in (first, second))
        pairs.append(Pair(first.name, second.name, compare_paired(before, after, seed)))
    return pairs


def _check_judges(runs: Sequence[Run]) -> None:
    """Refuse to compare ratings that were made in different ways; only their seeds may differ."""
    first = runs[0]
    for run in runs[1:]:
        other = [name for name in first.setup if name != "seed" and run.setup.get(name) != first.setup[name]]
        if other:
            said = ", ".join(f"{name} {first.setup[name]!r} and {run.setup.get(name)!r}" for name in other)
            raise UserError(f"{first.name} and {run.name} were rated in different ways: {said}; judge them alike")


def _notes(runs: Sequence[Run]) -> list[str]:
    notes = []
    for run in runs:
        lacking = {
            "unreadable rating": run.count(UNPARSABLE),
            "failed rating": run.count(FAILED),
            "unrated case": run.unrated,
        }
        said = ", ".join(counted(number, what) for what, number in lacking.items() if number)
        if said:
            notes.append(f"{run.name}: left out of its mean: {said}.")
        served = {row["served_model"] for row in run.rows if row.get("served_model")}
        if len(served) > 1:
            notes.append(f"{run.name}: the judge's name changed on the way: {', '.join(sorted(served))}.")
        if is_same_model(run.rows[0]["model"], run.setup["judge"]):
            notes.append(f"{run.name}: the judge rated its own answers; models prefer their own.")
    cases = [set(run.scores) for run in runs]
    if any(found != cases[0] for found in cases):
        notes.append("The runs do not have the same rated cases; differences are over those that both have.")
    if len({_length(row["full_tokens"]) for row in runs[0].rows}) > 1 and len(runs) > 1:
        notes.append(f"Lengths are in tokens of {runs[0].name}, before anything was cut.")
    return notes


def is_same_model(model: str, judge: str) -> bool:
    """Whether two names look like the same model: their last parts are equal, in upper or lower case."""
    return model.rstrip("/").rpartition("/")[2].lower() == judge.rstrip("/").rpartition("/")[2].lower()


def _with_short_names(runs: Sequence[Run]) -> list[Run]:
    """The runs, named by the last part of their path if these names all differ, else by the whole path."""
    short = [Path(run.name).name if Path(run.name).suffix != ".jsonl" else run.name for run in runs]
    names = short if len(set(short)) == len(short) else [run.name for run in runs]
    if len(set(names)) < len(names):
        raise UserError(f"a run is given twice: {', '.join(names)}")
    return [replace(run, name=name) for name, run in zip(names, runs, strict=True)]
