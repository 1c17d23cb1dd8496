"""Get ratings of answers from a judge model; each rating is a row.

protocol paper      The examples are shuffled by seed, in another order for each rating. Each answer is rated twice by
                    default, and the mean counts. Answers keep their newlines. A rating must be a whole number within
                    the scale.
protocol original   As in the released code: the examples keep their order, there is one rating of each answer, its
                    newlines become spaces, an unreadable rating is asked for up to five times, and any number in the
                    brackets counts.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from longalign.api.budget import Budget, Call, ask_within, estimate_tokens
from longalign.api.client import ChatClient, Completion, RequestFailed
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case, row_key
from longalign.evaluation.longbench_chat.prompts import (
    JudgePrompt,
    parse_rating,
    parse_rating_like_the_released_code,
)
from longalign.records import FAILED, OK, Records, Row, refuse_other_setups

log = logging.getLogger(__name__)

UNPARSABLE = "unparsable"
ORIGINAL_TRIES = 5
"""Calls for one rating under protocol original, while the replies cannot be read."""


@dataclass(frozen=True)
class JudgeSetup:
    """Everything that a rating depends on beside the answer. ``prompt`` is the key of the judge's prompt."""

    judge: str
    preset: str
    prompt: str
    scale: tuple[int, int]
    protocol: str = "paper"
    repeats: int = 2
    temperature: float | None = 0.0
    max_tokens: int = 1024
    seed: int = 0

    def as_row(self) -> Row:
        """The setup as a row of JSON lines holds it."""
        return asdict(self) | {"scale": list(self.scale)}


@dataclass(frozen=True)
class Job:
    """One rating to ask for. ``order``: indices of the case's examples, as they are shown."""

    key: str
    case: Case
    prediction: Row
    repeat: int
    order: tuple[int, ...]
    messages: list[dict[str, str]]
    tokens: tuple[int, int]  # of the prompt, estimated; most tokens of the reply


def plan(cases: Sequence[Case], predictions: Sequence[Row], setup: JudgeSetup, prompt: JudgePrompt) -> list[Job]:
    """All ratings of all answers, in the order of the cases.

    Raises:
        UserError: an answer's case is not among the cases, or a case lacks the examples that the prompt shows.
    """
    known = {case.key: case for case in cases}
    jobs = []
    for row in predictions:
        case = known.get(row["case"])
        if case is None:
            raise UserError(
                f"case {row.get('idx')} of the answers is not among the cases ({row.get('source')}); give the "
                "--test_cases with which they were made"
            )
        if len(case.few_shots) < prompt.examples:
            raise UserError("few_shots: this judge prompt shows rated examples; give the file, or --preset zero_shot")
        orders = _orders(setup, prompt, case)
        jobs += [_job(case, row, repeat, order, setup, prompt) for repeat, order in enumerate(orders)]
    return jobs


async def rate(jobs: Sequence[Job], records: Records, setup: JudgeSetup, client: ChatClient, budget: Budget) -> None:
    """Ask the judge for every rating, and append each to ``records`` when it comes.

    Raises:
        UserError: what `ask_within` raises.
    """
    parameters: dict[str, Any] = {} if setup.temperature is None else {"temperature": setup.temperature}
    if setup.protocol == "paper" or budget.max_cost is not None:
        parameters["max_tokens"] = setup.max_tokens  # the released code sets no limit

    def done(job: Job, result: Completion | RequestFailed) -> None:
        records.append(_row(job, setup, result, tried=_tries(records.get(job.key)) + 1))

    while jobs:
        calls = (Call(job, job.messages, parameters, setup.max_tokens) for job in jobs)
        await ask_within(budget, client, calls, done)
        jobs = [job for job in jobs if _has_tries_left(records.get(job.key), setup)]


def to_do(jobs: Sequence[Job], records: Records, setup: JudgeSetup, retry_unparsable: bool = False) -> list[Job]:
    """The jobs without a rating in ``records``: failed ones are asked for again, unreadable ones if that is wanted.

    Raises:
        UserError: the file has ratings of another setup or of other answers.
    """
    refuse_other_setups(records, setup.as_row(), "ratings")
    known = {job.key for job in jobs}
    if any(row.get("status") != FAILED and row["key"] not in known for row in records.rows()):
        raise UserError(f"out: {records.path} has ratings of other answers than this run's; give another --out")

    def again(job: Job) -> bool:
        row = records.get(job.key)
        return (retry_unparsable and _unreadable(row)) or _has_tries_left(row, setup)

    return [job for job in jobs if not records.done(job.key) or again(job)]


def _has_tries_left(row: Row | None, setup: JudgeSetup) -> bool:
    """Whether an unreadable rating is asked for again without `retry_unparsable`, which allows as many tries again."""
    return setup.protocol == "original" and _unreadable(row) and _tries(row) % ORIGINAL_TRIES != 0


def _unreadable(row: Row | None) -> bool:
    return row is not None and row.get("status") == UNPARSABLE


def _tries(row: Row | None) -> int:
    """How many calls a rating has taken so far; 1 for a row that does not say so."""
    return 0 if row is None else row.get("tries", 1)


def answer_as_judged(text: str, setup: JudgeSetup, prompt: JudgePrompt) -> str:
    """The answer as it is inserted into the judge's prompt by the setup's protocol."""
    return text.strip().replace("\n", " ") if setup.protocol == "original" else prompt.without_marks(text)


def _orders(setup: JudgeSetup, prompt: JudgePrompt, case: Case) -> list[tuple[int, ...]]:
    """An order of the examples for each repeat; all orders differ if there are enough."""
    count = min(prompt.examples, len(case.few_shots))
    if setup.protocol == "original":
        return [tuple(range(count))]
    draw = random.Random(f"{setup.seed}/{case.key}")
    orders: list[tuple[int, ...]] = []
    for _ in range(setup.repeats):
        for _ in range(50):
            order = tuple(draw.sample(range(count), count))
            if order not in orders:
                break
        orders.append(order)
    return orders


def _job(
    case: Case, prediction: Row, repeat: int, order: tuple[int, ...], setup: JudgeSetup, prompt: JudgePrompt
) -> Job:
    answer = answer_as_judged(prediction["text"], setup, prompt)
    messages = prompt.messages(case, [case.few_shots[i] for i in order], answer)
    key = row_key("judgement", messages, setup.as_row(), case.key, repeat)
    return Job(key, case, prediction, repeat, order, messages, (estimate_tokens(messages), setup.max_tokens))


def _row(job: Job, setup: JudgeSetup, result: Completion | RequestFailed, tried: int) -> Row:
    row: Row = {
        "key": job.key,
        "case": job.case.key,
        "idx": job.case.idx,
        "language": job.case.language,
        "type": job.case.others.get("type"),
        "model": job.prediction["setup"]["model"],
        "prediction": job.prediction["key"],
        "full_tokens": job.prediction["full_tokens"],
        "cut_tokens": job.prediction["cut_tokens"],
        "repeat": job.repeat,
        "order": list(job.order),
        "setup": setup.as_row(),
        "tries": tried,
    }
    if isinstance(result, RequestFailed):
        log.warning("case %d, rating %d failed: %s", job.case.idx, job.repeat + 1, result)
        return row | {"status": FAILED, "error": str(result)}
    score, problem = _read(result, setup)
    if problem:
        log.warning("case %d, rating %d cannot be read: %s", job.case.idx, job.repeat + 1, problem)
    return row | {
        "status": UNPARSABLE if problem else OK,
        "score": score,
        "raw": result.text,
        "finish_reason": result.finish_reason,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "served_model": result.served_model,
        "system_fingerprint": result.system_fingerprint,
        "seconds": round(result.seconds, 3),
    }


def _read(result: Completion, setup: JudgeSetup) -> tuple[float | None, str]:
    """The rating and "", or None and the reason for which the reply has no readable rating."""
    if setup.protocol == "original":
        score: float | None = parse_rating_like_the_released_code(result.text)
    elif result.finish_reason == "length":  # the last [[n]] may be a thought, not yet the rating
        return None, f"cut at {setup.max_tokens} tokens (--max_tokens): {_tail(result.text)}"
    else:
        score = parse_rating(result.text, setup.scale)
    if score is None:
        low, high = setup.scale
        return None, f"no [[{low}]] to [[{high}]] in {_tail(result.text)}"
    return score, ""


def _tail(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else "…" + text[-80:])
