"""Formatting the figures of ``longalign plan`` as one screen of text."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from longalign.commands.plan_gpus import gpu_screen
from longalign.commands.screen import make_table, percent, reason_texts
from longalign.counted import counted
from longalign.data.buckets import outside_text
from longalign.data.mixture import held_out_text
from longalign.data.plan_report import PlanSummary

BAR_WIDTH = 8
MODES = ("sequence", "token", "pack")


def plan_screen(figures: dict[str, Any], colour: bool) -> RenderableType:
    """The whole screen, about 40 lines of 100 columns. figures: as ``plan`` prints them with ``--json``."""
    plan = figures["plan"]
    gpus = (Text(), gpu_screen(figures["gpus"], plan["world_size"])) if "gpus" in figures else ()
    return Group(
        source_table(figures["sources"]),
        reasons(figures["sources"]),
        Text(),
        Text("who owns the gradient: shares of sequences, tokens, targets, and of the loss under each weighting"),
        _owners(figures, plan["loss"], colour),
        Text(),
        _strategies(figures["strategies"]),
        Text(),
        _summary(figures),
        *gpus,
    )


def source_table(sources: list[dict[str, Any]]) -> Table:
    """A table of the rows read, dropped, cut and held out, and of what is in the mix, by source and bucket."""
    table = make_table("source", "rows", "dropped", "cut", "held out", "in the mix", "tokens", "targets", "of tokens")
    total = {"name": "all", **dict.fromkeys(("rows", "held_out", "sequences", "tokens", "targets"), 0)}
    for row in sources:
        for key in ("rows", "held_out", "sequences", "tokens", "targets"):
            total[key] += row[key]
    counts = [(row, sum(row["dropped"].values()), _num_cut(row)) for row in sources]
    all_counts = (sum(dropped for _, dropped, _ in counts), sum(cut for _, _, cut in counts))
    if len(sources) > 1:
        counts.append(({**total, "share_of_tokens": 1.0}, *all_counts))
    for row, dropped, cut in counts:
        table.add_row(*_source_cells(row, row["name"], f"{dropped:,}", f"{cut:,}"))
        for bucket in row.get("buckets", ()):
            table.add_row(*_source_cells(bucket, f"  {bucket['name']}", "", ""))
    return table


def _source_cells(row: dict[str, Any], name: str, dropped: str, cut: str) -> list[str]:
    numbers = (f"{row[key]:,}" for key in ("held_out", "sequences", "tokens", "targets"))
    return [name, f"{row['rows']:,}", dropped, cut, *numbers, percent(row["share_of_tokens"])]


def reasons(sources: list[dict[str, Any]]) -> Text:
    """A line for each source whose rows were dropped, cut, repaired or left out: how many, and why."""
    lines = []
    for row in sources:
        parts = reason_texts(row)
        if outside := row.get("outside", {}).get("rows"):
            parts.append(outside_text(outside, row["outside"]["shortest"], row["outside"]["longest"]))
        if (texts := row["held_out_documents"]) < row["held_out"]:
            parts.append(held_out_text(row["held_out"], texts))
        if parts:
            lines.append(f"  {row['name']}: {', '.join(parts)}")
    if not lines:
        return Text("  nothing was dropped, cut or repaired", style="dim")
    return Text("\n".join(lines), style="yellow")


def _num_cut(row: dict[str, Any]) -> int:
    return sum(count for event, count in row["events"].items() if event.startswith("cut_"))


def _owners(figures: dict[str, Any], loss: str, colour: bool) -> Table:
    """A table of shares of sequences, tokens, targets and loss: by length, by source, and of the heaviest tenth."""
    headings = [f"by {mode}" + ("*" if mode == loss else "") for mode in MODES]
    table = make_table("length in tokens", "count", "", "seqs", "tokens", "targets", *headings)
    table.columns[2].justify = "left"
    for column in table.columns[6:]:
        column.style = "bold cyan" if str(column.header).endswith("*") else ""
    buckets = figures["lengths"]["buckets"]
    most = max(bucket["count"] for bucket in buckets)
    for bucket in buckets:
        below = bucket["below"]
        name = f"{bucket['from']:,} to {below - 1:,}" if below else f"{bucket['from']:,} or more"
        size = -(-BAR_WIDTH * bucket["count"] // most)
        bar = Text("█" * size, style="green") if colour else "#" * size
        table.add_row(name, f"{bucket['count']:,}", bar, *_shares(bucket))
    for source in figures["sources"]:
        table.add_row(f"source {source['name']}", f"{source['sequences']:,}", "", *_shares(source))
        for part in source.get("buckets", ()):
            table.add_row(f"  {part['name']}", f"{part['sequences']:,}", "", *_shares(part))
    tenth = (percent(figures["heaviest_tenth"][mode]) for mode in MODES)
    table.add_row("heaviest tenth", "", "", "10.0%", "", "", *tenth)
    return table


def _shares(row: dict[str, Any]) -> list[str]:
    shares = [row["share_of_sequences"], row["share_of_tokens"], row["share_of_targets"]]
    return [percent(share) for share in (*shares, *(row["loss"][mode] for mode in MODES))]


def _strategies(strategies: list[dict[str, Any]]) -> Table:
    table = make_table(
        "strategy", "packs/step", "steps", "fill", "working share", "seqs/step", "spread", "long share", "spread"
    )
    for row in strategies:
        chosen = row["configured"]
        summary = PlanSummary(**{key: value for key, value in row.items() if key != "configured"})
        table.add_row(
            f"{summary.strategy}{'*' if chosen else ''}",
            f"{summary.packs_per_step:,}",
            f"{summary.num_steps:,}",
            f"{summary.fill:.4f}",
            f"{summary.working_share:.3f}",
            f"{summary.sequences_mean:,.1f}",
            f"{summary.sequences_spread:.3f}",
            f"{summary.long_share_mean:.3f}",
            f"{summary.long_share_spread:.3f}",
            style="bold cyan" if chosen else "",
        )
    return table


def _summary(figures: dict[str, Any]) -> Text:
    plan, lengths = figures["plan"], figures["lengths"]
    ranks = plan["world_size"]
    steps = counted(plan["num_steps"], "step")
    if plan["epochs"] > 1:
        steps = f"{plan['epochs']} epochs of {steps}, {plan['total_steps']:,} together"
    packs = plan["num_packs"] - plan["num_empty_packs"]
    lines = [
        f"* as configured: {plan['strategy']}, loss {plan['loss']}, "
        f"{counted(plan['packs_per_step'], 'pack')} a step of {plan['max_length']:,} tokens, "
        f"{counted(ranks, 'rank')} × {counted(plan['packs_per_step'] // ranks, 'micro-step')}",
        f"  {counted(plan['sequences'], 'sequence')} in {counted(packs, 'pack')} "
        f"(+ {plan['num_empty_packs']} empty), {steps}",
        f"  sequences a step: {plan['sequences_mean']:,.1f} on average, {plan['sequences_min']:,} to "
        f"{plan['sequences_max']:,}, spread {plan['sequences_spread']:.3f}; "
        f"targets are {percent(plan['target_share'])} of the tokens",
        f"  lengths: median {lengths['median']:,}, mean {lengths['mean']:,.0f}, 90% up to {lengths['p90']:,}, "
        f"longest {lengths['longest']:,}; long: {plan['long_from']:,} or more",
        "  spread: std / mean over steps; like averages without a last step that has empty packs",
        "  in the loss each step weighs the same, whatever it holds",
        "  strategies are compared at about as many sequences a step as configured",
        f"  time of a sequence: from {figures['cost']['of']}",
    ]
    if figures["run_steps"] < plan["total_steps"]:
        lines.insert(2, f"  trainer.max_steps ends the run after {figures['run_steps']:,} of these steps")
    return Text("\n".join(lines))
