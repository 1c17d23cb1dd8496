"""The types of the templates of all tasks in one language; `wording_en.py` and `wording_zh.py` have the templates.

A template has slots: `{key}` is what a fact is about, `{relation}` the attribute of it, `{value}` the answer. Other
slots are explained where a field has them. A reply shows the steps (`{path}`, `{list}`) before the result.
"""

from dataclasses import dataclass

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """Templates of one kind of fact: the `{relation}` of `{key}` is `{value}`.

    `{relations}` is the plural of the relation, `{a_relation}` has its article.

    Attributes:
        keys, values: kinds of keys and values, as `Cast` draws them.
        says: the fact. asks: the question for the value. replies: its answer. relations: words for `{relation}`.
        backwards: questions that give the value and ask for the key.
    """

    keys: Lines
    values: Lines
    says: Lines
    asks: Lines
    replies: Lines
    relations: Lines = ("",)
    backwards: Lines = ()


@dataclass(frozen=True)
class Hops:
    """Templates of chains of people.

    `{b}` keeps the thing `{key}`; `{b}` is the `{relation}` of `{a}`; `{a}` lives in `{place}`.
    """

    keeps: Lines
    relates: Lines
    lives: Lines
    relations: Lines
    keeper: str  # "the person who keeps {key}"
    relative: str  # "the {relation} of {person}"
    who: Lines  # asks for {person}
    where: Lines  # asks where {person} lives
    steps: tuple[str, str, str]  # keeps, relates, lives: as a step of an answer, without the full stop
    therefore: Lines  # {steps}, {answer}


@dataclass(frozen=True)
class Chain:
    """Templates of something that goes from `{a}` to `{b}`; `{key}` is the thing, or the first name or cell."""

    first: Lines
    then: Lines
    end: Lines  # asks for the last
    ends: Lines  # replies: {path}, {value}
    all: Lines  # asks for all of them, in order
    alls: Lines  # replies: {path}


@dataclass(frozen=True)
class Dated:
    """Templates of what `{who}` did on a day.

    did: by kind of key, deeds in past and plain form: (("rang the bell", "ring the bell"), …).
    """

    says: Lines
    did: dict[str, tuple[tuple[str, str], ...]]
    these: dict[str, str]  # of a key kind: "these people"
    times: Lines  # asks how often {who} {do}
    time_replies: Lines  # {count}, {dates}
    people: Lines  # asks how many different people {did}
    people_replies: Lines  # {count}, {names}
    first: Lines  # asks which of {these}, {keys} (a, b or c) or {all} (a, b and c), {did} first
    first_replies: Lines
    last: Lines
    last_replies: Lines
    sort: Lines
    sort_replies: Lines
    mentioned: Lines
    mentioned_replies: Lines


@dataclass(frozen=True)
class Measures:
    """Templates of numbers to compare. measures: (kind of key, relation, unit, lowest, highest)."""

    measures: tuple[tuple[str, str, str, int, int], ...]
    says: Lines
    most: Lines
    most_replies: Lines  # {key}, {list}: "the first (12 metres) and the second (14 metres)"
    least: Lines
    least_replies: Lines
    difference: Lines
    difference_replies: Lines
    one: str  # of a {list}: "{key} ({value} {unit})"


@dataclass(frozen=True)
class Digest:
    """Templates of summaries. aspects: by kind of key, (relation, kind of value)."""

    aspects: dict[str, tuple[tuple[str, str], ...]]
    says: Lines
    asks: Lines  # {keys}
    entry: str  # {key}, {aspects}
    aspect: str  # {relation}, {value}
    joint: str


@dataclass(frozen=True)
class Sheet:
    """A kind of table. columns: of the columns of numbers, (name, unit or "", lowest, highest)."""

    titles: Lines  # {section}
    section: str  # kind of key
    row: str  # name of the first column
    rows: str  # kind of key, or word list
    columns: tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True)
class Tables:
    """Templates of tables, with the slots `{row}`, `{column}`, `{title}` and `{value}`."""

    sheets: tuple[Sheet, ...]
    item: str  # "{name}: {cells}" of a table that is written as a list
    cell: Lines  # asks for {column} of {row} in {title}
    cell_replies: Lines
    most: Lines
    most_replies: Lines
    least: Lines
    least_replies: Lines
    total: Lines
    total_replies: Lines
    which: Lines
    which_replies: Lines


@dataclass(frozen=True)
class Wording:
    """All templates of a language."""

    words: dict[str, Lines]  # lists of words, by kind of value
    intros: Lines  # introductions of a {fact}
    joint: str  # between sentences
    comma: str
    final: str  # before the last of a list: " and "
    choice: str  # before the last of a choice: " or "
    numerals: Lines  # from 0
    lookup: tuple[Kind, ...]
    multi_value: tuple[Kind, ...]
    hops: Hops
    hands: Chain
    renames: Chain
    copies: Chain
    sorts: tuple[tuple[str, str], ...]  # what labels in copies name, one and many
    dated: Dated
    measures: Measures
    digest: Digest
    tables: Tables
    brief: Lines  # appended to a question whose answer is the bare value
    several: str  # several questions at once: {questions}
    unknown: Lines  # replies where the document does not say
    frames: Lines  # {document}, {question}
