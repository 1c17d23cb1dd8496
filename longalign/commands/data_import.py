"""``longalign data import``: turn a published data set into rows for ``fit``, and report what was left out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from longalign.commands.interrupt import interruptible
from longalign.commands.parse import call, with_own_options
from longalign.errors import UserError

if TYPE_CHECKING:
    from longalign.data.importing.tally import Tally

log = logging.getLogger(__name__)

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and import."""
    call(import_data, name, args)


def import_data(
    source: str,
    out: str,
    hub_files: str | None = None,
    format: Literal["auto", "longalign", "openai", "sharegpt", "alpaca", "prompt", "document", "question"] = "auto",
    columns: dict[str, str] | None = None,
    html: Literal["auto"] | bool = "auto",
    broken_turns: Literal["cut", "drop"] = "cut",
    drop_roles: list[str] | None = None,
    language: Literal["all", "en", "zh"] = "all",
    split_length: int | None = None,
    too_long: Literal["drop", "keep"] = "drop",
    tokenizer: str | None = None,
    chat_format: Literal["template", "llama2", "chatglm3"] = "template",
    keep_duplicates: bool = False,
    skip_broken: bool = False,
    overwrite: bool = False,
) -> None:
    """Turn a published data set into JSON lines of messages for `longalign fit`, and report what was dropped and why.

    The output appears when it is complete. OUT.report.json has the counts, and the first rows of each reason.

    Args:
        source: a file (JSONL, JSON, also .gz and .zst, Parquet), a folder, a glob, or owner/name[:split] on the hub.
        out: the file to write: .jsonl, .jsonl.gz or .jsonl.zst.
        hub_files: read only those files of a hub data set that match this pattern; the default is all files, and for
            ShareGPT (anon8231489123/ShareGPT_Vicuna_unfiltered) HTML_cleaned_raw_dataset/*.json.
        format: format of the rows; auto recognises it by the keys of each file's first rows, and logs it. Rows of the
            format document have a document, a question and an answer; question and prompt have no document.
        columns: the rows' keys for our names of fields, where they differ from the usual ones, such as
            '{"messages": "dialog"}' or '{"document": "article", "question": "q", "answer": "a"}'.
        html: whether to turn HTML into Markdown; auto does it in rows that are saved web pages, as ShareGPT's are.
        broken_turns: what to do with a conversation in which a turn is empty or two turns of one role follow each
            other: cut keeps the part before that, drop leaves the conversation out.
        drop_roles: leave out rows with a turn of one of these roles, by the data set's own names of roles;
            open-instruct's choice for ShareGPT is '[system, bing]'.
        language: keep only Chinese or only English conversations; languages are told apart by their letters.
        split_length: split conversations of more tokens than this between turns, into parts that are not longer. Needs
            tokenizer.
        too_long: what to do with a question and answer that together are longer than split_length.
        tokenizer: folder or hub name of a tokenizer, to count tokens.
        chat_format: chat format in which tokens are counted, see data.chat_format of `longalign fit`.
        keep_duplicates: keep conversations that equal an earlier one exactly.
        skip_broken: leave out lines that are no JSON, and count them, instead of stopping with an error.
        overwrite: replace the output if it exists.
    """
    from longalign.data.importing.formats import Reading
    from longalign.data.importing.pipeline import Choices, import_rows
    from longalign.data.importing.tally import Tally
    from longalign.files import write_json, write_jsonl

    target = Path(out).expanduser()
    _check_target(target, source, overwrite)
    _check_split(split_length, tokenizer)
    choices = Choices(
        format=format,
        reading=Reading(columns or {}, tuple(name.lower() for name in drop_roles or ())),
        html=html,
        broken_turns=broken_turns,
        language=language,
        split_length=split_length,
        too_long=too_long,
        measure=_token_counter(tokenizer, chat_format) if tokenizer else None,
        keep_duplicates=keep_duplicates,
        skip_broken=skip_broken,
        hub_files=hub_files,
    )
    tally = Tally()
    report = _report_file(target)
    with interruptible("; nothing was written"):
        write_jsonl(
            target,
            _unless_empty(import_rows(source, choices, tally), source, tally),
            report=lambda _: write_json(report, {"source": source, "out": out, **tally.as_dict()}),
        )
    _show(tally)
    log.info("wrote %s, and a report with the first rows of each reason to %s", target, report)


def _check_target(target: Path, source: str, overwrite: bool) -> None:
    from longalign.data.sources import find_files

    if not target.name.endswith(SUFFIXES):
        raise UserError(f"out: got {target}, expected a file that ends in {', '.join(SUFFIXES)}")
    files = find_files(source, "source")
    if target.exists() and any(target.samefile(file) for file in files):
        raise UserError(f"out: {target} is one of the files of --source; give another file")
    if target.is_dir():
        raise UserError(f"out: {target} is a folder; give a file in it")
    if target.exists() and not overwrite:
        raise UserError(f"out: {target} exists already; give another file, or --overwrite true")


def _check_split(split_length: int | None, tokenizer: str | None) -> None:
    if split_length is None:
        return
    if split_length < 1:
        raise UserError(f"split_length: got {split_length}, expected 1 or more tokens")
    if tokenizer is None:
        raise UserError("split_length is in tokens: give --tokenizer, such as the model's folder")


def _token_counter(path: str, chat_format: Any) -> Any:
    """A function that counts the tokens of a conversation in training.

    It raises Unusable for a conversation that the chat format refuses.

    Raises:
        UserError: the tokenizer does not fit the chat format.
    """
    from longalign.chat import encode_conversation, load_tokenizer
    from longalign.data.importing.unusable import Unusable

    tokenizer = load_tokenizer(path)
    exchange = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    try:
        encode_conversation(exchange, tokenizer, chat_format)
    except UserError as error:
        raise UserError(f"tokenizer: {path}: {error}; --chat_format names another") from None

    def count(messages: list[dict[str, str]]) -> int:
        try:
            return len(encode_conversation(messages, tokenizer, chat_format)[0])
        except UserError as error:
            said = with_own_options(str(error), ("tokenizer", "chat_format"))
            raise Unusable("refused by the chat format", said[:200]) from None

    return count


def _unless_empty(rows: Any, source: str, tally: "Tally") -> Any:
    """Yield the rows.

    Raises:
        UserError: there was none, so that no output is written; the message has the reasons.
    """
    yield from rows
    if not tally.written:
        _show(tally)
        why = ", ".join(
            f"{count:,} × {reason} (first: {tally.examples[reason][0]['where']})"
            for reason, count in tally.dropped.most_common()
        )
        raise UserError(f"source: nothing of {source} can be used: {why}")


def _report_file(target: Path) -> Path:
    from longalign.data.sources import REPORT_SUFFIX

    return target.with_name(target.name + REPORT_SUFFIX)


def _show(tally: "Tally") -> None:
    from longalign.commands.import_screen import import_screen
    from longalign.commands.screen import make_console, show

    show(make_console(), *import_screen(tally.as_dict()))
