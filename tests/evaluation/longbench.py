"""What tests of ``longalign longbench-chat`` share: the answers of a fake server, and the rows of a run."""

import json
import random
import re

ANSWER = "First line.\n\n- a list\n- with {braces} and [[3]]\n\n\tcode()\r\nlast"
SHORT = ["--suite_length=4000", "--max_new_tokens=50"]


def model_or_judge(body):
    """Answers for models; ratings for judges, of the kind that the model's name asks for."""
    text = body["messages"][-1]["content"]
    if not body["model"].startswith("judge"):
        return f"I am {body['model']}.\n{ANSWER}"
    level = {"weak": 3, "strong": 8}[re.findall(r"I am (\w+)", text)[-1]]
    return f"Well.\nRating: [[{level + random.Random(text).randint(-1, 1)}]]"


def rows_of(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def copy(runs, name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "predictions.jsonl").write_bytes((runs / name / "predictions.jsonl").read_bytes())
    return folder
