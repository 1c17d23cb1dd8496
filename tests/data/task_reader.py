"""Answers found again in a generated document by its sentences alone: the twin that tests compare the generator with.

It knows the templates of the facts, reads the document with them, and works the answer out anew. What the generator
says of answers, evidence and positions is not used.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from longalign.data.synthetic.tasks import generate_tasks
from longalign.data.synthetic.tasks.wording_en import WORDING as ENGLISH
from longalign.data.synthetic.tasks.wording_zh import WORDING as CHINESE

WORDINGS = {"en": ENGLISH, "zh": CHINESE}
PLAIN = r"[^.,;:\"“”。，；：\n|]+?"  # a name, number, code
DATE = r"(?:\d+ [A-Z][a-z]+ \d{4}|\d{4}年\d+月\d+日)"
LANGUAGES = ("en", "zh")
both_languages = pytest.mark.parametrize("code", LANGUAGES)


def make(count=20, **options) -> list[dict]:
    return list(generate_tasks(count, **({"length": 4000} | options)))


@functools.cache
def with_many_questions(code: str) -> list[dict]:
    return make(16, language=code, unanswerable=0, length=20_000, questions=(8, 24))


def document_of(row: dict) -> str:
    start, end = row["document"]
    return row["messages"][0]["content"][start:end]


def pattern(template: str, **slots: str) -> str:
    """A regular expression for a template: slots are expressions; the first letter in either case."""
    parts = re.split(r"\{(\w+)\}", template)
    seen: set[str] = set()
    out = ""
    for number, part in enumerate(parts):
        if number % 2 == 0:
            literal = re.escape(part)
            if number == 0 and part and part[0].isalpha() and part[0].isascii():
                literal = f"(?i:{part[0]})" + re.escape(part[1:])
            out += literal
        elif part in seen:
            out += f"(?P={part})"
        else:
            seen.add(part)
            out += f"(?P<{part}>{slots.get(part, PLAIN)})"
    return out


def found(document: str, templates: Sequence[str], **slots: str) -> list[dict[str, str]]:
    """What the slots are in each sentence of the document that has one of the templates, in its order."""
    hits: dict[int, dict[str, str]] = {}
    for template in sorted(templates, key=len, reverse=True):  # the fullest one that fits is meant
        for match in re.finditer(pattern(template, **slots), document):
            groups = {name: text.strip() for name, text in match.groupdict().items()}
            hits.setdefault(match.end(), groups)
    return [hits[at] for at in sorted(hits)]


def asked(question: str, asks: Sequence[str], **slots: str) -> Iterator[dict[str, str]]:
    """The slots of a question, for each template that it fits."""
    for ask in asks:
        if match := re.fullmatch(pattern(ask, **{"count": "(?:[0-9]+|[a-z]+)"} | slots), question):
            yield match.groupdict()


def literal(text: str) -> str:
    """An expression for a key, with a capital or without."""
    return f"(?i:{re.escape(text[:1])}){re.escape(text[1:])}"


def either(names: Sequence[str]) -> str:
    return "(?:" + "|".join(map(literal, sorted(names, key=len, reverse=True))) + ")"


def bare(key: str) -> str:
    return re.sub(r"^[Tt]he ", "", key)


def without_brief(question: str, code: str) -> str:
    words = WORDINGS[code]
    for brief in words.brief:
        question = question.removesuffix(words.joint + brief)
    return question


Row = dict[str, Any]


def read_lookup(document: str, question: str, code: str) -> set[str] | None:
    """All values that the document gives for the key asked for; None where the question has another form."""
    for kind in WORDINGS[code].lookup:
        if kind.values[0] in ("sentence", "outing", "spot"):
            value = {"sentence": "[^“”]+?", "outing": "[^“”.。\n]+?", "spot": "[^.。\n]+?"}[kind.values[0]]
        else:
            value = PLAIN
        for slots in asked(question, kind.asks, relation=either(kind.relations)):
            given = {"key": literal(slots["key"]), "value": value, "relation": re.escape(slots.get("relation", ""))}
            values = {one["value"].removesuffix(".") for one in found(document, kind.says, **given)}
            if values:
                return values
    return None


def read_multi_value(document: str, question: str, code: str) -> list[str] | None:
    for kind in WORDINGS[code].multi_value:
        plural = [re.sub("man$", "men", name) if name.endswith("man") else name + "s" for name in kind.relations]
        for slots in asked(question, kind.asks, relation=either(kind.relations), relations=either(plural)):
            relation = slots.get("relation") or kind.relations[plural.index(slots["relations"])]
            names = {"relation": re.escape(relation), "a_relation": "an? " + re.escape(relation)}
            names["relations"] = re.escape(plural[kind.relations.index(relation)])
            given = {"key": literal(slots["key"]), "value": PLAIN, **names}
            hits = found(document, kind.says, **given)
            if hits:
                return [hit["value"] for hit in hits]
    return None


def read_chain(document: str, question: str, code: str) -> list[str] | None:
    """Owners of a thing or names of a ship, from the first to the last; the question asks for all or the last."""
    words = WORDINGS[code]
    for chain, start in ((words.hands, "first"), (words.renames, "key")):
        for slots in [*asked(question, chain.all), *asked(question, chain.end)]:
            named = slots.get("key") or slots["bare"]
            key = {"key": literal(named)} if start == "first" else {}
            steps = {bare(hit["a"]): bare(hit["b"]) for hit in found(document, chain.then, **key)}
            if start == "first":
                firsts = found(document, chain.first, **key)
                if not firsts:
                    continue
                name = firsts[0]["b"]
            else:
                name = bare(named)
            names = [name]
            while names[-1] in steps:
                names.append(steps[names[-1]])
            if len(names) > 1:
                return names
    return None


def read_copies(document: str, question: str, code: str) -> list[str] | None:
    """Labels that hold a number (in the order of copying), or a label, those it is copied from, and their number."""
    words = WORDINGS[code]
    sort = either([one for one, _ in words.sorts])
    cell = rf"(?i:{sort}) ?[\w-]+"
    numbers = {"value": r"\d+", "b": cell, "a": cell}
    copies = [(_label(hit["a"], sort), _label(hit["b"], sort)) for hit in found(document, words.copies.then, **numbers)]
    first = {_label(hit["b"], sort): hit["value"] for hit in found(document, words.copies.first, **numbers)}
    named = {"sort": sort, "sorts": either([many for _, many in words.sorts]), "value": r"\d+", "key": cell}
    for slots in asked(question, words.copies.all, **named):
        labels = [label for label, value in first.items() if value == slots["value"]]
        for label in labels:
            labels += [b for a, b in copies if a == label]
        return labels
    for slots in asked(question, words.copies.end, **named):
        trail, back = [_label(slots["key"], sort)], {b: a for a, b in copies}
        while trail[-1] in back:
            trail.append(back[trail[-1]])
        return [*trail, first[trail[-1]]]
    return None


def _label(cell: str, sort: str) -> str:
    return re.sub(rf"^(?i:{sort}) ?", "", cell)


def read_relations(document: str, question: str, code: str) -> list[str] | None:
    """Follows "the doctor of the person who keeps X" from the inside to the outside."""
    hops = WORDINGS[code].hops
    for asks, in_place in ((hops.where, True), (hops.who, False)):
        for slots in asked(question, asks, person=r"[^?？]+?"):
            person, relations = slots["person"].strip(), []
            while match := re.fullmatch(pattern(hops.relative, relation=either(hops.relations), person=".+"), person):
                relations.append(match["relation"])
                person = match["person"]
            start = re.fullmatch(pattern(hops.keeper), person)
            if not start:
                continue
            name = found(document, hops.keeps, key=literal(start["key"]))[0]["b"]
            for relation in reversed(relations):
                name = found(document, hops.relates, a=re.escape(name), relation=re.escape(relation))[0]["b"]
            return [found(document, hops.lives, a=re.escape(name))[0]["place"]] if in_place else [name]
    return None


def read_dates(document: str, did: str, code: str) -> list[tuple[str, str]]:
    """(who, date) of all sentences that say that somebody did something, in their order."""
    hits = found(document, WORDINGS[code].dated.says, did=re.escape(did), date=DATE)
    return [(bare(hit["who"]), hit["date"]) for hit in hits]


def read_figures(document: str, relation: str, code: str) -> dict[str, int]:
    """The figure of each key."""
    hits = found(document, WORDINGS[code].measures.says, relation=re.escape(relation), value=r"\d+", unit=r"\w+")
    assert len({bare(hit["key"]) for hit in hits}) == len(hits)
    return {bare(hit["key"]): int(hit["value"]) for hit in hits}


def read_tables(document: str, code: str) -> dict[str, dict[str, dict[str, int]]]:
    """Title -> row -> column -> figure, of Markdown, CSV and lists."""
    tables: dict[str, dict[str, dict[str, int]]] = {}
    for sheet in WORDINGS[code].tables.sheets:
        for title in sheet.titles:
            form = pattern(title, section=r"[^\n]+?")
            for match in re.finditer(rf"^(?:### |\*\*)?({form})(?:\*\*)?\n\n((?:.+\n?)+)", document, re.M):
                tables[match[1]] = _rows(match[3].strip().splitlines(), code)
    return tables


def _rows(lines: list[str], code: str) -> dict[str, dict[str, int]]:
    plain = [re.sub(r" \(.*?\)|（.*?）", "", line) for line in lines]
    if lines[0].startswith("|"):
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in plain if "---" not in line]
    elif ": " in lines[0] or "：" in lines[0]:
        rows = {}
        for line in lines:
            name, _, rest = line.partition(": " if code == "en" else "：")
            parts = re.findall(r"([^\d,，]+?) ?(\d+)[^,，]*", rest)
            rows[name] = {column.strip(): int(number) for column, number in parts}
        return rows
    else:
        cells = [line.split(",") for line in plain]
    return {row[0]: dict(zip(cells[0][1:], map(int, row[1:]), strict=True)) for row in cells[1:]}
