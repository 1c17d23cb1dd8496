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
    options = _table([("option", "value", "default"), *changed])
    parts = [
        f"---\n{matter}---",
        f"# {_text(run.path.resolve().name)}",
        f"{_text(base)}, trained on long and short conversations with longalign: {status(run)}.",
        _text(figures),
        *_data(run),
        *_heading("Needle tests", [f"- {_text(test.text)}" for test in needle_tests]),
        *_heading("LongBench-Chat", [f"{_text(chats.title(c))}\n\n{_table(chats.rows(c))}\n" for c in comparisons]),
        *_heading("Options that are not the default", [options] if changed else []),
        *_heading("Environment", [f"- {_text(name)}: {_text(value)}" for name, value in environment(run)]),
        *_heading("Not known", [f"- {_text(line)}" for line in run.missing]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(lines)] if lines else []


def _data(run: RunFolder) -> list[str]:
    sources = source_rows(run)
    if not sources:
        return []
    digests = [
        f"- {_text(str(source['name']))}: sha256 {_text(', '.join(map(str, source.get('data') or ['not known'])))}"
        for source in sources
        if isinstance(source.get("data") or [], list)
    ]
    table = _table([SOURCE_HEAD, *data_rows(run)])
    plan = plan_text(as_dict(run.data.get("plan")))
    return ["## Data", table, "\n".join(f"- {_text(line)}" for line in reasons(run)), "\n".join(digests), _text(plan)]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(_text(cell) or " " for cell in row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _text(text: str) -> str:
    """A text of the run for Markdown: on one line, with HTML and table separators escaped."""
    plain = " ".join(text.split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
