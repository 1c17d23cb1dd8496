"""``longalign data synthesize``: questions on your long documents and their answers, written by a model behind an API.

Self-Instruct as in LongAlign (Bai et al. 2024, section 3.1): see `longalign.data.synthesis`.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longalign.api.budget import Budget, Prices
from longalign.api.client import ChatClient, Endpoint
from longalign.commands.longbench_chat import interruptible
from longalign.commands.parse import call
from longalign.errors import UserError
from longalign.records import Records

if TYPE_CHECKING:
    from longalign.data.synthesis.plan import Pick
    from longalign.data.synthesis.rows import Result
    from longalign.data.synthesis.run import Setup

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and synthesize."""
    with interruptible():
        call(synthesize, name, args)


def synthesize(
    documents: str,
    out: str,
    api_model: str,
    count: int,
    base_url: str | None = None,
    text_column: str = "text",
    buckets: str = "8k-16k:0.25,16k-32k:0.35,32k-64k:0.4",
    tokenizer: str | None = None,
    max_uses: int = 4,
    seed: int = 0,
    temperature: float | None = None,
    max_tokens_questions: int = 1024,
    max_tokens_answer: int = 2048,
    exclude: str | list[str] | None = None,
    grounded_extraction: float = 0.7,
    grounded_summary: float = 0.5,
    grounded_other: float = 0.3,
    new_numbers: int = 0,
    duplicate_documents: float | None = 0.8,
    duplicate_rows: float | None = 0.7,
    price_in: float | None = None,
    price_out: float | None = None,
    max_cost: float | None = None,
    plan: bool = False,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    timeout_s: float = 600,
    max_retries: int = 6,
) -> None:
    """Have a model ask and answer questions on long documents (LongAlign's Self-Instruct), and write conversations.

    Each row takes two calls: five questions of one type (general, summary, reasoning, extraction), then the answer to
    one of them. Every reply is kept in OUT.work: a run that ends early goes on with the same command, and with OUT
    deleted other thresholds ask for nothing again.

    Args:
        documents: file, folder, glob or hub name: .txt, .md, or rows of JSON or Parquet with a text column.
        out: the file of conversations to write, .jsonl; OUT.report.json has the counts.
        api_model: the model that writes questions and answers, with a context longer than the longest bucket.
        count: rows to ask for. Those that a check drops are not replaced.
        base_url: address of the API, such as http://localhost:8000/v1; OpenAI's own by default.
        text_column: of rows.
        buckets: lengths of documents in tokens (k is 1024) and their shares of count. Shorter documents are left
            out, longer ones cut at the end of a paragraph or sentence.
        tokenizer: folder or hub name, to count the tokens of documents; estimated without one.
        max_uses: how often a document may be used, each time for another type of task, where a bucket has too few.
        seed: of all draws; each depends on the seed and its document alone.
        temperature: of the model; left to the server by default.
        max_tokens_questions: of the reply with the questions. A model that thinks needs more.
        max_tokens_answer: of an answer; one that is not ended is dropped.
        exclude: evaluation sets (files as documents, or rows of any texts): documents, questions and answers with 13
            words or 20 Chinese characters in a row of theirs are left out. A list is written '["a.jsonl", "b.txt"]'.
        grounded_extraction: least share of an extraction's words, numbers and pairs of Chinese characters that occur
            in the document.
        grounded_summary: the same for summaries.
        grounded_other: the same for general questions and reasoning.
        new_numbers: numbers in an extraction's answer, at most, that neither document nor question has.
        duplicate_documents: documents whose runs of five words are alike by this much (Jaccard) count once; null does
            not compare them.
        duplicate_rows: the same for questions with their answers, by three words.
        price_in: money for a million tokens read, to say the cost before the first call.
        price_out: money for a million tokens written.
        max_cost: stop before a call that might make this run cost more.
        plan: say documents, calls, tokens and cost, and stop.
        api_key_env: name of the environment variable with the API key.
        concurrency: requests at a time.
        timeout_s: of a request.
        max_retries: of a request that failed in a way that may pass.
    """
    from longalign.data.documents import read_documents
    from longalign.data.synthesis.buckets import parse_buckets
    from longalign.data.synthesis.overlap import EvaluationTexts, NearDuplicates
    from longalign.data.synthesis.quality import Thresholds
    from longalign.data.synthesis.rows import collect
    from longalign.data.synthesis.run import Setup

    _check(count, max_uses, max_tokens_questions, max_tokens_answer, new_numbers)
    shares = (("grounded_extraction", grounded_extraction), ("grounded_summary", grounded_summary),
              ("grounded_other", grounded_other))  # fmt: skip
    for name, value in shares:
        if not 0 <= value <= 1:
            raise UserError(f"{name}: got {value:g}, expected 0 to 1")
    target = Path(out).expanduser()
    if target.exists():
        raise UserError(f"out: {out} exists already; give a new file")
    endpoint = Endpoint(api_model, base_url, api_key_env, concurrency, timeout_s, max_retries)
    endpoint.check()
    budget = Budget(Prices(price_in, price_out), max_cost)
    own_buckets = parse_buckets(buckets)
    like_documents = NearDuplicates(duplicate_documents, 5, "duplicate_documents") if duplicate_documents else None
    like_rows = NearDuplicates(duplicate_rows, 3, "duplicate_rows") if duplicate_rows else None
    evaluation = EvaluationTexts([exclude] if isinstance(exclude, str) else exclude or [])
    if exclude:
        log.info("exclude: %d texts, of which %d are too short to be compared", evaluation.texts, evaluation.short)

    def texts() -> Iterator[tuple[str, str]]:
        return read_documents(documents, "documents", column=text_column)

    picks = _plan(texts, own_buckets, tokenizer, like_documents, evaluation, count, max_uses, seed)
    setup = Setup(api_model, temperature, max_tokens_questions, max_tokens_answer, seed)
    with Records(target.with_name(f"{target.name}.work")) as records:
        missing = _announce(picks, records, setup, endpoint, budget)
        if plan:
            return
        if missing:
            asyncio.run(_ask(picks, records, setup, endpoint, budget))
            log.info("this run: %s", budget)
        thresholds = Thresholds(grounded_extraction, grounded_summary, grounded_other, new_numbers)
        result = collect(picks, records, setup, thresholds, like_rows, evaluation)
    _finish(result, target, budget)


def _check(count: int, max_uses: int, max_tokens_questions: int, max_tokens_answer: int, new_numbers: int) -> None:
    from longalign.data.synthesis.prompts import TASKS

    for name, value, low in (
        ("count", count, 1),
        ("max_tokens_questions", max_tokens_questions, 1),
        ("max_tokens_answer", max_tokens_answer, 1),
        ("new_numbers", new_numbers, 0),
    ):
        if value < low:
            raise UserError(f"{name}: got {value}, expected {low} or more")
    if not 1 <= max_uses <= len(TASKS):
        raise UserError(
            f"max_uses: got {max_uses}, expected 1 to {len(TASKS)}, as there are {len(TASKS)} types of task"
        )


def _plan(
    texts: Any, buckets: Any, tokenizer: str | None, like: Any, evaluation: Any, count: int, max_uses: int, seed: int
) -> "list[Pick]":
    """Survey the documents, say what there is, and pick.

    Raises:
        UserError: no document can be used.
    """
    from longalign.data.synthesis.lengths import ROUGH, token_ends
    from longalign.data.synthesis.plan import load_picks, pick, survey

    if tokenizer is None:
        log.info("lengths are %s", ROUGH)
    found = survey(texts(), buckets, token_ends(tokenizer), like, evaluation)
    changes = [f"{number} {what}" for what, number in (found.left_out + found.changed).items()]
    said = f"{len(found.documents)} documents can be used" + "".join(f"; {change}" for change in changes)
    if not found.documents:
        raise UserError(f"documents: {said}; give longer documents, or other --buckets")
    log.info("%s", said)
    chosen, lines = pick(found.documents, buckets, count, max_uses, seed)
    for line in lines:
        log.info("%s", line)
    return load_picks(chosen, texts(), seed)


def _announce(picks: "Sequence[Pick]", records: Records, setup: "Setup", endpoint: Endpoint, budget: Budget) -> bool:
    """Say what will be asked and what it may cost; whether there is anything to ask."""
    from longalign.data.synthesis.run import expected_calls

    calls, tokens_in, tokens_out = expected_calls(picks, records, setup)
    if not calls:
        log.info("all replies are there")
        return False
    note = f" ({len(records)} replies are there)" if len(records) else ""
    cost = budget.prices.cost(tokens_in, tokens_out)
    if budget.max_cost is not None and cost > budget.max_cost:
        note += f"; this run stops before {budget.max_cost:g} (max_cost), and the same command goes on"
    unlimited = Budget(budget.prices, None)
    log.info("%s", unlimited.announce(endpoint.model, endpoint.url, calls, tokens_in, tokens_out, note))
    return True


async def _ask(picks: "Sequence[Pick]", records: Records, setup: "Setup", endpoint: Endpoint, budget: Budget) -> None:
    from longalign.data.synthesis.run import ask_missing

    async with ChatClient(endpoint) as client:
        await ask_missing(picks, records, setup, client, budget)


def _finish(result: "Result", target: Path, budget: Budget) -> None:
    """The report, then the conversations: where these are, all is there.

    Raises:
        UserError: no row is kept.
    """
    from longalign.data.synthesis.report import as_json, table
    from longalign.data.synthesis.rows import REQUEST_FAILED
    from longalign.data.synthetic import write_jsonl
    from longalign.files import write_json

    cost = budget.prices.cost(result.tokens_in, result.tokens_out)
    priced = budget.prices.tokens_in is not None
    print(table(result), end="")
    money = f", cost {cost:.4f}" if priced else ""
    print(f"{result.calls} replies: {result.tokens_in:,} tokens in, {result.tokens_out:,} out{money}")
    target.parent.mkdir(parents=True, exist_ok=True)
    report = target.with_name(f"{target.name}.report.json")
    write_json(report, as_json(result) | {"cost": cost if priced else None})
    if not result.rows:
        raise UserError(f"no row is kept, so {target} is not written; {report} says why")
    written = write_jsonl(target, result.rows)
    log.info("%d conversations in %s, counts in %s", written, target, report)
    if failed := result.reasons()[REQUEST_FAILED]:
        log.warning("%d rows failed; delete %s and give the same command to try them again alone", failed, target)
