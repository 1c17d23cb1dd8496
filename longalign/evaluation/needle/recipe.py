"""From a row of results back to its prompt, byte for byte: what a row must say, and the way back."""

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
    """What is needed to make a prompt again, and to know that it is the same."""
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
    """A prompt made again; `input_ids` is None where no tokenizer was given."""

    messages: list[Message]
    input_ids: list[int] | None


def rebuild(row: Mapping[str, Any], *, haystack: str | None = None, encoder: Encoder | None = None) -> Rebuilt:
    """The prompt of a row, its hashes checked. `haystack`: where the texts are, if they have moved.

    Raises:
        UserError: the row has no recipe, its haystack is not what it was, or a hash differs.
    """
    made = row.get("recipe")
    if not isinstance(made, Mapping) or made.get("version") != VERSION:
        raise UserError(f"row {row.get('key')!r} has no recipe of version {VERSION}; rows of failed cells have none")
    source = source_again(made["haystack"], haystack)
    if source.sha256 != made["haystack"]["sha256"]:
        raise UserError(
            f"the haystack of row {row.get('key')!r} ({_where(made['haystack'])}) has changed: its sha256 is "
            f"{source.sha256[:12]}…, the row's {made['haystack']['sha256'][:12]}…; --haystack names another place"
        )
    if made["compat"] is None:
        edges = [made["start"], *made["offsets"], made["end"]]
        spans = zip(edges, edges[1:], [*made["texts"], ""], strict=True)
        text = "".join(source[start:end] + inserted for start, end, inserted in spans)
    elif encoder is None:
        raise UserError("a prompt in the original's way is made of tokens: its tokenizer is needed, give --tokenizer")
    else:
        text = compat_document(source, encoder, CompatRequest(**made["compat"]))
    messages = Frame(made["frame"], made["system"]).messages(text, made["question"])
    if messages_sha256(messages) != made["messages_sha256"]:
        raise UserError(f"row {row.get('key')!r}: the prompt made from its recipe is another than the row's")
    ids = None if encoder is None else encoder.prompt(messages)
    if ids is not None and ids_sha256(ids) != made["ids_sha256"]:
        raise UserError(
            f"row {row.get('key')!r}: the text is the same, its ids are not: the tokenizer is "
            f"{encoder.identity['sha256'][:12] if encoder else ''}…, the row's {made['tokenizer']['sha256'][:12]}…"
        )
    return Rebuilt(messages, ids)


def _where(record: Mapping[str, Any]) -> str:
    return record.get("path") or f"{record.get('documents')} generated documents"
