"""Write a run's card as one HTML page that loads no other files."""

import html
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from longalign.commands.run_card import chats
from longalign.commands.run_card.curves import CHARTS, NEEDLE_CHARTS, draw
from longalign.commands.run_card.facts import (
    commands,
    headline,
    model_name,
    size_text,
    source_rows,
    status,
)
from longalign.commands.run_card.folder import RunFolder, as_dict, as_list
from longalign.commands.run_card.markup import folded, pairs, paragraph, section, table
from longalign.commands.run_card.needles import NeedleTest, maps_of_tests, probe_maps
from longalign.commands.run_card.options import as_text, whole_text
from longalign.commands.screen import percent, reason_texts
from longalign.counted import counted
from longalign.evaluation.longbench_chat.compare import Comparison

SHAPE = (
    ("model_type", "type"), ("num_hidden_layers", "layers"), ("hidden_size", "width"), ("vocab_size", "vocabulary"),
    ("max_position_embeddings", "positions"), ("rope_theta", "rope base"), ("rope_parameters", "rope"),
)  # fmt: skip


def page(
    run: RunFolder,
    changed: Sequence[tuple[str, str, str]],
    needle_tests: Sequence[NeedleTest],
    comparisons: Sequence[Comparison],
    beside: Path,
) -> str:
    """The whole page.

    changed: (key, value, default) of options that differ from the defaults. beside: the folder that the page will be
    in, for links.
    """
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    now = status(run)
    name = run.path.resolve().name
    parts = {
        "TITLE": html.escape(f"{name}: {Path(model_name(run)).name}"),
        "NAME": html.escape(name),
        "MODEL": html.escape(model_name(run)),
        "STATE": now.state,
        "STATUS": html.escape(str(now)),
        "FIGURES": "".join(f"<li><b>{html.escape(f)}</b>{html.escape(n)}</li>" for n, f in headline(run)),
        "MISSING": "".join(f"<li>{html.escape(line)}</li>" for line in run.missing),
        "BODY": "".join(
            [
                section("Data", data_table(run), paragraph(plan_text(as_dict(run.data.get("plan")))), hashes(run)),
                section("Curves", _grid(draw(CHARTS, run.events))),
                section(
                    "Needles",
                    probe_maps(run),
                    _grid(draw(NEEDLE_CHARTS, run.events)),
                    maps_of_tests(needle_tests, beside),
                ),
                section("LongBench-Chat", chats.tables(comparisons)),
                section("Options that are not the default", _options(changed), _whole_config(run)),
                section("Model", pairs(shape(run))),
                section("Environment", pairs(environment(run))),
                section("Files", _files(run)),
                section("What next", _commands(run)),
            ]
        ),
    }
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], template)  # in one pass, as texts may hold such marks


def _grid(figures: str) -> str:
    return f'<div class="charts">{figures}</div>' if figures else ""


def data_table(run: RunFolder) -> str:
    """A table of each source's rows (read, dropped, held out, used), and below it what was dropped or cut, and why."""
    rows = data_rows(run)
    if not rows:
        return ""
    return table(SOURCE_HEAD, rows) + "".join(paragraph(text, "quiet") for text in reasons(run))


SOURCE_HEAD = ("source", "rows", "dropped", "held out", "in the mix", "tokens", "targets", "of seqs", "of tokens")


def data_rows(run: RunFolder) -> list[list[str]]:
    """A row for each source, followed by its buckets, with the columns of `SOURCE_HEAD`."""
    rows = []
    for source in source_rows(run):
        buckets = [bucket for bucket in as_list(source.get("buckets")) if isinstance(bucket, dict)]
        rows += [_source_cells(source, str(source["name"]))]
        rows += [_source_cells(bucket, f"{source['name']} {bucket.get('name', '?')}") for bucket in buckets]
    return rows


def _source_cells(source: dict[str, Any], name: str) -> list[str]:
    report = as_dict(source.get("report"))
    dropped = sum(n for n in as_dict(report.get("dropped")).values() if isinstance(n, int)) if report else None
    counts = [report.get("rows"), dropped, *(source.get(key) for key in ("held_out", "sequences", "tokens", "targets"))]
    shares = [source.get("share_of_sequences"), source.get("share_of_tokens")]
    return [
        name,
        *(f"{n:,}" if isinstance(n, int) else "" for n in counts),
        *(percent(share) if isinstance(share, int | float) else "" for share in shares),
    ]


def reasons(run: RunFolder) -> list[str]:
    """A line for each source: its path, and how many rows were dropped, cut, repaired or left out, by reason."""
    lines = []
    for source in source_rows(run):
        found = reason_texts(as_dict(source.get("report")))
        if source.get("outside_buckets"):
            found.append(f"{source['outside_buckets']:,} × outside of all buckets (left out)")
        said = ", ".join(found) or "nothing dropped, cut or repaired"
        lines.append(f"{source['name']}: {source.get('path', '?')}: {said}")
    return lines


def plan_text(plan: dict[str, Any]) -> str:
    """How the sequences were packed into steps, in words; empty if the record does not say."""
    try:
        return (
            f"{plan['strategy']}, loss by {plan['loss']}: {counted(plan['steps'], 'step')} of "
            f"{counted(plan['packs_per_step'], 'pack')} of {plan['max_length']:,} tokens, "
            f"{counted(plan['epochs'], 'epoch')}, fill {plan['fill']:.3f}, working share {plan['working_share']:.3f}"
        )
    except (KeyError, TypeError, ValueError):
        return ""


def hashes(run: RunFolder) -> str:
    """sha256 of data, tokenizer and plan, which are shown when their title is clicked."""
    rows: list[tuple[str, str]] = []
    for source in source_rows(run):
        files = as_list(source.get("data"))
        rows += [(f"{source['name']}, bytes of file {n}", str(digest)) for n, digest in enumerate(files, 1)]
        if "cache" in source:
            rows.append((f"{source['name']}, tokens in the cache", str(source["cache"])))
    tokenizers = {str(source["tokenizer"]) for source in source_rows(run) if "tokenizer" in source}
    rows += [("tokenizer", digest) for digest in sorted(tokenizers)]
    digests = as_list(as_dict(run.data.get("plan")).get("digests"))
    rows += [(f"plan of epoch {n}", str(digest)) for n, digest in enumerate(digests, 1)]
    return f"<details><summary>Hashes (sha256)</summary>{pairs(rows)}</details>" if rows else ""


def _options(changed: Sequence[tuple[str, str, str]]) -> str:
    return table(("option", "value", "default"), changed).replace("<table>", '<table class="texts">') if changed else ""


def _whole_config(run: RunFolder) -> str:
    return folded("The whole config.yaml", whole_text(run.config)) if run.config else ""


def shape(run: RunFolder) -> list[tuple[str, str]]:
    """(name, value) of the model config's keys about its size and positions."""
    found = [(name, run.model[key]) for key, name in SHAPE if run.model.get(key) is not None]
    return [(name, f"{v:,}" if isinstance(v, int) else as_text(v)) for name, v in found]


def environment(run: RunFolder) -> list[tuple[str, str]]:
    """(name, value) of the last start's machine and versions, and the times of all starts."""
    if not run.starts:
        return []
    last = run.starts[-1]
    ranks, gpu = last.get("ranks", "?"), last.get("gpu")
    where = f"{ranks} × {gpu} ({last.get('gpu_memory_gib', '?')} GiB)" if gpu else f"{ranks} on CPU"
    rows = [
        ("started", ", ".join(str(start.get("time", "?")) for start in run.starts)),
        ("ranks", f"{where}; nodes: {last.get('nodes', '?')}; started by {last.get('started_by', '?')}"),
        ("CPU", f"{last.get('cpu', '?')}, {last.get('cpus', '?')} cores, {last.get('system', '?')}"),
        ("commit", str(last.get("commit") or "not of a git checkout")),
    ]
    if last.get("cuda"):
        rows.append(("CUDA", str(last["cuda"])))
    return rows + [(str(name), str(version)) for name, version in as_dict(last.get("versions")).items()]


def _files(run: RunFolder) -> str:
    rows = [[piece.name, "checkpoint" + ("" if piece.whole else ", not whole")] for piece in run.checkpoints]
    rows += [[piece.name, "exported model"] for piece in run.exports]
    sizes = [size_text(piece.size) for piece in (*run.checkpoints, *run.exports)]
    return (
        table(("file", "what", "size"), [[*row, size] for row, size in zip(rows, sizes, strict=True)]) if rows else ""
    )


def _commands(run: RunFolder) -> str:
    return "".join(f"{paragraph(name, 'quiet')}<pre>{html.escape(text)}</pre>" for name, text in commands(run))
