"""``longalign data answer``: let a model answer questions, and write conversations with its answers to train on.

Training on a model's own answers beside new tasks (self-distillation) keeps what the model can do already, where the
data that it was aligned with is not available.
"""

import itertools
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call, check_positive, new_file
from longalign.counted import counted
from longalign.errors import UserError

if TYPE_CHECKING:
    from longalign.evaluation.local_model import LocalModel
    from longalign.records import Records

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

    Conversations without a user message, repeated questions, those that do not fit into the model's context, and
    answers that are empty or not ended within the limit are left out, and counted. A run that was killed goes on with
    the same command.

    Args:
        questions: file, folder, glob or hub name of conversations, as data.short of `longalign fit`. Of each, the part
            up to the last user message is the prompt; an answer after it is replaced.
        model: folder or hub name of the model.
        out: the file to write, .jsonl. The answers so far are kept in OUT.work until the file is complete.
        count: number of questions to take; by default all.
        max_new_tokens: greatest length of an answer in tokens.
        chat_format: format of the prompts; auto takes the one in the folder's longalign.json, or else the tokenizer's
            chat template.
        batch_size: greatest number of questions that are answered together.
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.
        dtype: dtype of the weights; auto is bfloat16 on a GPU, and on a CPU float32 unless it is fast in bfloat16.
        attention: kernel with which prompts are read, see model.attention of `longalign fit`.
        gguf_file: name of a GGUF file in the model's folder, to load the model from.
    """
    from longalign.commands.needle_models import Local, Where
    from longalign.files import write_jsonl
    from longalign.records import Records

    check_positive(count=count, max_new_tokens=max_new_tokens, batch_size=batch_size)
    target = new_file(out, (".jsonl",))
    source = Local(model, Where(device, dtype, attention, batch_size, gguf_file, {}), max_new_tokens)
    encoder: Any = source.encoder(None, chat_format)
    setup = {"model": source.identity(), "max_new_tokens": max_new_tokens}
    given = {name: value for name, value in (("chat_format", chat_format), ("dtype", dtype)) if value != "auto"}
    asked, left_out = _questions(questions, count, setup | given)
    prompts = {key: encoder.prompt(messages) for key, messages in asked.items()}
    for key in [key for key, ids in prompts.items() if len(ids) + max_new_tokens > source.context]:
        del asked[key]
        left_out[f"longer than the model's {source.context:,} tokens (with --max_new_tokens)"] += 1
    work = target.with_name(f"{target.name}.work")
    with Records(work) as records:
        records.claim()
        if not all(map(records.done, asked)):
            _answer(asked, prompts, records, source.load(encoder), encoder.tokenizer, max_new_tokens)
        rows = _kept(records.rows(), asked, left_out)
    reasons = "".join(f", {number} {why}" for why, number in sorted(left_out.items()))
    if not rows:
        remedy = "; raise --max_new_tokens" if left_out["not ended"] else ""
        raise UserError(f"out: no answer is left ({reasons.removeprefix(', ')}){remedy}")
    written = write_jsonl(target, rows)
    work.unlink()
    log.info("%s in %s%s", counted(written, "conversation"), target, reasons)


def _answer(
    asked: dict[str, list[Any]],
    prompts: dict[str, list[int]],
    records: "Records",
    model: "LocalModel",
    tokenizer: Any,
    max_new_tokens: int,
) -> None:
    """Answer the questions in `asked` that have no row yet; each answer is appended to `records` when it is there."""
    waiting = [(key, messages) for key, messages in asked.items() if not records.done(key)]
    answered = itertools.count(len(asked) - len(waiting) + 1)

    def done(number: int, ids: list[int], ended: bool) -> None:
        key, messages = waiting[number]
        said = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
        records.append({"key": key, "messages": [*messages, {"role": "assistant", "content": said}], "ended": ended})
        if (there := next(answered)) % 100 == 0:
            log.info("%d of %d answered", there, len(asked))

    model.answer([prompts[key] for key, _ in waiting], max_new_tokens, done)


def _questions(path: str, count: int | None, setup: dict[str, Any]) -> tuple[dict[str, list[Any]], Counter[str]]:
    """The prompts, by a key of their content, and how many conversations are left out, by reason.

    A prompt is a conversation up to its last user message. Reading stops when there are `count` of them.
    """
    from longalign.data.cache import content_key
    from longalign.data.sources import read_conversations

    found: dict[str, list[Any]] = {}
    left_out: Counter[str] = Counter()
    for _, messages in read_conversations(path, "questions"):
        last = max((n for n, message in enumerate(messages, start=1) if message["role"] == "user"), default=0)
        asked = [_well_formed(message) for message in messages[:last]]
        key = content_key({"messages": asked, **setup})
        if not last:
            left_out["without a user message"] += 1
        elif key in found:
            left_out["asked before"] += 1
        else:
            found[key] = asked
        if len(found) == count:
            break
    if not found:
        raise UserError(f"questions: {path} has no user message")
    return found, left_out


def _well_formed(message: Any) -> Any:
    """The message with U+FFFD for lone surrogates, which a tokenizer cannot read."""
    from longalign.api.replies import well_formed

    return {name: well_formed(value) if isinstance(value, str) else value for name, value in message.items()}


def _kept(rows: list[dict[str, Any]], asked: dict[str, list[Any]], left_out: Counter[str]) -> list[dict[str, Any]]:
    """The conversations to write, in the order of the questions; those that are not written are added to `left_out`."""
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
    return kept
