"""``longalign longbench-chat judge | compare``: have a model's answers rated, and compare the ratings of models."""

import itertools
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from longalign.api.budget import Budget, Prices
from longalign.api.client import ChatClient, Endpoint
from longalign.api.loop import run_loop
from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call, check_positive, check_temperature
from longalign.counted import counted
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case, read_cases
from longalign.evaluation.longbench_chat.compare import compare as compare_runs
from longalign.evaluation.longbench_chat.compare import is_same_model, read_run
from longalign.evaluation.longbench_chat.judge import ORIGINAL_TRIES, UNPARSABLE, Job, JudgeSetup, plan, rate, to_do
from longalign.evaluation.longbench_chat.prompts import load_prompt
from longalign.evaluation.longbench_chat.released import read_predictions, write_scores
from longalign.evaluation.longbench_chat.report import write
from longalign.evaluation.longbench_chat.suite import LENGTH, built_in_cases, parse_source, source_name
from longalign.evaluation.longbench_chat.tables import markdown
from longalign.records import FAILED, Records, Row

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and judge or compare."""
    if name.endswith("judge"):
        with interruptible():
            call(judge, name, args)
        return
    runs = list(itertools.takewhile(lambda arg: not arg.startswith("-"), args))
    if not args:
        raise UserError("give one or more runs: longalign longbench-chat compare A B [--out FOLDER]")
    call(compare, name, [*([f"--runs={json.dumps(runs)}"] if runs else []), *args[len(runs) :]])


def judge(
    run: str,
    api_model: str,
    base_url: str | None = None,
    test_cases: str | None = None,
    few_shots: str | None = None,
    preset: Literal["few_shot", "zero_shot", "qa", "summary"] = "few_shot",
    protocol: Literal["paper", "original"] = "paper",
    repeats: int | None = None,
    template: str | None = None,
    system: str | None = None,
    temperature: float | None = 0.0,
    max_tokens: int = 1024,
    seed: int = 0,
    price_in: float | None = None,
    price_out: float | None = None,
    max_cost: float | None = None,
    plan_only: bool = False,
    retry_unparsable: bool = False,
    out: str | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    timeout_s: float = 600,
    max_retries: int = 6,
) -> None:
    """Have the answers of a run rated by a model behind any OpenAI-compatible API.

    The ratings go into judgements.jsonl in the run's folder. The same command again asks for ratings that are missing.

    Args:
        run: folder of `longbench-chat predict`, or a .txt file of the released code with one answer a line.
        api_model: name of the judge. Give one with a date: the model behind an undated name changes.
        base_url: address of the API, such as http://localhost:8000/v1; OpenAI's own by default.
        test_cases: the published test_cases.json, if the answers are to its questions.
        few_shots: the published few_shots.json, with three rated examples for each case.
        preset: few_shot is LongBench-Chat's judge (1 to 10), zero_shot the same without examples; qa (1 to 3) and
            summary (1 to 5) rate like LongBench's judges.
        protocol: paper shuffles the examples by seed and averages the repeats; original does as the released code: no
            shuffling, one rating, newlines of the answer become spaces, any number in the last brackets counts.
        repeats: ratings of each answer, each with the examples in another order: 2 by default, as in the paper, and 1
            for prompts without examples.
        template: file with a prompt of your own in place of the preset's, or the published prompt_fs.txt.
        system: system message in place of the preset's.
        temperature: temperature of the judge; null leaves it to the server.
        max_tokens: most tokens of the judge's reply. A model that thinks needs more than the default.
        seed: seed of the order of the examples.
        price_in: price of a million tokens read; with both prices the cost is shown before the first call.
        price_out: price of a million tokens written.
        max_cost: stop before a call that might make this run cost more; a request without an answer counts in full.
        plan_only: show the number of calls and tokens, and the cost, and stop.
        retry_unparsable: ask again for ratings that could not be read.
        out: file of the ratings; judgements.jsonl in the run's folder by default. Each judge needs a file of its own.
        api_key_env: name of the environment variable with the API key.
        concurrency: most requests at a time.
        timeout_s: seconds after which a request has failed.
        max_retries: how often a request is repeated whose failure may be temporary.
    """
    check_positive(repeats=repeats, max_tokens=max_tokens)
    check_temperature(temperature)
    prompt = load_prompt(preset, template, system)
    original = protocol == "original"
    if original:
        repeats = _check_original(preset, repeats, template is None or system is None)
    each = repeats or (2 if prompt.examples else 1)
    setup = JudgeSetup(api_model, preset, prompt.key, prompt.scale, protocol, each, temperature, max_tokens, seed)
    predictions, cases, file = _read_run(run, test_cases, few_shots)
    endpoint = Endpoint(api_model, base_url, api_key_env, concurrency, timeout_s, max_retries)
    endpoint.check()
    budget = Budget(Prices(price_in, price_out), max_cost)
    with Records(Path(out).expanduser() if out else file) as records:
        if not plan_only:
            records.claim()
        everything = plan(cases, predictions, setup, prompt)
        jobs = to_do(everything, records, setup, retry_unparsable)
        _say_plan(jobs, len(everything), endpoint, budget, predictions, original)
        if plan_only:
            return
        if jobs:
            run_loop(_rate(jobs, records, setup, endpoint, budget))
            log.info("%s", budget)
        _finish(records, cases, predictions, original)


def compare(runs: list[str], out: str | None = None, seed: int = 0) -> None:
    """Show means with 95 % intervals, by language and length, and paired differences: ``compare A B … [--out FOLDER]``.

    Args:
        runs: folders of runs that were judged in the same way, or files of ratings; of a single run the means are
            shown. They may stand in front of the options, without --runs.
        out: folder for compare.md, compare.csv, compare.html and compare.json.
        seed: seed of the bootstrap.
    """
    comparison = compare_runs([read_run(path) for path in runs], seed)
    print(markdown(comparison), end="")
    if out is not None:
        log.info("wrote %s", ", ".join(map(str, write(comparison, out))))


def load_cases(
    test_cases: str | None, few_shots: str | None, length: int = LENGTH, seed: int = 0
) -> tuple[list[Case], str]:
    """The cases of the published files, or else the built-in ones, and the name of their source for rows of answers."""
    if test_cases is None:
        if few_shots is not None:
            raise UserError("few_shots: belongs to a --test_cases file, which is not given")
        return built_in_cases(length, seed), source_name(length, seed)
    return read_cases(test_cases, few_shots), Path(test_cases).name


def _read_run(run: str, test_cases: str | None, few_shots: str | None) -> tuple[list[Row], list[Case], Path]:
    """A run's answers (without failed ones), its cases, and the file in which its ratings go by default."""
    path = Path(run).expanduser()
    if path.suffix == ".txt" and path.is_file():
        cases, _ = load_cases(test_cases, few_shots)
        return read_predictions(path, cases), cases, path.with_suffix(".judgements.jsonl")
    file = path / "predictions.jsonl"
    if not file.is_file():
        raise UserError(f"run: {run} has no predictions.jsonl; run longalign longbench-chat predict --out {run} first")
    rows = Records(file).rows()
    answers = [row for row in rows if row.get("status") != FAILED]
    if not answers:
        raise UserError(f"run: {file} holds no answers")
    if not all({"case", "text", "setup", "full_tokens", "cut_tokens"} <= row.keys() for row in answers):
        raise UserError(f"run: the rows of {file} are no answers of longalign longbench-chat predict")
    length, seed = parse_source(answers[0].get("source", "")) if test_cases is None else (LENGTH, 0)
    cases, _ = load_cases(test_cases, few_shots, length, seed)
    if missing := {case.key for case in cases} - {row["case"] for row in answers}:
        log.warning("%s without an answer, left out of all means; predict goes on", counted(len(missing), "case"))
    return answers, cases, path / "judgements.jsonl"


def _check_original(preset: str, repeats: int | None, own_words: bool) -> int:
    """Check the options of protocol original, and warn if its prompts are our own; returns its ratings of an answer."""
    if preset != "few_shot" or repeats not in (None, 1):
        raise UserError("protocol original is for --preset few_shot and one rating; leave --preset and --repeats out")
    if own_words:
        log.warning(
            "protocol original with prompts of our own: for the published ones give your copy of prompt_fs.txt as "
            "--template, and the system_prompt of eval.py as --system"
        )
    return 1


def _say_plan(
    jobs: Sequence[Job], total: int, endpoint: Endpoint, budget: Budget, predictions: Sequence[Row], original: bool
) -> None:
    """Log the calls, tokens and cost before the first call.

    Raises:
        UserError: the calls may cost more than --max_cost.
    """
    model = predictions[0]["setup"]["model"]
    if is_same_model(model, endpoint.model):
        log.warning("%s rates its own answers; models prefer their own: take a judge of another family", model)
    if not jobs:
        log.info("there already: %d of %d ratings", total, total)
        return
    note = f" (there already: {total - len(jobs)} of {total} ratings)" if len(jobs) < total else ""
    note += f"; a rating that cannot be read is asked for {ORIGINAL_TRIES} times" if original else ""
    tokens_in, tokens_out = (sum(job.tokens[i] for job in jobs) for i in (0, 1))
    log.info("%s", budget.announce(endpoint.model, endpoint.url, len(jobs), tokens_in, tokens_out, note))


async def _rate(jobs: Sequence[Job], records: Records, setup: JudgeSetup, endpoint: Endpoint, budget: Budget) -> None:
    async with ChatClient(endpoint) as client:
        await rate(jobs, records, setup, client, budget)


def _finish(records: Records, cases: Sequence[Case], predictions: Sequence[Row], original: bool) -> None:
    """Print the run's table, and the released scores file for protocol original; exit status 1 if ratings failed."""
    found = read_run(records.path)
    failed, unread = found.count(FAILED), found.count(UNPARSABLE)
    if original:
        own = records.path.name == "judgements.jsonl"
        file = records.path.with_name("scores.json" if own else f"{records.path.stem}.scores.json")
        write_scores(file, cases, predictions, found.rows)
        log.info("wrote %s in the released code's format", file)
    print(markdown(compare_runs([found])), end="")
    if unread:
        unreadable = counted(unread, "unreadable rating")
        log.warning("%s, left out of the mean; --retry_unparsable true asks again", unreadable)
    if failed:
        log.warning("%s failed: the same command tries again", counted(failed, "rating"))
        raise SystemExit(1)
