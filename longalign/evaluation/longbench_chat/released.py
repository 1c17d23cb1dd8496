"""Files of LongAlign's released code: read ``predictions/<model>.txt`` (an answer a line), write
``scores/<model>.json``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longalign.api.budget import estimate_tokens
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case
from longalign.files import write_json
from longalign.records import OK, Row


def read_predictions(path: str | Path, cases: Sequence[Case]) -> list[Row]:
    """Rows for `judge.plan`, from a text file with one answer a line in the order of the cases.

    Raises:
        UserError: the file is no UTF-8 text, or has another number of lines than there are cases.
    """
    file = Path(path)
    try:
        lines = file.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"run: {file} is not UTF-8 text (byte {error.start})") from error
    if lines[-1] == "":
        lines.pop()
    if len(lines) != len(cases):
        raise UserError(f"{file} has {len(lines)} lines, expected one for each of the {len(cases)} cases")
    return [
        {
            "key": f"{file.stem}-{case.idx}",
            "case": case.key,
            "idx": case.idx,
            "setup": {"model": file.stem},
            "text": line.strip(),
            "full_tokens": estimate_tokens([{"role": "user", "content": case.prompt}]),
            "cut_tokens": 0,
            "status": OK,
        }
        for case, line in zip(cases, lines, strict=True)
    ]


def write_scores(path: str | Path, cases: Sequence[Case], predictions: Sequence[Row], ratings: Sequence[Row]) -> None:
    """Write scores in the released format: each case without its prompt, with prediction and score, then the totals.

    The score of a case is the mean of its readable ratings, "none" if it has no readable one.
    """
    texts = {row["case"]: row["text"] for row in predictions}
    result: list[dict[str, Any]] = []
    for case in cases:
        own = [row for row in ratings if row["case"] == case.key]
        scores = [row["score"] for row in own if row["status"] == OK]
        found = {
            "idx": case.idx,
            "query": case.query,
            "answer": case.answer,
            **case.others,
            "prediction": texts.get(case.key, ""),
            "gpt_analysis": own[-1].get("raw") if own else None,
            "score": f"{sum(scores) / len(scores):g}" if scores else "none",
            "used_tokens": sum(row.get("prompt_tokens", 0) + row.get("completion_tokens", 0) for row in own),
        }
        result.append(found)
    known = [float(row["score"]) for row in result if row["score"] != "none"]
    total = sum(known) if len(known) == len(result) else "none"
    result.append({"total_score": total, "total_tokens": sum(row["used_tokens"] for row in result)})
    write_json(Path(path), result)
