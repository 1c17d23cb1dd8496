"""A sentencepiece BPE model as a backend of `tokenizers` that gives the same ids, and the check that a backend does."""

import logging
from collections.abc import Callable
from pathlib import Path

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers

from longalign.errors import UserError

log = logging.getLogger(__name__)

WORD_START = "▁"
PROBES = ("Hello  world\n\n问：x 😀\ue000", " a\tb", "[Round 1]\n\n答：1987")


def read_model(file: Path) -> sentencepiece.SentencePieceProcessor:
    """Load a tokenizer.model.

    Raises:
        UserError: it is no sentencepiece model.
    """
    model = sentencepiece.SentencePieceProcessor()
    try:
        model.LoadFromFile(str(file))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{file}: not a sentencepiece model ({' '.join(str(error).split())[:200]})") from error
    return model


def bpe_backend(model: sentencepiece.SentencePieceProcessor) -> Tokenizer:
    """The backend of a BPE model without normalisation, as Llama's and ChatGLM's are; check it with `agrees`.

    It recognises no special token in a text.
    """
    pieces = [model.IdToPiece(i) for i in range(model.GetPieceSize())]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    is_byte = [model.IsByte(i) for i in range(len(pieces))]
    ordinary = [i for i in range(len(pieces)) if not (model.IsControl(i) or model.IsUnknown(i) or is_byte[i])]
    ordinary.sort(key=lambda i: -model.GetScore(i))
    merges = _merges(vocab, [pieces[i] for i in ordinary])
    unknown = model.IdToPiece(model.unk_id())
    backend = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=any(is_byte))
    )
    prefix = [normalizers.Prepend(WORD_START)] if has_prefix(model) else []
    one_space = model.Encode(" a  a ") == model.Encode("a a")  # `remove_extra_whitespaces` of its training
    patterns = {r"\A +|[ ▁]+\z": "", " {2,}": " "} if one_space else {}
    extra = [normalizers.Replace(Regex(pattern), content) for pattern, content in patterns.items()]
    backend.normalizer = normalizers.Sequence([*extra, *prefix, normalizers.Replace(" ", WORD_START)])
    backend.decoder = decoders.Sequence(decoder_steps(prefix=bool(prefix)))
    return backend


def has_prefix(model: sentencepiece.SentencePieceProcessor) -> bool:
    """Whether the model puts a word-start mark in front of a text (`add_dummy_prefix` of its training)."""
    return model.EncodeAsPieces("a")[0].startswith(WORD_START)


def decoder_steps(*, prefix: bool) -> list[decoders.Decoder]:
    """From tokens to text; `prefix`: a text begins with a word-start mark that is no space of its own."""
    steps = [decoders.Replace(WORD_START, " "), decoders.ByteFallback(), decoders.Fuse()]
    return [*steps, decoders.Strip(" ", 1, 0)] if prefix else steps


def _merges(vocab: dict[str, int], by_score: list[str]) -> list[tuple[str, str]]:
    """The BPE merges: all pairs of pieces that make a piece, best-scored pieces first, as sentencepiece."""
    merges = []
    for piece in by_score:
        splits = ((piece[:k], piece[k:]) for k in range(1, len(piece)))
        found = [(left, right) for left, right in splits if left in vocab and right in vocab]
        merges += sorted(found, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
    return merges


def agrees(model: sentencepiece.SentencePieceProcessor, encode: Callable[[str], list[int]], file: Path) -> bool:
    """Whether `encode` gives the model's ids; a few differences among many texts are logged and let pass."""
    pieces = [model.IdToPiece(i) for i in range(model.GetPieceSize()) if not model.IsByte(i)]
    joined = ("".join(pieces[i : i + 8]).replace(WORD_START, " ") for i in range(0, len(pieces), 8))
    probes = [*PROBES, *joined]
    differ = [encode(probe) != expected for probe, expected in zip(probes, model.Encode(probes), strict=True)]
    if any(differ[: len(PROBES)]) or sum(differ) > len(probes) // 10:
        return False
    if any(differ):
        log.warning("%s: other ids than sentencepiece's for %d of %d probes", file, sum(differ), len(probes))
    return True


def encoder_of(backend: Tokenizer) -> Callable[[str], list[int]]:
    """The function that gives a backend's ids of a text, without those that a post-processor adds."""
    return lambda text: backend.encode(text, add_special_tokens=False).ids
