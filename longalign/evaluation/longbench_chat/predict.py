"""Get a model's answers to the cases, from a model in this process or from an endpoint; each answer is a row.

A row records everything that its answer depends on (``setup``). A file holds the answers of one setup only.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from longalign.api.budget import Budget, Call, ask_within
from longalign.api.client import ChatClient, Completion, RequestFailed
from longalign.api.thoughts import split_thoughts
from longalign.counted import counted
from longalign.evaluation.longbench_chat.cases import Case, row_key
from longalign.evaluation.longbench_chat.fit import Meter, Prompt, fit_case
from longalign.records import FAILED, OK, Records, Row, refuse_other_setups

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """Everything that an answer depends on beside its case."""

    model: str
    max_length: int | None
    max_new_tokens: int
    temperature: float | None
    seed: int
    chat_format: str | None = None  # of a model in this process
    weights: str | None = None  # fingerprint of a local folder
    dtype: str | None = None  # of a model in this process
    tokenizer: str | None = None  # by which documents were cut for an endpoint: a folder's fingerprint, or a hub name

    def key(self, case: Case) -> str:
        """The key of the row with this setup's answer to a case."""
        return row_key("prediction", asdict(self), case.key)


@dataclass(frozen=True)
class Answer:
    """An answer of a model in this process. ``ended``: by a stop token, not by ``max_new_tokens``."""

    text: str
    ended: bool
    tokens: int
    seconds: float


def to_do(cases: Sequence[Case], records: Records, setup: Setup) -> list[Case]:
    """The cases that have no answer yet.

    Raises:
        UserError: the file has answers of another setup.
    """
    refuse_other_setups(records, asdict(setup), "answers")
    return [case for case in cases if not records.done(setup.key(case))]


def predict_here(
    cases: Sequence[Case],
    records: Records,
    setup: Setup,
    source: str,
    how: Meter,
    generate: Callable[[list[int], int], Answer],
    max_length: int | None,
) -> None:
    """Answer one case after the other with a model in this process, and append each answer to ``records``.

    Args:
        source: where the cases come from, for the rows.
        how: measures prompts by the model's tokenizer and chat format.
        generate: ``generate(ids, seed)`` gives the answer to a prompt.
        max_length: tokens of prompt and answer together: the setup's, or the model's own context.
    """
    for case in cases:
        prompt = fit_case(case, how, max_length, setup.max_new_tokens)
        answer = generate(prompt.ids, setup.seed)
        reason = "stop" if answer.ended else "length"
        found = Completion(answer.text, reason, prompt.tokens, answer.tokens, setup.model, answer.seconds)
        _keep(records, setup, source, case, prompt, found)


def fit_all(cases: Sequence[Case], setup: Setup, how: Meter) -> list[tuple[Case, Prompt]]:
    """The prompts of all cases for an endpoint, made before the first is sent so that their cost is known."""
    return [(case, fit_case(case, how, setup.max_length, setup.max_new_tokens)) for case in cases]


async def predict_there(
    prompts: Sequence[tuple[Case, Prompt]],
    records: Records,
    setup: Setup,
    source: str,
    client: ChatClient,
    budget: Budget,
) -> None:
    """Get answers from an endpoint, many at a time. A failed request is a row, too; the next run tries it again.

    Raises:
        UserError: what `ask_within` raises.
    """
    parameters: dict[str, Any] = {"max_tokens": setup.max_new_tokens}
    if setup.temperature is not None:
        parameters["temperature"] = setup.temperature
    if setup.temperature != 0:
        parameters["seed"] = setup.seed
    calls = (Call((case, prompt), _ask(prompt), parameters, setup.max_new_tokens) for case, prompt in prompts)

    def done(key: tuple[Case, Prompt], result: Completion | RequestFailed) -> None:
        _keep(records, setup, source, *key, result)

    await ask_within(budget, client, calls, done)


def failures(records: Records, setup: Setup) -> int:
    """How many cases have no answer because their requests failed under this setup."""
    return sum(row["status"] == FAILED and row["setup"] == asdict(setup) for row in records.rows())


def summary(records: Records, setup: Setup) -> str:
    """A line: how many answers there are, and how many were cut, ended early, are empty or failed."""
    rows = [row for row in records.rows() if row["status"] != FAILED]
    counts = {
        "cut in the middle of the document": sum(row["cut_tokens"] > 0 for row in rows),
        "ended by max_new_tokens": sum(row["finish_reason"] == "length" for row in rows),
        "empty": sum(not row["text"].strip() for row in rows),
        "failed": failures(records, setup),
    }
    special = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{counted(len(rows), 'answer')} in {records.path}" + (f" ({special})" if special else "")


def _ask(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt.text}]


def _keep(
    records: Records, setup: Setup, source: str, case: Case, prompt: Prompt, result: Completion | RequestFailed
) -> None:
    row: Row = {
        "key": setup.key(case),
        "case": case.key,
        "idx": case.idx,
        "language": case.language,
        "source": source,
        "setup": asdict(setup),
        "full_tokens": prompt.tokens + prompt.cut_tokens,  # like cut_tokens by the meter, which may be an estimate
        "cut_tokens": prompt.cut_tokens,
        "truncated": prompt.cut_tokens > 0,
        "prompt_sha256": hashlib.sha256(prompt.text.encode(errors="surrogatepass")).hexdigest(),
        "query": case.query,
        "reference": case.answer,
    }
    if isinstance(result, RequestFailed):
        records.append(row | {"status": FAILED, "error": str(result)})
        log.warning("case %d failed: %s", case.idx, result)
        return
    thoughts, text = split_thoughts(result.text)
    found = {
        "status": OK,
        "text": text,
        "finish_reason": result.finish_reason,
        "prompt_tokens": result.prompt_tokens or prompt.tokens,
        "new_tokens": result.completion_tokens,
        "served_model": result.served_model,
        "system_fingerprint": result.system_fingerprint,
        "seconds": round(result.seconds, 3),
    }
    records.append(row | found | ({"thoughts": thoughts} if thoughts else {}))
    cut = f", {prompt.cut_tokens:,} more were cut out of its document" if prompt.cut_tokens else ""
    log.info(
        "case %d (%s): %s tokens read%s, %d written, %.1f s",
        case.idx, case.language, f"{found['prompt_tokens']:,}", cut, result.completion_tokens, result.seconds,
    )  # fmt: skip
