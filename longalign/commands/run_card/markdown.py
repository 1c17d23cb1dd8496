"""Write a run's card as Markdown: a short README.md for the folder of an exported model."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from longalign.commands.run_card import chats
from longalign.commands.run_card.facts import headline, model_name, source_rows, status
from longalign.commands.run_card.folder import RunFolder, as_dict
from longalign.commands.run_card.needles import NeedleTest
from longalign.commands.run_card.page import SOURCE_HEAD, data_rows, environment, plan_text, reasons
from longalign.evaluation.longbench_chat.compare import Comparison
from longalign.evaluation.longbench_chat.tables import mean_table
from longalign.markdown import escape, table


def markdown(
    run: RunFolder,
    changed: Sequence[tuple[str, str, str]],
    needle_tests: Sequence[NeedleTest],
    comparisons: Sequence[Comparison],
) -> str:
    """The model card; arguments as in `page.page`."""
    base = Path(model_name(run)).name
    front = {"base_model": base, "library_name": "transformers", "pipeline_tag": "text-generation"}
    matter = yaml.safe_dump({**front, "tags": ["longalign"]}, sort_keys=False, allow_unicode=True)
    figures = "; ".join(f"{name} {figure}" for name, figure in headline(run))
    options = table(("option", "value", "default"), changed)
    judged = [f"{escape(chats.title(found))}\n\n{table(*mean_table(found))}\n" for found in comparisons]
    parts = [
        f"---\n{matter}---",
        f"# {escape(run.path.resolve().name)}",
        f"{escape(base)}, trained with longalign: {status(run)}.",
        escape(figures),
        *_data(run),
        *_heading("Needle tests", [f"- {escape(test.text)}" for test in needle_tests]),
        *_heading("LongBench-Chat", judged),
        *_heading("Options that are not the default", [options] if changed else []),
        *_heading("Environment", [f"- {escape(name)}: {escape(value)}" for name, value in environment(run)]),
        *_heading("Not known", [f"- {escape(line)}" for line in run.missing]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(lines)] if lines else []


def _data(run: RunFolder) -> list[str]:
    sources = source_rows(run)
    if not sources:
        return []
    digests = [
        f"- {escape(str(source['name']))}: sha256 {escape(', '.join(map(str, source.get('data') or ['not known'])))}"
        for source in sources
        if isinstance(source.get("data") or [], list)
    ]
    counts = table(SOURCE_HEAD, data_rows(run))
    notes = [f"- {escape(line)}" for line in reasons(run)]
    plan = escape(plan_text(as_dict(run.data.get("plan"))))
    return ["## Data", counts, "\n".join(notes), "\n".join(digests), plan]
