"""Make the prompt of a row of results again, byte for byte.

`recipe` is the part of a row that says how its prompt was made; `rebuild` makes the prompt of it and checks its hashes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from longalign.errors import UserError
from longalign.evaluation.needle.build import Frame, Prompt, ids_sha256, messages_sha256
from longalign.evaluation.needle.compat import CompatDraft, CompatRequest, compat_document
from longalign.evaluation.needle.encoders import Encoder, Message
from longalign.evaluation.needle.haystack import Source, source_again

VERSION = 1


def recipe(prompt: Prompt, source: Source, encoder: Encoder, versions: Mapping[str, str]) -> dict[str, Any]:
    """Everything that `rebuild` needs to make a prompt again, with the hashes that show it to be the same."""
    draft = prompt.draft
    return {
        "version": VERSION,
        "haystack": {**source.record, "sha256": source.sha256},
        "start": draft.start,
        "end": draft.end,
        "offsets": list(draft.offsets),
        "texts": [] if isinstance(draft, CompatDraft) else list(draft.texts),
        "needles": len(draft.item.needles),
        "seed": draft.cell.seed,
        "question": draft.item.question,
        "frame": draft.frame.user,
        "system": draft.frame.system,
        "compat": asdict(draft.request) if isinstance(draft, CompatDraft) else None,
        "tokenizer": encoder.identity,
        "messages_sha256": messages_sha256(prompt.messages),
        "ids_sha256": ids_sha256(prompt.input_ids),
        "versions": dict(versions),
    }


@dataclass(frozen=True)
class Rebuilt:
    """A prompt that was made again; `input_ids` is None without a tokenizer."""

    messages: list[Message]
    input_ids: list[int] | None


def rebuild(row: Mapping[str, Any], *, haystack: str | None = None, encoder: Encoder | None = None) -> Rebuilt:
    """Make the prompt of a row again from its recipe, and check it against the row's hashes.

    Args:
        row: a row of results.jsonl that did not fail.
        haystack: the folder of the texts, if it is not where it was.
        encoder: the tokenizer and chat format of the run; without it only the text is checked, not the ids.

    Raises:
        UserError: the row has no recipe, its haystack has changed, or a hash differs.
    """
    made = row.get("recipe")
    if not isinstance(made, Mapping) or made.get("version") != VERSION:
        raise UserError(f"row {row.get('key')!r} has no recipe of version {VERSION}; rows of failed cells have none")
    source = source_again(made["haystack"], haystack)
    if source.sha256 != made["haystack"]["sha256"]:
        raise UserError(
            f"the haystack of row {row.get('key')!r} ({_where(made['haystack'])}) has changed: its sha256 is "
            f"{source.sha256[:12]}…, the row's {made['haystack']['sha256'][:12]}…; "
            "if the texts have moved, give their folder with --haystack"
        )
    if made["compat"] is None:
        edges = [made["start"], *made["offsets"], made["end"]]
        spans = zip(edges, edges[1:], [*made["texts"], ""], strict=False)
        text = "".join(source[start:end] + inserted for start, end, inserted in spans)
    elif encoder is None:
        raise UserError("rows of --compat longalign are made of tokens: give the run's tokenizer with --tokenizer")
    else:
        text = compat_document(source, encoder, CompatRequest(**made["compat"]))
    messages = Frame(made["frame"], made["system"]).messages(text, made["question"])
    if messages_sha256(messages) != made["messages_sha256"]:
        raise UserError(f"row {row.get('key')!r}: the prompt made from its recipe is not the row's (sha256)")
    ids = None if encoder is None else encoder.prompt(messages)
    if ids is not None and ids_sha256(ids) != made["ids_sha256"]:
        raise UserError(
            f"row {row.get('key')!r}: the text is the same, but its ids are not: the tokenizer's sha256 is "
            f"{encoder.identity['sha256'][:12] if encoder else ''}…, the row's {made['tokenizer']['sha256'][:12]}…"
        )
    return Rebuilt(messages, ids)


def _where(record: Mapping[str, Any]) -> str:
    return record.get("path") or f"{record.get('documents')} generated documents"
