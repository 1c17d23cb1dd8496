"""``longalign needle``: does a model find what is hidden in a long text? And the way back from a result to its prompt."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from longalign.commands.needle_models import AnySource, Plain, Where, open_source
from longalign.commands.needle_screen import grid_table
from longalign.commands.parse import call
from longalign.commands.screen import make_console, show
from longalign.errors import UserError
from longalign.evaluation.client import Endpoint
from longalign.evaluation.needle import compat as original
from longalign.evaluation.needle.build import Builder, grid
from longalign.evaluation.needle.haystack import Haystack, make_haystack, read_texts, tokenise
from longalign.evaluation.needle.judge import judge_rows, judge_summary
from longalign.evaluation.needle.plan import count, count_lines
from longalign.evaluation.needle.recipe import rebuild
from longalign.evaluation.needle.report import headline, notes, write_reports
from longalign.evaluation.needle.run import RESULTS, PromptBuilder, keep_settings, key, run_cells
from longalign.evaluation.needle.tasks import Cell, Item, Language, Task, own_item
from longalign.evaluation.needle.wording import SINGLE_QUESTION
from longalign.evaluation.records import Records

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and test, or rebuild."""
    try:
        call(rebuild_row if name == "needle rebuild" else needle, name, args)
    except UserError as error:  # said by code that knows the options of fit
        text = str(error).replace("model.model", "--model").replace("data.chat_format", "--chat_format")
        raise UserError(text.replace("model.attention", "--attention")) from error
    except KeyboardInterrupt:
        log.info("stopped; the same command goes on where it stopped")
        raise SystemExit(130) from None


def needle(
    out: str,
    model: str | None = None,
    base_url: str | None = None,
    api_model: str | None = None,
    fake: Literal["perfect", "blind", "recency"] | None = None,
    task: Task = "single",
    language: Language = "en",
    lengths: str | list[int] = "1000:60000:10",
    depths: str | list[float] = "10:90:10",
    seeds: int = 3,
    haystack: str | None = None,
    needle: str | None = None,
    question: str | None = None,
    answers: list[str] | None = None,
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
        out: folder of the results; a run that was stopped goes on in it.
        model: folder (exported, converted, or in ChatGLM3's own format) or hub name of a model to run here.
        base_url: OpenAI-compatible server to ask instead; its model is --api_model.
        api_model: name of the model at the server; without --base_url at OpenAI's own.
        fake: no model at all: finds everything, nothing, or what is in the last 8,000 tokens.
        task: single (the paper's sentence), kv (a number), multi_value (4 numbers of one key), multi_key (with other
            keys' numbers), variable_tracking (a chain of 5 variables).
        language: of the hidden sentences, the question, and the generated text.
        lengths: tokens of a whole prompt and its answer's room: FIRST:LAST:COUNT, or 1000,4000,16000.
        depths: where the sentence is hidden, in percent: FIRST:LAST:COUNT, or 0,50,100.
        seeds: prompts a cell, each with another place in the text, and with other numbers.
        haystack: folder of .txt and .md files, or one file; by default generated documents.
        needle: a sentence of your own for --task single, with --question.
        question: what is asked about it.
        answers: strings that a right answer holds; by default the whole sentence.
        system: system message, none by default.
        max_new_tokens: length of an answer at most; models that think need more.
        tokenizer: folder or hub name that lengths are counted with, by default the model's; "words" needs none.
        chat_format: of the prompts; auto is what the folder's longalign.json says, else the tokenizer's chat template.
        compat: longalign makes the prompts of LongAlign's own test, to the byte.
        plan: tell prompts, tokens, time or cost, and end.
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.
        dtype: of the weights; auto is bfloat16 on a GPU, float32 on a CPU unless that computes in bfloat16.
        attention: kernel that reads prompts, as model.attention of fit.
        batch_size: prompts answered together at most.
        gguf_file: a GGUF file in the model's folder.
        api_key_env: NAME of the environment variable with the server's API key.
        concurrency: requests open at a time.
        timeout_s: of one request, in seconds.
        max_retries: of one request.
        price_in: of a million tokens of prompts, for the plan.
        price_out: of a million tokens of answers.
        judge_model: a model at an OpenAI-compatible server that rates each answer from 1 to 10, beside the recall.
        judge_base_url: its server.
        judge_api_key_env: NAME of the environment variable with its API key.
    """
    started = time.monotonic()
    cells = _cells(lengths, depths, 1 if compat == "longalign" else seeds, task, language)
    _check(task, compat, max_new_tokens, batch_size, needle, question, answers)
    own = None if needle is None else own_item(needle, question or SINGLE_QUESTION, answers or [])
    judge = judge_model and Endpoint(judge_model, judge_base_url, judge_api_key_env, concurrency, timeout_s, max_retries)
    if judge:
        judge.check()
    endpoint = Endpoint(api_model or "", base_url, api_key_env, concurrency, timeout_s, max_retries)
    where = Where(device, dtype, attention, batch_size, gguf_file)
    source = open_source(model, endpoint if base_url or api_model else None, fake, where, max_new_tokens, plan)
    folder = Path(out).expanduser()
    records = Records(folder / RESULTS)
    waiting = [cell for cell in cells if not records.done(key(cell))]
    counts = count(cells, len(cells) - len(waiting), waiting, max_new_tokens)
    lines = count_lines(counts, cells)
    if plan:
        show(make_console(), *lines, *source.plan_lines(waiting, counts, price_in, price_out))
        return
    encoder = source.encoder(tokenizer, chat_format)
    hay = _haystack(encoder, haystack, cells, compat)
    builder: PromptBuilder = (
        original.CompatBuilder(hay, encoder, max_new_tokens, own=own)
        if compat == "longalign"
        else Builder(hay, encoder, max_new_tokens, own=own, system=system)
    )
    settings: dict[str, Any] = {
        "model": source.name,
        **source.identity(),
        "task": task,
        "language": language,
        "lengths": sorted({cell.length for cell in cells}),
        "depths": sorted({cell.depth for cell in cells}),
        "seeds": len({cell.seed for cell in cells}),
        "haystack": {**hay.source.record, "sha256": hay.source.sha256},
        "tokenizer": encoder.identity,
        "max_new_tokens": max_new_tokens,
        "system": system,
        "needle": own and {"needle": own.needles[0], "question": own.question, "answers": list(own.answers)},
        "compat": compat if compat != "none" else None,
    }
    keep_settings(folder, settings)
    log.info("%s; %s", *lines[:2])
    more: dict[str, Any] = {}
    with records:
        if waiting:
            builder.draft(waiting[0])  # mistakes come before the model's weights
            answerer, versions = source.open(encoder)
            seconds = run_cells(cells, builder, answerer, records, versions, _Progress(cells, records))
            more = {"seconds": {**seconds, "command": time.monotonic() - started}, "versions": versions}
        rows = _rows(cells, records)
        if judge:
            with Records(folder / "judgements.jsonl") as ratings:
                judge_rows(rows, judge, ratings)
                more["judge"] = judge_summary(ratings, rows, judge)
        summary = write_reports(folder, rows, settings, more)
    show(make_console(), grid_table(summary), headline(summary), *notes(summary))
    if seconds := more.get("seconds"):
        share = seconds["model"] / seconds["command"]
        log.info("%.1f s, %.0f %% of it the model; prompts built in %.1f s", seconds["command"], 100 * share, seconds["build"])
    log.info("%s", ", ".join(str(folder / name) for name in ("report.html", "heatmap.png", "summary.json", "results.csv")))


def rebuild_row(
    out: str,
    row: str,
    form: Literal["text", "messages", "ids"] = "text",
    haystack: str | None = None,
    tokenizer: str | None = None,
    gguf_file: str | None = None,
) -> None:
    """Print the prompt of a row of results.jsonl, made again from its recipe, after its hashes are checked.

    Args:
        out: folder of the results.
        row: its number in results.jsonl, from 1, or its key, such as 1000/10/0.
        form: text of the question with its document, messages as JSON, or the ids.
        haystack: where the texts are, if they have moved.
        tokenizer: folder or hub name, if it has moved; ids are checked with it.
        gguf_file: a GGUF file in the tokenizer's folder.
    """
    records = Records(Path(out).expanduser() / RESULTS)
    if not len(records):
        raise UserError(f"out: no {RESULTS} with rows in {out}")
    found = _find_row(records, row)
    encoder = _encoder_of(found, tokenizer, gguf_file, needed=form == "ids")
    rebuilt = rebuild(found, haystack=haystack, encoder=encoder)
    checked = "text and ids are" if rebuilt.input_ids is not None else "text is"
    log.info("row %s: its %s those of the run (sha256)", found["key"], checked)
    if form == "ids":
        text = " ".join(map(str, rebuilt.input_ids or []))
    elif form == "messages":
        text = json.dumps(rebuilt.messages, ensure_ascii=False)
    else:
        text = rebuilt.messages[-1]["content"]
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()


def _find_row(records: Records, row: str) -> Mapping[str, Any]:
    if not row.isdigit():
        found = records.get(row)
        if found is None:
            raise UserError(f"row: no row has the key {row!r}; expected a number, or a key such as 1000/10/0")
        return found
    lines = records.path.read_bytes().split(b"\n")
    if not 0 < int(row) <= len(lines) or not lines[int(row) - 1].strip():
        raise UserError(f"row: {records.path} has no line {row}; lines are counted from 1")
    return json.loads(lines[int(row) - 1])


def _encoder_of(row: Mapping[str, Any], tokenizer: str | None, gguf_file: str | None, *, needed: bool) -> Any:
    made = row.get("recipe") or {}
    identity = made.get("tokenizer")
    if not identity:
        return None
    try:
        return Plain(None).encoder(tokenizer or identity["name"], identity["chat_format"], gguf_file)
    except UserError as error:
        if needed or tokenizer or made.get("compat"):
            raise
        log.warning("ids are not checked: %s", error)
        return None


def _cells(
    lengths: str | list[int], depths: str | list[float], seeds: int, task: Task, language: Language
) -> list[Cell]:
    sizes = [int(value) for value in _values("lengths", lengths)]
    places = [float(value) for value in _values("depths", depths)]
    if seeds < 1:
        raise UserError(f"seeds: got {seeds}, expected 1 or more")
    if min(sizes) < 1:
        raise UserError(f"lengths: got {min(sizes)}, expected tokens")
    if not 0 <= min(places) <= max(places) <= 100:
        raise UserError(f"depths: got {min(places):g} to {max(places):g}, expected percents from 0 to 100")
    return grid(sorted(set(sizes)), sorted(set(places)), seeds, task, language)


def _values(name: str, given: str | list[Any]) -> list[int]:
    """``"1000:60000:10"`` -> 10 whole numbers at even distances; ``"1000,4000"`` -> those."""
    if not isinstance(given, str):
        if not given:
            raise UserError(f"{name}: the list is empty")
        return given
    try:
        if ":" in given:
            first, last, number = given.split(":")
            low, high, count = float(first), float(last), int(number)
            if count < 1 or (count == 1 and low != high):
                raise ValueError
            return [round(low + (high - low) * n / max(count - 1, 1)) for n in range(count)]
        return [float(part) if "." in part else int(part) for part in given.split(",")]  # type: ignore[misc]
    except ValueError:
        raise UserError(f"{name}: got {given!r}, expected FIRST:LAST:COUNT or numbers with commas") from None


def _check(
    task: str,
    compat: str,
    max_new_tokens: int,
    batch_size: int,
    needle: str | None,
    question: str | None,
    answers: list[str] | None,
) -> None:
    if max_new_tokens < 1 or batch_size < 1:
        raise UserError(f"max_new_tokens and batch_size: got {max_new_tokens} and {batch_size}, expected 1 or more")
    if task != "single" and (compat != "none" or needle):
        raise UserError(f"task: {task} has its own sentences; --compat and --needle go with --task single")
    if needle is None and (question or answers):
        raise UserError("question and answers go with --needle, a sentence of your own")
    if needle is not None and (not needle.strip() or not question):
        raise UserError("needle: give a sentence, and with --question what is asked about it")


def _haystack(encoder: Any, path: str | None, cells: list[Cell], compat: str) -> Haystack:
    longest = max(cell.length for cell in cells)
    if compat == "longalign":
        if path is None:
            raise UserError("compat: the original has no text of its own; give --haystack FOLDER")
        return tokenise(read_texts(path, joined=""), encoder, longest)
    return make_haystack(encoder, longest, path=path, language=cells[0].language)


def _rows(cells: list[Cell], records: Records) -> list[dict[str, Any]]:
    found = (records.get(key(cell)) for cell in cells)
    return [row for row in found if row is not None]


class _Progress:
    """Says when all cells of a length are answered."""

    def __init__(self, cells: list[Cell], records: Records) -> None:
        self._cells, self._records, self._started = cells, records, time.monotonic()

    def __call__(self, row: dict[str, Any]) -> None:
        if row["status"] == "failed":
            log.warning("%s: failed: %s", row["key"], row["error"])
        rows = [self._records.get(key(cell)) for cell in self._cells if cell.length == row["length"]]
        recalls = [known["recall"] for known in rows if known and known["status"] == "ok"]
        if None not in rows and recalls:
            mean = sum(recalls) / len(recalls)
            seconds = time.monotonic() - self._started
            log.info("%s tokens: recall %.2f (n=%d), %.1f s", f"{row['length']:,}", mean, len(recalls), seconds)


__all__ = ["AnySource", "needle", "rebuild_row", "run"]
