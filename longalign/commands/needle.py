"""``longalign needle``: hide sentences in long texts, ask a model for them, and report how many it finds."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from longalign.api.budget import Prices
from longalign.api.client import Endpoint
from longalign.commands.interrupt import interruptible
from longalign.commands.needle_models import WORDS, Where, open_source
from longalign.commands.needle_run import NeedleRun
from longalign.commands.needle_screen import grid_table
from longalign.commands.parse import call, check_positive
from longalign.commands.screen import make_console, show
from longalign.counted import counted
from longalign.errors import UserError
from longalign.evaluation.needle.build import Builder, grid
from longalign.evaluation.needle.compat import CompatBuilder
from longalign.evaluation.needle.haystack import make_haystack, read_texts, tokenise
from longalign.evaluation.needle.plan import count, count_lines
from longalign.evaluation.needle.report import headline, notes
from longalign.evaluation.needle.run import RESULTS, PromptBuilder, keep_settings, key
from longalign.evaluation.needle.tasks import Cell, Item, Language, Task, own_item
from longalign.records import Records

log = logging.getLogger(__name__)

_PARTS = {"load": "to load", "prompts": "prompts", "model": "model", "rows": "to score and write"}
"""Parts of a command's time: their keys in summary.json, and their names in the log."""


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and run the test."""
    with interruptible():
        call(needle, name, args)


def needle(
    out: str,
    model: str | None = None,
    base_url: str | None = None,
    api_model: str | None = None,
    fake: Literal["none", "perfect", "blind", "recency"] = "none",
    task: Task = "single",
    language: Language = "en",
    lengths: str | list[int] = "1000:60000:10",
    depths: str | list[float] = "10:90:10",
    seeds: int | None = None,
    haystack: str | None = None,
    needle: str | None = None,
    question: str | None = None,
    answers: str | list[str] | None = None,
    system: str = "",
    max_new_tokens: int = 64,
    tokenizer: str | None = None,
    chat_format: Literal["auto", "template", "chatglm3", "llama2"] = "auto",
    compat: Literal["none", "longalign"] = "none",
    plan: bool = False,
    device: str = "auto",
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto",
    attention: str = "auto",
    batch_size: int = 32,
    gguf_file: str | None = None,
    config_overrides: dict[str, Any] | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    timeout_s: float = 600,
    max_retries: int = 6,
    price_in: float | None = None,
    price_out: float | None = None,
    judge_model: str | None = None,
    judge_base_url: str | None = None,
    judge_api_key_env: str = "OPENAI_API_KEY",
) -> None:
    """Hide sentences in long texts, ask a model for them, and show what it finds by length and depth.

    Args:
        out: folder of the results; the same command resumes a test that was stopped.
        model: folder (exported, converted, or in ChatGLM3's own format) or hub name of a model to run here.
        base_url: address of an OpenAI-compatible server to ask instead, such as http://localhost:8000/v1; its model is
            --api_model.
        api_model: name of the model at the server; without --base_url the server is OpenAI's.
        fake: test without a model. perfect gives all answers, blind none, recency those that are hidden in the last
            8,000 tokens of the prompt.
        task: what is hidden: single (the paper's sentence), kv (a number of a key), multi_value (4 numbers of one key),
            multi_key (as kv, among numbers of other keys), variable_tracking (a chain of 5 variables).
        language: language of the hidden sentences, the question, and the generated text.
        lengths: tokens of prompt and room for the answer together: FIRST:LAST:COUNT, or a list such as 1000,4000,16000.
        depths: where the sentence is hidden, in percent of the text: FIRST:LAST:COUNT, or a list such as 0,50,100.
        seeds: prompts for each length and depth, 3 by default; each starts at another place of the text, and has other
            numbers. --compat longalign has one.
        haystack: folder of .txt and .md files, or one file; by default documents are generated.
        needle: a sentence of your own to hide, for --task single; give --question, too.
        question: the question about --needle.
        answers: strings that a right answer to --question holds, one or a list; by default the whole --needle.
        system: system message, none by default.
        max_new_tokens: most tokens of an answer; a model that thinks before it answers needs more.
        tokenizer: folder or hub name of the tokenizer that counts lengths, by default the model's; "words" counts words
            without a tokenizer.
        chat_format: format of the prompts; auto is the one in the folder's longalign.json, else the tokenizer's chat
            template.
        compat: longalign makes the prompts of LongAlign's own test, to the byte.
        plan: show the number of prompts and tokens, and the time or cost, and end.
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.
        dtype: dtype of the weights; auto is bfloat16 on a GPU, and on a CPU float32 unless it is fast in bfloat16.
        attention: attention kernel that reads the prompts, as model.attention of fit.
        batch_size: most prompts that are answered together.
        gguf_file: a GGUF file in the model's folder.
        config_overrides: keys of the model's config to change, as in fit: {rope_ratio: 200} for LongAlign-6B's weights,
            {rope_theta: 5.0e6}.
        api_key_env: NAME of the environment variable with the server's API key.
        concurrency: most requests that are open at a time.
        timeout_s: seconds after which a request has failed.
        max_retries: how often a failed request is repeated.
        price_in: price of a million tokens of prompts, for --plan.
        price_out: price of a million tokens of answers, for --plan.
        judge_model: a model at an OpenAI-compatible server that rates each answer from 1 to 10, beside the recall.
        judge_base_url: address of the judge's server; OpenAI's by default.
        judge_api_key_env: NAME of the environment variable with the API key of the judge's server.
    """
    started = time.monotonic()
    _check(task, language, compat, seeds, max_new_tokens, batch_size, needle, question, answers, system)
    Prices(price_in, price_out).check(max_cost=None)
    seeds = (1 if compat == "longalign" else 3) if seeds is None else seeds
    cells = _cells(lengths, depths, seeds, task, language, max_new_tokens)
    wanted = [answers] if isinstance(answers, str) else answers or []
    own = None if needle is None or question is None else own_item(needle, question, wanted)
    network = concurrency, timeout_s, max_retries
    endpoint = Endpoint(api_model or "", base_url, api_key_env, *network) if api_model or base_url else None
    if judge_base_url and not judge_model:
        raise UserError("judge_base_url: give --judge_model, the name of a model there, too")
    judge = Endpoint(judge_model, judge_base_url, judge_api_key_env, *network) if judge_model else None
    where = Where(device, dtype, attention, batch_size, gguf_file, config_overrides or {})
    if model is None and (foreign := where.weights_options()):
        raise UserError(f"{foreign}: is of a model that runs here; give --model, or leave it out")
    source = open_source(model, endpoint, fake, where, max_new_tokens)
    folder = Path(out).expanduser()
    records = Records(folder / RESULTS)
    waiting = [cell for cell in cells if not records.done(key(cell))]
    counts = count(cells, len(cells) - len(waiting), waiting, max_new_tokens)
    if plan:
        costs = source.plan_lines(waiting, counts, price_in, price_out)
        show(make_console(), *count_lines(counts, cells), *costs, *_remarks(endpoint, tokenizer, judge, len(cells)))
        return
    for one in (endpoint, judge):
        if one is not None:
            one.check()
    builder = _builder(source.encoder(tokenizer, chat_format), haystack, cells, compat, max_new_tokens, own, system)
    test = NeedleRun(folder, records, cells, waiting, builder, judge, started)
    settings = {"model": source.name, **source.identity(), **_settings(cells, builder, own, system, compat)}
    for cell in waiting[:1]:
        builder.draft(cell)  # finds mistakes before files are written and weights loaded
    with records:
        records.claim()
        keep_settings(folder, settings, records)
        log.info("%s", "; ".join(count_lines(counts, cells)[:2]))
        summary = test.run(source, settings)
    _show(folder, summary, ran=bool(waiting))
    if summary["failed"] or summary.get("judge", {}).get("failed"):
        raise SystemExit(1)


def _remarks(endpoint: Endpoint | None, tokenizer: str | None, judge: Endpoint | None, prompts: int) -> Iterator[str]:
    """What a plan says beside the time or cost of the prompts."""
    if endpoint is not None and tokenizer == WORDS:
        yield f"all of this is in words, of which {endpoint.model} makes more tokens: it costs more"
    if judge is not None:
        yield f"and {counted(prompts, 'short call')} to the judge {judge.model} at {judge.url}"


def _settings(cells: list[Cell], builder: PromptBuilder, own: Item | None, system: str, compat: str) -> dict[str, Any]:
    """What the results depend on beside the model, for settings.json."""
    source = builder.haystack.source
    return {
        "task": cells[0].task,
        "language": cells[0].language,
        "lengths": sorted({cell.length for cell in cells}),
        "depths": sorted({cell.depth for cell in cells}),
        "seeds": len({cell.seed for cell in cells}),
        "haystack": {**source.record, "sha256": source.sha256},
        "tokenizer": builder.encoder.identity,
        "max_new_tokens": builder.max_new_tokens,
        "system": system,
        "needle": own and [own.needles[0], own.question, *own.answers],
        "compat": compat,
    }


def _builder(
    encoder: Any, path: str | None, cells: list[Cell], compat: str, max_new_tokens: int, own: Item | None, system: str
) -> PromptBuilder:
    longest = max(cell.length for cell in cells)
    if compat != "longalign":
        haystack = make_haystack(encoder, longest, path=path, language=cells[0].language)
        return Builder(haystack, encoder, max_new_tokens, own=own, system=system)
    if path is None:
        raise UserError("compat: LongAlign's own test needs texts of yours; give --haystack FOLDER")
    return CompatBuilder(tokenise(read_texts(path, joined=""), encoder, longest), encoder, max_new_tokens, own=own)


def _show(folder: Path, summary: dict[str, Any], *, ran: bool) -> None:
    show(make_console(), grid_table(summary), headline(summary), *notes(summary))
    if ran:
        seconds, share = summary["seconds"], 100 * summary["model_share"]
        parts = [f"{seconds[name]:.1f} s {what}" for name, what in _PARTS.items()]
        log.info("%.1f s, %.0f %% of it the model: %s", seconds["command"], share, ", ".join(parts))
    written = [folder / name for name in ("report.html", "heatmap.png", "summary.json", "results.csv")]
    log.info("%s", ", ".join(str(file) for file in written if file.exists()))


def _cells(
    lengths: str | list[int],
    depths: str | list[float],
    seeds: int,
    task: Task,
    language: Language,
    max_new_tokens: int,
) -> list[Cell]:
    sizes = _values("lengths", lengths)
    places = _values("depths", depths)
    check_positive(seeds=seeds)
    if min(sizes) < 1 or not all(size.is_integer() for size in sizes):
        raise UserError(f"lengths: got {lengths!r}, expected whole numbers of tokens")
    if min(sizes) <= max_new_tokens:
        raise UserError(
            f"lengths: {min(sizes):.0f} has no room beside the answer's {max_new_tokens} (--max_new_tokens)"
        )
    if not all(0 <= place <= 100 for place in places):
        raise UserError(f"depths: got {depths!r}, expected percents from 0 to 100")
    return grid(sorted({int(size) for size in sizes}), sorted(set(places)), seeds, task, language)


def _values(name: str, given: str | list[Any]) -> list[float]:
    """``"1000:60000:10"`` -> 10 whole numbers at even distances; ``"1000,4000"`` and [1000, 4000] -> these numbers."""
    if not isinstance(given, str):
        if not given:
            raise UserError(f"{name}: the list is empty")
        return [float(value) for value in given]
    try:
        if ":" in given:
            first, last, number = given.split(":")
            low, high, count = float(first), float(last), int(number)
            if count < 1 or (count == 1 and low != high):
                raise ValueError
            found = [float(round(low + (high - low) * n / max(count - 1, 1))) for n in range(count)]
            if (there := len(set(found))) < count:
                raise UserError(f"{name}: {given} has only {counted(there, 'whole number')}; give a list with commas")
            return found
        return [float(part) for part in given.split(",")]
    except (ValueError, OverflowError):
        raise UserError(f"{name}: got {given!r}, expected FIRST:LAST:COUNT or numbers with commas") from None


def _check(
    task: str,
    language: str,
    compat: str,
    seeds: int | None,
    max_new_tokens: int,
    batch_size: int,
    needle: str | None,
    question: str | None,
    answers: str | list[str] | None,
    system: str,
) -> None:
    check_positive(max_new_tokens=max_new_tokens, batch_size=batch_size)
    if system and compat != "none":
        raise UserError("system: --compat longalign has a system message of its own; leave --system out")
    if seeds not in (None, 1) and compat != "none":
        raise UserError("seeds: --compat longalign has one prompt for each length and depth; leave --seeds out")
    if language != "en" and compat != "none":
        raise UserError(f"language: the prompts of --compat longalign are English; got {language}, leave it out")
    if task != "single" and (compat != "none" or needle):
        raise UserError(f"task: {task} has its own sentences; --compat and --needle go with --task single")
    if needle is None and (question or answers):
        raise UserError("question and answers go with --needle, a sentence of your own")
    if needle is not None and (not needle.strip() or not question):
        raise UserError("needle: give a sentence, and with --question what is asked about it")
