"""Replies in, conversations out: each pick becomes a row, or is counted with the reason why not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from longalign.data.synthesis.overlap import EvaluationTexts, NearDuplicates
from longalign.data.synthesis.plan import Pick
from longalign.data.synthesis.prompts import FRAMES, VERSION, frame
from longalign.data.synthesis.quality import Thresholds, problem
from longalign.data.synthesis.run import Progress, Setup, progress
from longalign.records import Records, Row

REQUEST_FAILED, NO_QUESTIONS = "request failed", "no questions"
OVERLAP, DUPLICATE = "overlap", "duplicate"

Cell = tuple[str, str, str]  # bucket, task, language


@dataclass
class Result:
    """The rows to write; ``asked`` and ``dropped`` (by reason) for each bucket, task and language; tokens used."""

    rows: list[Row] = field(default_factory=list)
    asked: Counter[Cell] = field(default_factory=Counter)
    kept: Counter[Cell] = field(default_factory=Counter)
    dropped: dict[Cell, Counter[str]] = field(default_factory=dict)
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def reasons(self) -> Counter[str]:
        """How many rows were dropped, by reason."""
        return sum(self.dropped.values(), Counter())


def collect(
    picks: Sequence[Pick],
    records: Records,
    setup: Setup,
    thresholds: Thresholds,
    duplicates: NearDuplicates | None,
    evaluation: EvaluationTexts,
) -> Result:
    """Check every answer, in the order of the picks; of rows that are alike the first one counts."""
    result = Result()
    for pick in picks:
        cell = (pick.document.bucket, pick.task, pick.document.language)
        found = progress(pick, records, setup)
        result.asked[cell] += 1
        result.calls += len(found.replies)
        result.tokens_in += sum(reply["prompt_tokens"] for reply in found.replies)
        result.tokens_out += sum(reply["completion_tokens"] for reply in found.replies)
        reason = _reason(pick, found, thresholds, duplicates, evaluation)
        if reason:
            result.dropped.setdefault(cell, Counter())[reason] += 1
        else:
            result.kept[cell] += 1
            result.rows.append(_conversation(pick, found, setup))
    return result


def _reason(
    pick: Pick,
    found: Progress,
    thresholds: Thresholds,
    duplicates: NearDuplicates | None,
    evaluation: EvaluationTexts,
) -> str | None:
    if found.step is not None:
        return REQUEST_FAILED
    if found.questions is None or found.drawn is None:
        return NO_QUESTIONS
    question, reply = found.questions[found.drawn], found.replies[-1]
    reason = problem(reply["text"], question, pick.text, pick.task, reply["finish_reason"], thresholds)
    if reason:
        return reason
    both = f"{question}\n{reply['text']}"
    if evaluation.overlaps(both):
        return OVERLAP
    return DUPLICATE if duplicates is not None and duplicates.seen(both) else None


def _conversation(pick: Pick, found: Progress, setup: Setup) -> Row:
    document = pick.document
    assert found.questions is not None and found.drawn is not None
    framed = frame(pick.text, found.questions[found.drawn], document.language, pick.draw("frame").randrange(FRAMES))
    *asked, answered = found.replies
    return {
        "messages": [{"role": "user", "content": framed}, {"role": "assistant", "content": answered["text"].strip()}],
        "id": pick.id,
        "language": document.language,
        "length": document.length,
        "task": pick.task,
        "provenance": {
            "document": {
                "where": document.where,
                "sha256": document.sha256,
                "cut_to_characters": document.characters if document.is_cut else None,
            },
            "bucket": document.bucket,
            "use": pick.use,
            "served_model": answered["served_model"],
            "questions": found.questions,
            "drawn": found.drawn,
            "seed": pick.seed,
            "prompt_version": VERSION,
            "parameters": asdict(setup),
            "usage": {"questions": [_usage(reply) for reply in asked], "answer": _usage(answered)},
        },
    }


def _usage(reply: Row) -> dict[str, Any]:
    return {name: reply[name] for name in ("prompt_tokens", "completion_tokens")}
