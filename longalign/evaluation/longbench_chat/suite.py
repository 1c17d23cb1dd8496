"""Twelve questions of our own on invented documents, with references and rated examples: LongBench-Chat with no files.

The documents are those of `longalign.data.synthetic` (the split that training never sees), so answers are known and
licences are no question. It shows that everything works, and finds models that cannot read; it is no LongBench-Chat.
"""

import random
from collections.abc import Sequence

from longalign.data.synthetic import LANGUAGES
from longalign.data.synthetic.documents import Fact, pick_facts, write_document
from longalign.data.synthetic.world import World
from longalign.errors import UserError
from longalign.evaluation.longbench_chat.cases import Case, Rated

NAME = "builtin"
LENGTH = 16_000
"""Characters of the longest English document; Chinese ones have a third, which is about as many tokens."""

_SHARES = (0.25, 0.5, 1.0)  # of the length, so that there is something to say by length
_MANY = 3  # facts that the long questions ask for

_WORDS = {
    "en": {
        "one": "{0}",
        "two": "Answer both questions about the document. First: {0} Second: {1}",
        "list": "Answer these questions about the document, each on its own line that begins with a dash:\n{0}",
        "missing": "I am afraid that the document does not say anything about this.",
        "aside": " By the way, the whole place burnt down a week later, and the book was written from memory.",
        "join": " ",
    },
    "zh": {
        "one": "{0}",
        "two": "请回答关于这份文档的两个问题。第一：{0}第二：{1}",
        "list": "请根据文档回答下面的问题，每个答案单独一行，以短横开头：\n{0}",
        "missing": "很抱歉，文档里没有提到这件事。",
        "aside": "顺便说一句，一周以后那里整个烧光了，这本簿子是后来凭记忆写的。",
        "join": "",
    },
}


def built_in_cases(length: int = LENGTH, seed: int = 0) -> list[Case]:
    """Six English and six Chinese cases; the same arguments give the same cases everywhere.

    Raises:
        UserError: the length is too small for documents that three questions can be asked about.
    """
    if length < 4000:
        raise UserError(f"suite_length: got {length}, expected 4,000 characters or more")
    return [_case(number, length, seed) for number in range(12)]


def source_name(length: int, seed: int) -> str:
    """What rows say of where their case comes from."""
    return f"{NAME} {length} {seed}"


def parse_source(source: str) -> tuple[int, int]:
    """(length, seed) of the built-in cases that rows are answers to.

    Raises:
        UserError: they are answers to something else.
    """
    name, *numbers = source.split(" ")
    if name != NAME or len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        raise UserError(f"test_cases: the answers are to the questions of {source or 'another file'}; give that file")
    return int(numbers[0]), int(numbers[1])


def _case(number: int, length: int, seed: int) -> Case:
    code = ("en", "zh")[number % 2]
    language, words = LANGUAGES[code], _WORDS[code]
    draw = random.Random(f"longbench-chat/{seed}/{number}")
    genre = sorted(language.genres)[number // 2 % len(language.genres)]
    kind = ("one", "two", "list")[(number // 2 + number // 6) % 3]
    size = int(length * _SHARES[number // 4] / (3 if code == "zh" else 1))
    document, facts = write_document(World(draw, code, "validation"), language, language.genres[genre], size, len)
    asked = {"one": 1, "two": 2, "list": _MANY}[kind]
    *facts, other = pick_facts(draw, facts, asked + 1)
    query = _query(kind, facts, words)
    return Case(
        idx=number + 1,
        prompt=f"{document}\n\n{query}",
        query=query,
        answer=_answer(kind, facts, words),
        language=code,
        few_shots=tuple(draw.sample(_examples(kind, facts, other, words), 3)),
        others={"type": kind, "source": genre},
    )


def _query(kind: str, facts: Sequence[Fact], words: dict[str, str]) -> str:
    questions = [fact.question for fact in facts]
    if kind == "list":
        return words["list"].format("\n".join(f"{i}. {question}" for i, question in enumerate(questions, start=1)))
    return words[kind].format(*questions)


def _answer(kind: str, facts: Sequence[Fact], words: dict[str, str]) -> str:
    answers = [fact.answer for fact in facts]
    return "\n".join(f"- {answer}" for answer in answers) if kind == "list" else words["join"].join(answers)


def _examples(kind: str, facts: Sequence[Fact], other: Fact, words: dict[str, str]) -> list[Rated]:
    """A right answer, one with a fault, and one of no use; the ratings are ours."""
    right = _answer(kind, facts, words)
    useless = [Rated(words["missing"], 1), Rated(other.answer, 2)]
    if kind == "one":
        return [Rated(right, 10), Rated(right + words["aside"], 6), useless[facts[0].answer < other.answer]]
    half = Rated(_answer(kind, facts[:1], words), 5 if kind == "two" else 4)
    return [Rated(right, 10), half, useless[len(right) % 2]]
