"""Formatting one pack for reading: its sequences, their positions, each target with its weight, and the text.

Of a long text without targets only the start and the end are shown. In a terminal targets are green and underlined, in
a pipe they are in ⟦ ⟧. ``⟦→ </s>⟧`` is a target that is not the next token: at the end of an answer that is followed by
another turn, the model should predict EOS.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from longalign.commands.screen import percent
from longalign.counted import counted
from longalign.data.collate import Pack
from longalign.data.dataset import PackDataset
from longalign.data.tokenized import IGNORE_INDEX

PLAIN, TARGET, END, FOLD = "", "bold green underline", "bold magenta underline", "dim italic"
FOLD_FROM = 4  # a text is folded if it is longer than so many times the context at each end
CONTROLS = {code: 0x2400 + code for code in range(32) if code not in (9, 10)} | {127: 0x2421}  # ESC -> ␛


def legend(colour: bool) -> Text:
    """A line that explains how targets are marked."""
    if not colour:
        return Text("targets stand in ⟦ ⟧; ⟦→ x⟧: x is to be predicted there, but another token follows")
    parts = (
        ("targets look like this", TARGET),
        ", ",
        ("→x", END),
        ": x is to be predicted there, but another token follows",
    )
    return Text.assemble(*parts)


def pack_screen(
    packs: PackDataset, number: int, tokenizer: Any, context: int, *, colour: bool
) -> Iterator[RenderableType]:
    """Yield the headline of the pack `number`, then for each sequence a line of figures and its text.

    context: tokens shown at each end of a text that is folded.
    """
    pack = packs[number]
    epoch, local = packs.locate(number)
    plan = packs.plans[epoch]
    step, place = divmod(local, plan.packs_per_step)
    micro_step, rank = divmod(place, plan.world_size)
    yield Text(
        f"pack {number} of {len(packs)}: epoch {epoch}, step {step} of {plan.num_steps}, micro-step {micro_step}, "
        f"rank {rank} of {plan.world_size}",
        style="bold",
    )
    if pack.is_dummy:
        yield Text("empty: it fills up the last step with one token of weight 0")
        return
    yield Text(
        f"{counted(pack.num_sequences, 'sequence')}, {pack.num_tokens:,} of {plan.max_length:,} tokens, "
        f"{counted(pack.num_targets, 'target')}; loss {packs.loss}, weights of the step M = {pack.step_weight:,.6g}"
    )
    yield Text(f"cu_seqlens {' '.join(map(str, pack.cu_seqlens.tolist()))}", style="dim")
    yield from _sequences(packs, pack, plan.pack(local), tokenizer, context, colour)


def _sequences(
    packs: PackDataset, pack: Pack, indices: np.ndarray, tokenizer: Any, context: int, colour: bool
) -> Iterator[RenderableType]:
    mixture = packs.mixture
    starts, positions = pack.cu_seqlens.tolist(), pack.position_ids[0].numpy()
    weights, labels = pack.loss_weights[0].numpy(), pack.labels[0].numpy()
    for number, (start, stop) in enumerate(pairwise(starts)):
        index = indices[number]
        mine = weights[start:stop]
        count = int(np.count_nonzero(labels[start:stop] != IGNORE_INDEX))
        weight = float(mine.max()) if count else 0.0
        share = float(mine.sum(dtype=np.float64)) / pack.step_weight if pack.step_weight else 0.0
        title = (
            f"{number + 1}/{pack.num_sequences} {mixture.names[pack.source_ids[number]]} row {mixture.row_ids[index]}: "
            f"tokens {start:,}-{stop - 1:,}, positions {positions[start]:,}-{positions[stop - 1]:,}, "
            f"{counted(count, 'target')} × {weight:.3g}, {percent(share)} of the step's loss"
        )
        yield Text(f"{'──' if colour else '--'} {title}", style="bold cyan")
        ids = pack.input_ids[0, start:stop].numpy()
        yield sequence_text(ids, labels[start:stop], tokenizer, context, marks=not colour)


def sequence_text(ids: np.ndarray, shifted: np.ndarray, tokenizer: Any, context: int, *, marks: bool) -> Text:
    """The text of a sequence, with targets marked.

    ids: int [L]. shifted: int [L], the target that is predicted AT each position (-100: none). marks: by ⟦ ⟧.
    """
    text = Text()
    for kind, start, stop in spans(ids, shifted):
        if kind == END:
            target = _visible(_text([int(shifted[start - 1])], tokenizer))
            text.append(f"⟦→ {target}⟧" if marks else f"→{target}", style=END)
        elif kind == TARGET:
            piece = _decode(ids, start, stop, tokenizer)
            text.append(f"⟦{piece}⟧" if marks else piece, style=TARGET)
        elif stop - start <= FOLD_FROM * context:
            text.append(_decode(ids, start, stop, tokenizer))
        else:  # the fold may cut a character in two, which decodes to U+FFFD
            text.append(_decode(ids, start, start + context, tokenizer).rstrip("\ufffd"))
            text.append(f" … [{stop - start - 2 * context:,} tokens] … ", style=FOLD)
            text.append(_decode(ids, stop - context, stop, tokenizer).lstrip("\ufffd"))
    return text


def spans(ids: np.ndarray, shifted: np.ndarray) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, start, stop) of the spans of a sequence, in order.

    PLAIN: tokens that are no targets. TARGET: tokens that are. END, with start = stop: a target other than the token at
    start, which is predicted in its place.

    For tokens a b c d e that predict - c </s> e - these are
    (PLAIN, 0, 2), (TARGET, 2, 3), (END, 3, 3), (PLAIN, 3, 4), (TARGET, 4, 5).
    """
    kinds = np.zeros(len(ids), np.int8)  # 0 no target, 1 the token is the target, 2 another token is
    kinds[1:] = np.where(shifted[:-1] == IGNORE_INDEX, 0, np.where(shifted[:-1] == ids[1:], 1, 2))
    cuts = np.flatnonzero((np.diff(kinds) != 0) | (kinds[1:] == 2)) + 1
    edges = [0, *cuts.tolist(), len(ids)]
    pending = None  # the start of a PLAIN span that has not been yielded; the token at an END belongs to it
    for start, stop in pairwise(edges):
        if kinds[start] == 1:
            if pending is not None:
                yield PLAIN, pending, start
                pending = None
            yield TARGET, start, stop
        elif kinds[start] == 2:
            if pending is not None:
                yield PLAIN, pending, start
            yield END, start, start
            pending = start
        elif pending is None:
            pending = start
    if pending is not None:
        yield PLAIN, pending, len(ids)


def _decode(ids: np.ndarray, start: int, stop: int, tokenizer: Any) -> str:
    """The text of ids[start:stop], with its leading blank: decoding these ids alone would lose that."""
    before = max(0, start - 4)
    text, head = (_text(ids[before:end].tolist(), tokenizer) for end in (stop, start))
    if not head or not text.startswith(head):  # a character may be cut in two at `start`
        return _visible(_text(ids[start:stop].tolist(), tokenizer))
    return _visible(text[len(head) :])


def _text(ids: list[int], tokenizer: Any) -> str:
    """Decode ids. Special tokens that the tokenizer decodes to nothing (ChatGLM's) are shown by their names."""
    silent = _silent_tokens(tokenizer)
    runs = groupby(ids, key=lambda token: token in silent)
    return "".join(
        "".join(silent[token] for token in run) if is_silent else tokenizer.decode(list(run), skip_special_tokens=False)
        for is_silent, run in runs
    )


@lru_cache(maxsize=4)
def _silent_tokens(tokenizer: Any) -> dict[int, str]:
    named = {token_id: name for name, token_id in tokenizer.get_added_vocab().items()}
    return {token_id: name for token_id, name in named.items() if not tokenizer.decode([token_id])}


def _visible(text: str) -> str:
    """Mark line ends, and show control characters, which could affect the terminal, as symbols."""
    return text.translate(CONTROLS).replace("\n", "↵\n")
