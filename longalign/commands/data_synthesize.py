"""``longalign data synthesize``: let a model behind an API write questions and answers about long documents."""

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call, check_positive, check_temperature, new_file
from longalign.counted import counted
from longalign.errors import UserError

if TYPE_CHECKING:
    from longalign.api.budget import Budget
    from longalign.api.endpoint import Endpoint
    from longalign.data.buckets import LengthRange
    from longalign.data.synthesis.documents import Document, Measure
    from longalign.data.synthesis.run import Checks, Setup, Synthesis
    from longalign.data.synthesis.selection import Candidate

log = logging.getLogger(__name__)

_MORE = "; more where rows fail a check"

_Groups = dict[tuple[str, str, str], Counter[str]]


def run(name: str, args: list[str]) -> None:
    """Parse ``args``, ask, and write the rows."""
    with interruptible():
        call(synthesize, name, args)


def synthesize(
    documents: str,
    out: str,
    api_model: str | None = None,
    count: int = 1000,
    buckets: str = "8k-16k:0.25,16k-32k:0.35,32k-64k:0.4",
    base_url: str | None = None,
    tokenizer: str | None = None,
    text_column: str = "text",
    max_new_tokens: int = 2048,
    temperature: float | None = 1.0,
    seed: int = 0,
    grounded: float | None = None,
    similar: float = 0.7,
    exclude: list[str] | str | None = None,
    plan: bool = False,
    price_in: float | None = None,
    price_out: float | None = None,
    max_cost: float | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    timeout_s: float = 600,
    max_retries: int = 6,
    skip_failed: bool = False,
) -> None:
    """Let a model write questions about long documents, and answer them, as LongAlign's data was made.

    For each document one of four tasks is drawn (general, summary, reasoning, extraction). The model is asked for five
    such questions in the document's language, English or Chinese; one of them is drawn, and the model answers it.
    Where an answer fails a check, another document takes its place. A run that was killed goes on with the same
    command. Without a model, `longalign data generate` writes long tasks with known answers.

    Args:
        documents: a folder, file or glob of .txt and .md files or of rows with a column of text, or a hub name.
        out: the file to write, .jsonl (.gz, .zst). OUT.work keeps all replies, OUT.report.json gets the counts.
        api_model: name of the model at the server.
        count: number of rows to write.
        buckets: lengths of the documents in tokens, as FROM-BELOW:SHARE of the rows (k is 1024). Documents that are
            longer than the longest bucket are cut to it.
        base_url: address of an OpenAI-compatible server; by default OpenAI's own.
        tokenizer: folder or hub name of a tokenizer that measures the documents; by default their lengths are
            estimated from their characters.
        text_column: key of the text, where documents are rows.
        max_new_tokens: greatest length of a reply in tokens (for questions at least 600); models that think need more.
        temperature: temperature of the model; null leaves it to the server.
        seed: seed for the order of the documents, their tasks, questions and frames.
        grounded: share (0 to 1) of an answer's words, numbers and pairs of Han characters that must be in its
            document; by default 0.7 for extraction, 0.5 for summary, 0.45 for the others.
        similar: Jaccard similarity (0 to 1) from which a document, or a question with its answer, counts as a repeated
            one and is left out.
        exclude: one or several files of evaluation sets (texts, or rows of JSON or Parquet). Documents and answers
            that share 13 words in a row with them, or 20 Han characters, are left out.
        plan: show documents, calls, tokens and cost, and stop before the first call.
        price_in: price of a million tokens read.
        price_out: price of a million tokens written.
        max_cost: stop before a call that might raise the cost of this run above this. Needs price_in and price_out. A
            request without an answer is charged in full.
        api_key_env: name of the environment variable that holds the API key.
        concurrency: number of requests at a time.
        timeout_s: time limit of a request in seconds.
        max_retries: how often a request is repeated after a failure that may be temporary.
        skip_failed: let other documents take the place of those whose requests still fail, and write the rows; by
            default nothing is written, and the next run repeats these requests.
    """
    from longalign.api.budget import Budget, Prices
    from longalign.api.endpoint import Endpoint
    from longalign.api.loop import run_loop
    from longalign.data.synthesis.overlap import Passages
    from longalign.data.synthesis.run import Checks, Setup, Synthesis
    from longalign.data.synthesis.selection import parse_buckets
    from longalign.files import write_json, write_jsonl
    from longalign.records import Records, refuse_other_setups

    _check(count, max_new_tokens, grounded, similar, api_model)
    target = new_file(out, (".jsonl", ".jsonl.gz", ".jsonl.zst"))
    check_temperature(temperature)
    quotas = parse_buckets(buckets, count)
    endpoint = Endpoint(str(api_model), base_url, api_key_env, concurrency, timeout_s, max_retries)
    budget = Budget(Prices(price_in, price_out), max_cost)
    checks = Checks(grounded, similar, Passages(_excluded([exclude] if isinstance(exclude, str) else exclude or [])))
    setup = Setup(str(api_model), seed, max_new_tokens, temperature)
    chosen = _candidates(documents, text_column, tokenizer, quotas, setup, checks)
    with Records(target.with_name(f"{target.name}.work")) as records:
        if not plan:
            records.claim()
        refuse_other_setups(records, {**vars(setup)}, "replies")
        work = Synthesis(documents, text_column, chosen, quotas, records, setup, checks, skip_failed)
        log.info("%s", budget.announce(endpoint.model, endpoint.url, *work.cost(), _MORE))
        if plan:
            return
        endpoint.check()
        run_loop(_ask(work, endpoint, budget))
        log.info("%s", budget)
        _check_outcomes(work, out)
        groups = _outcomes_by_group(work)
        report = target.with_name(f"{target.name}.report.json")
        written = write_jsonl(
            target, work.rows(), report=lambda rows: write_json(report, _counts(work, groups, rows, count, budget))
        )
    _show(groups, work)
    if written < count:
        log.warning("%d of %d rows: no candidates are left; give more documents, or other --buckets", written, count)
    log.info("%s in %s", counted(written, "row"), target)


async def _ask(work: "Synthesis", endpoint: "Endpoint", budget: "Budget") -> None:
    from longalign.api.client import ChatClient

    async with ChatClient(endpoint) as client:
        await work.run(client, budget)


def _check(count: int, max_new_tokens: int, grounded: float | None, similar: float, api_model: str | None) -> None:
    if not api_model:
        raise UserError(
            "api_model: give the model that writes, and --base_url of its server; without any, "
            "longalign data generate writes long tasks with known answers"
        )
    check_positive(count=count, max_new_tokens=max_new_tokens)
    for name, share in (("grounded", grounded), ("similar", similar)):
        if share is not None and not 0 <= share <= 1:
            raise UserError(f"{name}: got {share}, expected 0 to 1")


def _candidates(
    documents: str, column: str, tokenizer: str | None, quotas: dict[str, int], setup: "Setup", checks: "Checks"
) -> dict[str, list["Candidate"]]:
    """Read and measure the documents, say how many there are, and choose each bucket's candidates.

    Raises:
        UserError: there are no documents of these lengths, or a reply's length leaves no room for them.
    """
    from longalign.data.buckets import length_range
    from longalign.data.synthesis.selection import candidates

    ranges = [length_range(bucket, "buckets") for bucket in quotas]
    # beside the document: a question, its answer and the chat format
    room = int(ranges[-1].below or 0) - setup.max_new_tokens - 300
    if room < ranges[-1].low:
        raise UserError(f"max_new_tokens: {setup.max_new_tokens} leaves no room for a document in the longest bucket")
    known = _read(documents, column, _measure(tokenizer), room, checks.similar, checks.passages)
    chosen = candidates(known, quotas, setup.seed)
    _say_documents(known, ranges, {bucket: len(found) for bucket, found in chosen.items()}, quotas)
    return chosen


def _check_outcomes(work: "Synthesis", out: str) -> None:
    """End with status 1 if requests have failed that the same command would try again.

    Raises:
        UserError: no row is left to write.
    """
    from longalign.data.synthesis.run import NO_REPLY

    outcomes = work.outcomes()
    failed = sum(reason == NO_REPLY for reason in outcomes.values())
    if failed and not work.skip_failed:
        log.warning(
            "%s failed: the same command tries again; with --skip_failed true other documents then take the place "
            "of what fails once more; %s is not written yet",
            counted(failed, "request"),
            out,
        )
        raise SystemExit(1)
    if not any(reason is None for reason in outcomes.values()):
        raise UserError(f"out: no row is left to write: {_reasons(Counter(outcomes.values()))}")


def _measure(tokenizer: str | None) -> "Measure":
    from longalign.data.synthesis.documents import estimate

    if tokenizer is None:
        log.info("lengths are estimated from characters; --tokenizer DIR counts tokens")
        return estimate
    from longalign.chat.tokenizer import TokenCount, load_tokenizer

    return TokenCount(load_tokenizer(tokenizer))


def _excluded(paths: list[str]) -> list[str]:
    """All texts in the files; of rows, all strings in them."""
    from longalign.data.documents import TEXT_SUFFIXES, read_documents
    from longalign.data.sources import SUFFIXES, find_files, read_rows

    texts: list[str] = []
    for path in paths:
        for file in find_files(path, "exclude", SUFFIXES + TEXT_SUFFIXES):
            if file.endswith(TEXT_SUFFIXES):
                texts += [text for _, text in read_documents(file, "exclude")]
            else:
                texts += [text for _, row in read_rows(file, "exclude") for text in _strings(row)]
    return texts


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _strings(one)]


def _read(path: str, column: str, measure: "Measure", longest: int, similar: float, passages: Any) -> list["Document"]:
    """Measure the documents, leaving out near duplicates and those with a passage of an evaluation set."""
    from longalign.data.synthesis.documents import describe, read_texts
    from longalign.data.synthesis.overlap import NearDuplicates

    near, left_out, found = NearDuplicates(similar, every=16), Counter[str](), []
    for where, sha256, text in read_texts(path, column, left_out):
        if passages.in_text(text):
            left_out["with a passage of an evaluation set"] += 1
        elif near.seen(text):
            left_out["nearly the same as another"] += 1
        else:
            found.append(describe(where, sha256, text, measure, longest))
    if left_out:
        log.info("documents left out: %s", _reasons(left_out))
    if not found:
        raise UserError(f"documents: {path} has no text that can be used")
    return found


def _say_documents(
    known: list["Document"], ranges: list["LengthRange"], there: dict[str, int], quotas: dict[str, int]
) -> None:
    from longalign.data.synthesis.documents import count_reasons
    from longalign.data.synthesis.selection import TASKS

    counts = count_reasons(known, ranges)
    log.info("%s%s", counted(len(known), "document"), f" ({_reasons(counts)})" if counts else "")
    for bucket, quota in quotas.items():
        documents = there[bucket] // len(TASKS)
        note = ""
        if there[bucket] < quota:
            note = f": {counted(quota - there[bucket], 'row')} will be missing"
        elif documents < quota:
            note = ": documents are used several times, each time for another task"
        rows, source = counted(quota, "row"), counted(documents, "document")
        log.info("  %s tokens: %s from %s%s", bucket, rows, source, note)
    if not any(there.values()):
        raise UserError("buckets: no document has such a length; give longer documents, or other --buckets")


def _reasons(counts: Counter[Any]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items(), key=str) if reason)


def _outcomes_by_group(work: "Synthesis") -> _Groups:
    """How many requests had which outcome, by bucket, task and language."""
    groups: _Groups = {}
    for one, reason in work.outcomes().items():
        group = groups.setdefault((one.bucket, one.task, one.document.language), Counter())
        group[reason or "kept"] += 1
    return groups


def _show(groups: _Groups, work: "Synthesis") -> None:
    from longalign.commands.screen import make_console, make_table, show

    table = make_table("tokens", "task", "language", "asked", "kept", "dropped")
    for name in sorted(groups, key=lambda name: ([*work.quotas].index(name[0]), name)):
        reasons = groups[name]
        dropped = Counter({reason: number for reason, number in reasons.items() if reason != "kept"})
        table.add_row(*name, str(reasons.total()), str(reasons["kept"]), _reasons(dropped))
    show(make_console(), table)


def _counts(work: "Synthesis", groups: _Groups, written: int, count: int, budget: "Budget") -> dict[str, Any]:
    """The report: what became of the requests, and what they cost."""
    heads = ("bucket", "task", "language")
    rows = [{**dict(zip(heads, name, strict=True)), "outcomes": dict(counts)} for name, counts in groups.items()]
    usage = [row["tokens"] for row in work.records.rows() if "tokens" in row]  # by the server, in all runs
    tokens = [budget.tokens_in, budget.tokens_out]
    return {
        "rows": written,
        "asked_for": count,
        "setup": vars(work.setup),
        "groups": rows,
        "calls": len(usage),
        "tokens": [sum(each) for each in zip(*usage, strict=True)],
        "this_run": {"calls": budget.calls, "tokens": tokens, "cost": budget.spent},
    }
