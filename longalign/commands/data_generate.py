"""``longalign data generate``: write seeded long tasks with known answers, or short chats, to train on."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Literal

from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call, check_positive, new_file
from longalign.commands.screen import make_console, make_table, show
from longalign.counted import counted
from longalign.data.processes import killed_worker_is, num_cpus
from longalign.data.synthetic import generate_conversations, write_jsonl
from longalign.data.synthetic.tasks import STYLES, TASKS, generate_tasks
from longalign.data.synthetic.tasks.passages import Passages, read_passages
from longalign.errors import UserError

log = logging.getLogger(__name__)

LENGTH = (4000, 64_000)
_EVERY_S = 30  # seconds between two lines on the progress
_WORTH = {"tokens": 4_000_000, "characters": 100_000_000}  # length of text for which another process pays


def run(name: str, args: list[str]) -> None:
    """Parse ``args``, write the rows, print what they are."""
    call(generate, name, args)


def generate(
    out: str,
    count: int = 1000,
    length: str | None = None,
    kind: Literal["long", "short", "questions"] = "long",
    tasks: str = "all",
    language: Literal["en", "zh", "both"] = "both",
    split: Literal["train", "validation"] = "train",
    seed: int = 0,
    tokenizer: str | None = None,
    styles: str = "all",
    text: str | None = None,
    text_column: str = "text",
    unanswerable: float | None = None,
    questions: str | None = None,
    num_proc: int | None = None,
) -> None:
    """Write conversations with known answers, as JSON lines to train on. No model and no download is needed.

    The same options give the same file, which appears complete or not at all.

    Args:
        out: the file to write; it must be new and end in .jsonl.
        count: number of rows.
        length: length of a row's messages together, as N or LOW:HIGH (drawn evenly on a log scale); by default
            4000:64000. For short chats it is the least length, and by default there is none.
        kind: long (questions about long documents), short (everyday chats with computed answers), or questions
            (everyday questions without answers, for `longalign data answer`).
        tasks: tasks of long rows, all or a comma list of lookup, multi_value, multi_hop, count, order, compare,
            summarise_by_key, table.
        language: en, zh, or both in turn.
        split: train or validation; the names in the documents of one split never occur in the other.
        seed: another seed gives other rows.
        tokenizer: folder or hub name of a model, to measure lengths in its tokens; by default they are in characters.
        styles: styles of the text around the facts in long rows, all or a comma list of logbook, ledger, story,
            minutes, letters, travel, handbook.
        text: raw text to hide the facts of long rows in, instead of the invented text in these styles: a .txt or .md
            file, a folder, a glob, JSON or Parquet rows, or owner/name on the hub; at most 200 million characters are
            used. Texts must be in the row's language, and of 200 characters or more. For held-out rows
            (`--split validation`) give other text than for training.
        text_column: key of the text, where texts are rows.
        unanswerable: share of long rows with a question that the document does not answer; by default 0.05.
        questions: number of questions in a long row, as N or LOW:HIGH, on all the tasks; by default mostly one. Many
            questions about one document teach as much as many documents with one each, for a fraction of the tokens. A
            row has fewer if it is short, or if the names run out, as they may with a single task.
        num_proc: number of processes that write long rows; by default up to the number of CPUs.
    """
    target = new_file(out, (".jsonl",))
    check_positive(count=count, num_proc=num_proc)
    given = _parse_range("length", length)
    asked = _parse_range("questions", questions)
    long_only = {
        "tasks": tasks != "all",
        "styles": styles != "all",
        "text": text is not None,
        "unanswerable": unanswerable is not None,
        "questions": asked is not None,
        "num_proc": num_proc is not None,
    }
    useless = [name for name, was_given in long_only.items() if was_given and kind != "long"]
    if kind == "questions" and length is not None:
        useless.append("length")
    if useless:
        raise UserError(f"{useless[0]}: --kind {kind} does not use it; leave it out, or give --kind long")
    if text is not None and styles != "all":
        raise UserError("styles: --text does not use it; leave one of them out")
    if text is None and text_column != "text":
        raise UserError(f"text_column: got {text_column!r} without --text; give the path of the texts too")
    measure, unit = _measure(tokenizer)
    common: dict[str, Any] = {"seed": seed, "language": language, "split": split, "measure": measure}
    if kind != "long":
        rows = generate_conversations(kind, count, length=given, **common)
    else:
        rows = generate_tasks(
            count,
            tasks=_names("tasks", tasks, tuple(TASKS)),
            styles=_names("styles", styles, STYLES),
            passages=None if text is None else _passages(text, text_column, language, given or LENGTH, measure),
            length=given or LENGTH,
            unanswerable=0.05 if unanswerable is None else unanswerable,
            questions=(asked, asked) if isinstance(asked, int) else asked,
            num_proc=_processes(num_proc, count, given or LENGTH, unit),
            **common,
        )
    log.info("lengths are in %s of the messages alone; a chat format adds tokens to them", unit)
    tally = _Tally(measure)
    killed = "num_proc: a process was killed (out of memory?), and nothing was written; give a smaller one"
    with interruptible("; nothing was written"), killed_worker_is(killed):
        write_jsonl(target, tally.watch(rows, count))
    tally.show(unit)
    log.info("%s: %s, %.1f MiB", out, counted(count, "row"), target.stat().st_size / 2**20)


def _parse_range(option: str, given: str | None) -> int | tuple[int, int] | None:
    if given is None:
        return None
    try:
        low, *high = (int(part) for part in given.split(":"))
    except ValueError:
        low, high = 0, []
    if low < 1 or len(high) > 1 or any(one < low for one in high):
        example = {"length": "16000 or 4000:64000", "questions": "8 or 4:16"}[option]
        raise UserError(f"{option}: got {given!r}, expected N or LOW:HIGH, such as {example}")
    return (low, high[0]) if high else low


def _processes(given: int | None, count: int, length: int | tuple[int, int], unit: str) -> int:
    if given is not None:
        return min(given, count)
    return max(1, min(num_cpus(), count, count * _longest(length) // _WORTH[unit]))


def _longest(length: int | tuple[int, int]) -> int:
    return length if isinstance(length, int) else length[1]


def _passages(
    text: str, column: str, language: str, length: int | tuple[int, int], measure: Callable[[str], int]
) -> Passages:
    passages = read_passages(text, ("en", "zh") if language == "both" else (language,), column)
    passages.warn_of_repeats(_longest(length), measure)
    return passages


def _names(option: str, given: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if given == "all":
        return known
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",")))
    for name in names:
        if name not in known:
            raise UserError(f"{option}: got {name!r}, expected all, or a comma list of {', '.join(known)}")
    return names


def _measure(tokenizer: str | None) -> tuple[Callable[[str], int], str]:
    if tokenizer is None:
        return len, "characters"
    from longalign.chat.tokenizer import TokenCount, load_tokenizer

    return TokenCount(load_tokenizer(tokenizer)), "tokens"


class _Tally:
    """Counts the rows that pass through ``watch``, by task, language and length."""

    def __init__(self, measure: Callable[[str], int]) -> None:
        self._measure = measure
        self._buckets: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self._questions: Counter[tuple[str, str]] = Counter()
        self._unknown: Counter[tuple[str, str]] = Counter()
        self._total: Counter[tuple[str, str]] = Counter()

    def watch(self, rows: Iterator[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
        said = time.monotonic()
        for number, row in enumerate(rows, start=1):
            self._add(row)
            yield row
            if time.monotonic() - said > _EVERY_S:
                said = time.monotonic()
                log.info("%d of %d rows", number, count)

    def _add(self, row: dict[str, Any]) -> None:
        name = row["kind"], row["language"]
        messages = row["messages"]
        length = row["length"] if "length" in row else sum(self._measure(message["content"]) for message in messages)
        self._buckets[name][length.bit_length() - 1] += 1
        if "questions" in row:  # a message of a long row may ask several
            self._questions[name] += len(row["questions"])
            self._unknown[name] += sum(not question["answers"] for question in row["questions"])
        else:
            self._questions[name] += sum(message["role"] == "user" for message in messages)
        self._total[name] += length

    def show(self, unit: str) -> None:
        """Print a table with a line for each task and language, and a column for each range of lengths."""
        used = {bucket for counter in self._buckets.values() for bucket in counter}
        span = range(min(used), max(used) + 1)
        lengths = [f"{2**bucket:,}-" for bucket in span]
        table = make_table("task", "language", *lengths, "rows", "questions", "not stated", unit)
        for name in sorted(self._buckets):
            table.add_row(*name, *self._cells([name], span))
        if len(self._buckets) > 1:
            table.add_row("all", "", *self._cells(list(self._buckets), span))
        show(make_console(), table)

    def _cells(self, names: list[tuple[str, str]], span: range) -> list[str]:
        """The numbers of some tasks and languages together: rows of each range of lengths, and the totals."""
        rows = Counter[int]()
        for name in names:
            rows += self._buckets[name]
        sums = (sum(counter[name] for name in names) for counter in (self._questions, self._unknown, self._total))
        by_length = [f"{rows[bucket]:,}" if rows[bucket] else "" for bucket in span]
        return [*by_length, *(f"{number:,}" for number in (rows.total(), *sums))]
