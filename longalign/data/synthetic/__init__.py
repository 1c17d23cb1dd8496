"""Seeded conversations that need no model and no download: about long invented documents, or short everyday ones.

In: kind, count, length, seed, language, split. Out: rows `{"id", "messages", …}` for `sources.py` and the quickstart.
The same arguments give the same rows, and row i does not depend on the count. Names of people, places, ships and things
in the split `validation` never occur in `train`. The package `tasks` has long documents with harder questions.
"""

from collections.abc import Callable, Iterator
from typing import Any

from longalign.data.synthetic.chinese import CHINESE
from longalign.data.synthetic.documents import Fact, pick_facts, write_document
from longalign.data.synthetic.english import ENGLISH
from longalign.data.synthetic.questions import shuffled_questions
from longalign.data.synthetic.short import write_short_chat
from longalign.data.synthetic.world import SPLITS, Draw, World
from longalign.errors import UserError
from longalign.files import write_jsonl

__all__ = ["generate_conversations", "write_jsonl"]

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}
Length = int | tuple[int, int]

_FRAMES = {  # of the first message, with the document in front of the question or behind it
    "en": (
        "{document}\n\n{question}",
        "{document}\n\n---\n\nQuestion: {question}",
        "Read the document and answer the question at its end.\n\n{document}\n\n{question}",
        "{question} Here is the document:\n\n{document}",
        "Here is a document.\n\n{document}\n\nAnswer from the document: {question}",
    ),
    "zh": (
        "{document}\n\n{question}",
        "{document}\n\n---\n\n问题：{question}",
        "请阅读下面的文档，并回答文末的问题。\n\n{document}\n\n{question}",
        "{question}文档如下：\n\n{document}",
        "以下是一份文档。\n\n{document}\n\n请根据文档回答：{question}",
    ),
}


def generate_conversations(
    kind: str,
    count: int,
    *,
    length: Length | None = None,
    seed: int = 0,
    language: str = "both",
    split: str = "train",
    measure: Callable[[str], int] = len,
) -> Iterator[dict[str, Any]]:
    """Yield `count` rows `{"id", "kind", "language", "messages"}`.

    Args:
        kind: `long`: a logbook, ledger or story, with one to three questions that it answers. `short`: one to three
            everyday questions with computed answers. `questions`: one everyday question without an answer, for
            `longalign data answer`, and none twice.
        length: of a row, as `measure` counts; or a range from which it is drawn evenly on a log scale. A `long`
            document ends with a whole entry (default 8,000). A `short` row gets questions until it is as long as this.
        language: `en`, `zh`, or `both` in turn.
        split: `train` or `validation`.
        measure: counts the length of a text: characters by default, or `lambda text: len(tokenizer(text).input_ids)`.

    Raises:
        UserError: an argument has none of the values above, or there are not so many different questions.
    """
    for name, value, known in (
        ("kind", kind, ("long", "short", "questions")),
        ("language", language, ("en", "zh", "both")),
        ("split", split, SPLITS),
    ):
        if value not in known:
            raise UserError(f"{name}: got {value!r}, expected one of {', '.join(known)}")
    codes = ("en", "zh") if language == "both" else (language,)
    stock = {code: shuffled_questions(code, split, seed) for code in codes if kind == "questions"}
    most = len(codes) * min(map(len, stock.values()), default=0)
    if stock and count > most:
        raise UserError(f"count: got {count:,}, there are {most:,} different questions in {language}, split {split}")
    for number in range(count):
        code = codes[number % len(codes)]
        if kind == "questions":
            text = stock[code][number // len(codes)]
            messages, what = [{"role": "user", "content": text}], "question"
        else:
            draw = Draw(f"{seed}/{kind}/{split}/{number}")  # a string as seed gives the same on every machine
            write = _long if kind == "long" else _short
            messages, what = write(World(draw, code, split), code, _draw_length(draw, length), measure)
        yield {"id": f"{kind}-{split}-{seed}-{number}", "kind": what, "language": code, "messages": messages}


def _draw_length(draw: Draw, length: Length | None) -> int | None:
    if length is None or isinstance(length, int):
        return length
    low, high = length
    return round(low * (high / low) ** draw.random())


Messages = list[dict[str, str]]


def _long(world: World, code: str, length: int | None, measure: Callable[[str], int]) -> tuple[Messages, str]:
    language, draw = LANGUAGES[code], world.draw
    name = draw.choice(sorted(language.genres))
    asked = draw.choices((1, 2, 3), weights=(6, 2, 1))[0]
    # no room is kept for questions and answers: a document ends up to an entry short, which is about their length
    document, facts = write_document(
        world, language, language.genres[name], 8000 if length is None else length, measure
    )
    first, *others = pick_facts(draw, facts, asked)
    frame = draw.choice(_FRAMES[code])
    messages = _turn(Fact(first.key, frame.format(document=document, question=first.question), first.answer))
    for fact in others:
        messages += _turn(fact)
    return messages, name


def _short(world: World, code: str, length: int | None, measure: Callable[[str], int]) -> tuple[Messages, str]:
    messages = write_short_chat(world, LANGUAGES[code], world.draw.choices((1, 2, 3), weights=(5, 3, 2))[0])
    while length is not None and sum(measure(message["content"]) for message in messages) < length:
        messages += [message for message in write_short_chat(world, LANGUAGES[code], 1) if message["role"] != "system"]
    return messages, "short"


def _turn(fact: Fact) -> Messages:
    return [{"role": "user", "content": fact.question}, {"role": "assistant", "content": fact.answer}]
