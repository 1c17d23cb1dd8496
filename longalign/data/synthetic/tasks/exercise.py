"""The parts of a task: facts to hide in a document, and questions about them with answers and evidence."""

from dataclasses import dataclass


@dataclass(eq=False)
class Fact:
    """A sentence to hide in a document. Two facts of the same text are not equal.

    Attributes:
        apart: it is a paragraph of its own, not a sentence inside another. block: it is a block of lines, a table.
    """

    text: str
    apart: bool = False
    block: bool = False

    def with_space(self, joint: str) -> str:
        """The text with the longest separator that it may have in the document, for measuring."""
        if self.block:
            return "\n\n\n" + self.text
        return ("\n\n" if self.apart else joint) + self.text


@dataclass(frozen=True)
class Evidence:
    """A fact that an answer is from. quote: the part of its text that has the answer; by default all of it."""

    fact: Fact
    quote: str = ""


@dataclass(frozen=True)
class Question:
    """A question with its answer. answers: strings that a right answer contains, as `answer` does.

    If the document does not answer the question, `answers` and `evidence` are empty, and `answer` says so.
    """

    text: str
    answer: str
    answers: tuple[str, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Exercise:
    """The facts and questions of a task in one document.

    The facts of a group are spread over the document in their order; those of different groups in any order. Either all
    facts of a group are `apart` or none.
    """

    groups: tuple[tuple[Fact, ...], ...]
    questions: tuple[Question, ...]

    @property
    def facts(self) -> list[Fact]:
        """The facts of all groups."""
        return [fact for group in self.groups for fact in group]


def alone(facts: list[Fact]) -> tuple[tuple[Fact, ...], ...]:
    """Make each fact a group of its own, so that it may be anywhere in the document."""
    return tuple((fact,) for fact in facts)


def cite(*facts: Fact) -> tuple[Evidence, ...]:
    """The whole of each fact as evidence."""
    return tuple(Evidence(fact) for fact in facts)
