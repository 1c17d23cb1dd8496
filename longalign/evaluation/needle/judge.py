"""Ratings by a judge model, from 1 to 10 for each answer, as in the usual protocol of the needle test.

They do not change the recall, and have a file of their own, `judgements.jsonl`. A reply in which no rating can be found
is counted as unreadable.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from longalign.api.client import ChatClient, Completion, Endpoint, RequestFailed, ask_all
from longalign.api.loop import run_loop
from longalign.evaluation.needle.scoring import without_thoughts
from longalign.records import FAILED, OK, Records

JUDGE = """You rate how well an answer agrees with a reference, from 1 to 10:
1: it has nothing to do with the reference.
3: it touches the reference's subject, but does not agree with it.
5: it agrees in part, and has errors.
7: it agrees, with small omissions.
10: it agrees in full.
Look at nothing but the reference. Reply with the number alone in double square brackets, such as [[5]].

[Question]
{question}

[Reference]
{reference}

[Answer]
{answer}
[End of the answer]"""
"""The judge's prompt. Its five criteria (1, 3, 5, 7, 10) are those of the usual test, in our own words."""

_RATING = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def judge_rows(rows: Sequence[Mapping[str, Any]], endpoint: Endpoint, records: Records) -> None:
    """Ask the judge for a rating of each row that did not fail and has none yet; append the ratings to `records`."""
    jobs = []
    for row in rows:
        if row.get("status") != FAILED and not records.done(_key(row, endpoint)):
            jobs.append((row, [{"role": "user", "content": _prompt(row)}], {"temperature": 0, "max_tokens": 1024}))

    def done(row: Mapping[str, Any], result: Completion | RequestFailed) -> None:
        kept = {"key": _key(row, endpoint), "row": row["key"], "judge": endpoint.model}
        if isinstance(result, RequestFailed):
            records.append({**kept, "status": FAILED, "error": str(result)})
            return
        cut = result.finish_reason == "length"  # the last [[n]] may be a thought, not yet the rating
        rating = None if cut else read_rating(result.text)
        records.append({**kept, "status": OK, "rating": rating, "reply": result.text, "served": result.served_model})

    async def ask() -> None:
        async with ChatClient(endpoint) as client:
            await ask_all(client, jobs, done)

    if jobs:
        run_loop(ask())


def read_rating(reply: str) -> int | None:
    """The number in the last [[…]] of a judge's reply; None if that is no whole number from 1 to 10."""
    found = _RATING.findall(without_thoughts(reply))
    last = found[-1].strip() if found else ""
    return int(last) if re.fullmatch(r"[1-9]|10", last) else None


def judge_summary(records: Records, rows: Sequence[Mapping[str, Any]], endpoint: Endpoint) -> dict[str, Any]:
    """Mean rating of the run's answers, and how many ratings are unreadable, failed, or were not asked for."""
    found = [records.get(_key(row, endpoint)) for row in rows if row.get("status") != FAILED]
    judged = [one for one in found if one and one.get("status") != FAILED]
    missing = found.count(None)
    ratings = [one["rating"] for one in judged if one["rating"] is not None]
    return {
        "judge": endpoint.model,
        "mean_rating": sum(ratings) / len(ratings) if ratings else None,
        "rated": len(ratings),
        "unreadable": len(judged) - len(ratings),
        "failed": len(found) - len(judged) - missing,
        "missing": missing,
    }


def _prompt(row: Mapping[str, Any]) -> str:
    reference = " ".join(row["needles"])
    answer = without_thoughts(row["answer"]).replace("[End of the answer]", "(End of the answer)")
    # one pass over the template: an answer may hold the text of a slot
    values = {"question": row["question"], "reference": reference, "answer": answer}
    return re.sub(r"\{(question|reference|answer)\}", lambda match: values[match[1]], JUDGE)


def _key(row: Mapping[str, Any], endpoint: Endpoint) -> str:
    text = "\0".join((endpoint.model, endpoint.base_url or "", _prompt(row)))
    return f"{row['key']}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"
