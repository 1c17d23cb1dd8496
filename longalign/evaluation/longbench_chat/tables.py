"""Write a comparison as Markdown and as CSV; headings and cells that the HTML page and run cards use, too."""

import csv
import io
from typing import Any

from longalign.counted import counted
from longalign.evaluation.longbench_chat.compare import Comparison, Run
from longalign.evaluation.longbench_chat.statistics import Estimate
from longalign.markdown import escape, table


def markdown(comparison: Comparison) -> str:
    """The comparison in Markdown: means by group, paired differences, facts of each run, and notes."""
    parts = [escape(heading(comparison)), table(*mean_table(comparison))]
    if comparison.pairs:
        parts.append(table(*_pair_table(comparison)))
    parts += [escape(facts(run)) for run in comparison.runs]
    parts += [f"Note: {escape(note)}" for note in comparison.notes]
    return "\n\n".join(parts) + "\n"


def csv_rows(comparison: Comparison) -> str:
    """CSV: a row for each run and group, then one for each pair. Only pairs have ``second``, ``wins`` … ``verdict``."""
    out = io.StringIO()
    names = ["run", "group", "n", "mean", "low", "high", "score_100", "second", "wins", "ties", "losses", "verdict"]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    top = comparison.runs[0].setup["scale"][1]
    for line in comparison.lines:
        row = {"run": line.run, "group": line.group, "score_100": f"{100 * line.estimate.mean / top:.2f}"}
        writer.writerow(row | _numbers(line.estimate))
    for pair in comparison.pairs:
        found = pair.difference
        counts = {"wins": found.wins, "ties": found.ties, "losses": found.losses, "verdict": pair.verdict}
        row = {"run": pair.first, "group": "second minus run", "second": pair.second}
        writer.writerow(row | counts | _numbers(found.estimate))
    return out.getvalue()


def heading(comparison: Comparison) -> str:
    """What was measured, in one line of Markdown."""
    setup = comparison.runs[0].setup
    low, high = setup["scale"]
    each = "one rating" if setup["repeats"] == 1 else f"mean of {setup['repeats']} ratings"
    how = f"preset {setup['preset']}, protocol {setup['protocol']}, {each} an answer"
    scale = f"{low} to {high}; 95 % intervals by bootstrap over questions"
    return f"# LongBench-Chat: rated by {setup['judge']} ({how}), {scale}"


def group_order(comparison: Comparison) -> list[str]:
    """All groups, in the order of the tables."""
    return list(dict.fromkeys(line.group for line in comparison.lines))


def mean_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the table of means: a row for each group, a column for each run."""
    found = {(line.group, line.run): line.estimate for line in comparison.lines}
    rows = [
        [group, *(_cell(found.get((group, run.name))) for run in comparison.runs)] for group in group_order(comparison)
    ]
    return ["", *(run.name for run in comparison.runs)], rows


def _pair_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            f"{pair.second} - {pair.first}",
            interval(pair.difference.estimate, sign="+"),
            str(pair.difference.estimate.n),
            f"{pair.difference.wins} / {pair.difference.ties} / {pair.difference.losses}",
            pair.verdict,
        ]
        for pair in comparison.pairs
    ]
    return ["pair", "difference", "n", "better / equal / worse", "verdict"], rows


def facts(run: Run) -> str:
    """A line about a run: its ratings, the released code's total score, and how well repeated ratings agree."""
    ratings, answers = counted(len(run.rows), "rating"), counted(len({row["case"] for row in run.rows}), "answer")
    parts = [f"{ratings} of {answers} of {run.rows[0]['model']}"]
    if run.scores and run.setup["protocol"] == "original":
        total = f"{sum(run.scores.values()):g} of {answers}"
        parts.append("total_score none (some unrated)" if run.unrated else f"total_score {total}")
    if run.agreement:
        same, distance = run.agreement
        parts.append(f"the judge's ratings of an answer are equal in {same:.0%} and {distance:.2f} apart on average")
    return f"{run.name}: " + "; ".join(parts) + "."


def _cell(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{interval(estimate)} (n {estimate.n})"


def interval(estimate: Estimate, sign: str = "") -> str:
    """A mean with its interval, such as ``6.50 [5.80, 7.20]``; ``sign`` "+" also marks positive numbers."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:{sign}.2f}"
    return f"{estimate.mean:{sign}.2f} [{estimate.low:{sign}.2f}, {estimate.high:{sign}.2f}]"


def _numbers(estimate: Estimate) -> dict[str, Any]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.4f}"

    low, high = number(estimate.low), number(estimate.high)
    return {"n": estimate.n, "mean": number(estimate.mean), "low": low, "high": high}
