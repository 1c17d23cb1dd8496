"""What a task hides in a document and asks about it: facts in groups, questions with their answers and evidence."""

from dataclasses import dataclass


@dataclass(eq=False)
class Fact:
    """A sentence to hide, inside a paragraph or `apart`; or a `block` of lines (a table). Equal only to itself."""

    text: str
    apart: bool = False
    block: bool = False

    def with_space(self, joint: str) -> str:
        """The text behind as much as may separate it from its neighbours."""
        if self.block:
            return "\n\n\n" + self.text
        return ("\n\n" if self.apart else joint) + self.text


@dataclass(frozen=True)
class Evidence:
    """Where an answer stands: `quote` is the part of the fact's text that holds it, all of it by default."""

    fact: Fact
    quote: str = ""


@dataclass(frozen=True)
class Question:
    """`answers`: strings that a right answer holds, each verbatim in `answer`; none where the document does not say."""

    text: str
    answer: str
    answers: tuple[str, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Exercise:
    """Facts of one group stand in the document in this order, spread over it; groups know nothing of each other.

    Either all facts of a group stand apart or none.
    """

    groups: tuple[tuple[Fact, ...], ...]
    questions: tuple[Question, ...]

    @property
    def facts(self) -> list[Fact]:
        return [fact for group in self.groups for fact in group]


def alone(facts: list[Fact]) -> tuple[tuple[Fact, ...], ...]:
    """Each fact a group of its own: anywhere, in any order."""
    return tuple((fact,) for fact in facts)


def cite(*facts: Fact) -> tuple[Evidence, ...]:
    return tuple(Evidence(fact) for fact in facts)
