"""The calls of a run: five questions for each pick, then the answer to one; every reply is a row that survives a kill.

What to ask next follows from the rows alone, so a run that starts again asks for what is missing and nothing else.
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from longalign.api.budget import Budget, Call, ask_within, estimate_tokens
from longalign.api.client import ChatClient, Completion, Messages, RequestFailed
from longalign.api.thoughts import split_thoughts
from longalign.data.cache import content_key
from longalign.data.synthesis.plan import Pick, whole_characters
from longalign.data.synthesis.prompts import QUESTIONS, VERSION, ask_answer, ask_questions
from longalign.data.synthesis.questions import parse_questions
from longalign.records import FAILED, Records, Row

log = logging.getLogger(__name__)

TRIES = 2
"""How often questions are asked for: a reply that is no list of five is asked for once more."""

_QUESTION_TOKENS = 200  # in the estimate, of a question that is not known yet
_SAY_EVERY = 100  # replies


@dataclass(frozen=True)
class Setup:
    """What replies depend on, beside the document and the prompts."""

    model: str
    temperature: float | None
    max_tokens_questions: int
    max_tokens_answer: int
    seed: int


@dataclass(frozen=True)
class Step:
    """A call to make: for questions (``question`` is None), or for the answer to one."""

    key: str
    question: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a pick is. ``step`` is what to ask next, None at the end; ``replies`` are the rows so far."""

    step: Step | None
    replies: list[Row]
    questions: list[str] | None = None
    drawn: int | None = None


def progress(pick: Pick, records: Records, setup: Setup) -> Progress:
    """What is there of a pick, and what comes next."""
    replies: list[Row] = []
    for attempt in range(TRIES):
        key = _key(pick, setup, attempt=attempt)
        if not records.done(key):
            return Progress(Step(key), replies)
        replies.append(records.get(key) or {})
        questions = parse_questions(replies[-1]["text"])
        if questions is not None:
            break
    else:
        return Progress(None, replies)
    drawn = pick.draw("question").randrange(QUESTIONS)
    key = _key(pick, setup, question=questions[drawn])
    if not records.done(key):
        return Progress(Step(key, questions[drawn]), replies, questions, drawn)
    return Progress(None, [*replies, records.get(key) or {}], questions, drawn)


def expected_calls(picks: Sequence[Pick], records: Records, setup: Setup) -> tuple[int, int, int]:
    """Calls that are missing, about how many tokens they read, and how many they write at most."""
    calls = tokens_in = tokens_out = 0
    for pick in picks:
        step = progress(pick, records, setup).step
        if step is None:
            continue
        call = _call(pick, step, setup)
        calls, tokens_in, tokens_out = calls + 1, tokens_in + call.tokens_in, tokens_out + call.tokens_out
        if step.question is None:
            read = estimate_tokens(_user(ask_answer(pick.text, "", pick.document.language))) + _QUESTION_TOKENS
            calls, tokens_in, tokens_out = calls + 1, tokens_in + read, tokens_out + setup.max_tokens_answer
    return calls, tokens_in, tokens_out


async def ask_missing(
    picks: Sequence[Pick], records: Records, setup: Setup, client: ChatClient, budget: Budget
) -> None:
    """Make every call that is missing; a request that fails leaves a row that the next run tries again.

    An answer is asked for before the questions of another pick, so that a server may still know the document.

    Raises:
        UserError: what `ask_within` raises.
    """
    queue = deque(pick for pick in picks if progress(pick, records, setup).step)
    replies = 0

    def calls() -> Iterator[Call]:
        while queue:
            pick = queue.popleft()
            step = progress(pick, records, setup).step
            assert step is not None
            yield _call(pick, step, setup)

    def done(key: tuple[Pick, Step], result: Completion | RequestFailed) -> None:
        nonlocal replies
        pick, step = key
        records.append(_row(pick, step, setup, result))
        replies += 1
        if replies % _SAY_EVERY == 0:
            log.info("%d replies, %d rows not begun; %s", replies, len(queue), budget)
        if isinstance(result, RequestFailed):
            log.warning("%s (%s): request failed: %s", pick.id, pick.document.where, result)
        elif progress(pick, records, setup).step:
            queue.appendleft(pick)

    while queue:  # a reply may want another call when the others have ended
        await ask_within(budget, client, calls(), done)


def _key(pick: Pick, setup: Setup, *, attempt: int | None = None, question: str | None = None) -> str:
    document = pick.document
    return content_key(
        {
            "setup": asdict(setup),
            "prompts": VERSION,
            "document": [document.sha256, document.characters, document.language],
            "task": pick.task,
            "use": pick.use,
            "attempt": attempt,
            "question": question,
        }
    )


def _call(pick: Pick, step: Step, setup: Setup) -> Call:
    language = pick.document.language
    if step.question is None:
        messages, tokens = _user(ask_questions(pick.text, pick.task, language)), setup.max_tokens_questions
    else:
        messages, tokens = _user(ask_answer(pick.text, step.question, language)), setup.max_tokens_answer
    parameters: dict[str, Any] = {"max_tokens": tokens}
    if setup.temperature is not None:
        parameters["temperature"] = setup.temperature
    return Call((pick, step), messages, parameters, estimate_tokens(messages), tokens)


def _user(text: str) -> Messages:
    return [{"role": "user", "content": text}]


def _row(pick: Pick, step: Step, setup: Setup, result: Completion | RequestFailed) -> Row:
    row: Row = {
        "key": step.key,
        "id": pick.id,
        "document": pick.document.sha256,
        "task": pick.task,
        "setup": asdict(setup),
        "question": step.question,
    }
    if isinstance(result, RequestFailed):
        return row | {"status": FAILED, "error": str(result)}
    thoughts, text = split_thoughts(whole_characters(result.text))
    row |= {
        "status": "ok",
        "text": text,
        "finish_reason": result.finish_reason,
        "served_model": result.served_model,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "seconds": round(result.seconds, 3),
    }
    return row | ({"thoughts": thoughts} if thoughts else {})
