"""``longalign data answer``: a model's own answers to questions, as conversations to train on.

What a model already does well is kept by training on its own answers beside the new tasks (self-distillation), where
the data that it was aligned with is not at hand.
"""

import itertools
import logging
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call
from longalign.errors import UserError

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and answer."""
    with interruptible():
        call(answer, name, args)


def answer(
    questions: str,
    model: str,
    out: str,
    count: int | None = None,
    max_new_tokens: int = 512,
    chat_format: Literal["auto", "template", "chatglm3", "llama2"] = "auto",
    batch_size: int = 256,
    device: str = "auto",
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto",
    attention: str = "auto",
    gguf_file: str | None = None,
) -> None:
    """Let a model answer the last question of each conversation, greedily, and write conversations with its answers.

    Answers that are empty or not ended within the limit are left out, and counted; so are questions asked before. A
    run that is killed goes on with the same command.

    Args:
        questions: rows of messages (as data.short); what an assistant says after the last user message is dropped.
        model: folder or hub name of a model to run here.
        out: the file to write, .jsonl. Beside it OUT.work keeps what there is until it is whole.
        count: how many questions to take, all by default.
        max_new_tokens: length of an answer at most.
        chat_format: of the prompts; auto is what the folder's longalign.json says, else the tokenizer's chat template.
        batch_size: questions answered together at most.
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.
        dtype: of the weights; auto is bfloat16 on a GPU, float32 on a CPU unless that computes in bfloat16.
        attention: kernel that reads prompts, as model.attention of fit.
        gguf_file: a GGUF file in the model's folder.
    """
    from longalign.commands.needle_models import Local, Where
    from longalign.evaluation.needle.encoders import ChatPrompts
    from longalign.files import write_jsonl
    from longalign.records import Records

    for name, value in (("count", count), ("max_new_tokens", max_new_tokens), ("batch_size", batch_size)):
        if value is not None and value < 1:
            raise UserError(f"{name}: got {value}, expected 1 or more")
    target = Path(out).expanduser()
    if target.suffix != ".jsonl":
        raise UserError(f"out: got {out}, expected a file that ends in .jsonl")
    if target.exists():
        raise UserError(f"out: {out} exists already; give a new file")
    source = Local(model, Where(device, dtype, attention, batch_size, gguf_file, {}), max_new_tokens)
    encoder = source.encoder(None, chat_format)
    setup = {"model": source.identity(), "max_new_tokens": max_new_tokens}
    given = {name: value for name, value in (("chat_format", chat_format), ("dtype", dtype)) if value != "auto"}
    asked = _questions(questions, count, setup | given)
    work = target.with_name(f"{target.name}.work")
    with Records(work) as records:
        records.claim()
        waiting = [(key, messages) for key, messages in asked.items() if not records.done(key)]
        if waiting:
            assert isinstance(encoder, ChatPrompts)
            local, tokenizer = source.load(encoder), encoder.tokenizer
            prompts = [encoder.prompt(messages) for _, messages in waiting]
            answered = itertools.count(1)

            def done(number: int, ids: list[int], ended: bool) -> None:
                key, messages = waiting[number]
                said = tokenizer.decode(ids, skip_special_tokens=True).strip()
                records.append({"key": key, "messages": _with_answer(messages, said), "ended": ended})
                there = len(asked) - len(waiting) + next(answered)
                if there % 100 == 0:
                    log.info("%d of %d answered", there, len(asked))

            local.answer(prompts, max_new_tokens, done)
        rows, left_out = _kept(records.rows(), asked)
    if not rows:
        why = ", ".join(f"{number} {why}" for why, number in sorted(left_out.items()))
        raise UserError(f"out: no answer is left ({why}); raise --max_new_tokens")
    written = write_jsonl(target, rows)
    work.unlink()
    reasons = "".join(f", {number} {why}" for why, number in sorted(left_out.items()))
    log.info("%d conversation%s in %s%s", written, "" if written == 1 else "s", target, reasons)


def _questions(path: str, count: int | None, setup: dict[str, Any]) -> dict[str, list[Any]]:
    """Each conversation up to its last user message, by a key of its content; the first of equal ones."""
    from longalign.data.cache import content_key
    from longalign.data.sources import read_conversations

    found: dict[str, list[Any]] = {}
    for _, messages in read_conversations(path, "questions"):
        last = max((n for n, message in enumerate(messages, start=1) if message["role"] == "user"), default=0)
        if last and (count is None or len(found) < count):
            asked = [_well_formed(message) for message in messages[:last]]
            found.setdefault(content_key({"messages": asked, **setup}), asked)
    if not found:
        raise UserError(f"questions: {path} has no user message")
    return found


def _well_formed(message: Any) -> Any:
    """With U+FFFD for half a surrogate pair, which no tokenizer reads."""
    from longalign.api.replies import well_formed

    return {name: well_formed(value) if isinstance(value, str) else value for name, value in message.items()}


def _with_answer(messages: list[Any], text: str) -> list[Any]:
    return [*messages, {"role": "assistant", "content": text}]


def _kept(rows: list[dict[str, Any]], asked: dict[str, list[Any]]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The conversations to write, in the order of the questions, and why others are left out."""
    left_out: Counter[str] = Counter()
    by_key = {row["key"]: row for row in rows}
    kept = []
    for key in asked:
        row = by_key[key]
        if not row["ended"]:
            left_out["not ended"] += 1
        elif not row["messages"][-1]["content"]:
            left_out["empty"] += 1
        else:
            kept.append({"messages": row["messages"]})
    return kept, left_out
