"""The answers of generated long tasks, worked out anew from the documents."""

import itertools
import re
from collections import Counter

from task_reader import (
    DATE,
    WORDINGS,
    asked,
    bare,
    both_languages,
    document_of,
    either,
    found,
    literal,
    make,
    read_chain,
    read_copies,
    read_dates,
    read_figures,
    read_lookup,
    read_multi_value,
    read_relations,
    read_tables,
    with_many_questions,
    without_brief,
)

from longalign.data.synthetic.english import MONTHS


def told(task: str, code: str, count: int = 60, **options):
    """(document, question without its request to be brief, row of the question) of the questions of a task.

    Of rows of that task, and of rows with many questions of all tasks.
    """
    rows = make(count, tasks=[task], language=code, unanswerable=0, **options)
    for row in [*rows, *with_many_questions(code)]:
        for one in row["questions"]:
            if one["task"] == task:
                yield document_of(row), without_brief(one["question"], code), one


@both_languages
def test_lookup_finds_one_value_only(code):
    seen = 0
    for document, question, one in told("lookup", code, 80):
        values = read_lookup(document, question, code)
        if values is not None:
            assert values == set(one["answers"]), (question, values, one)
            seen += 1
    assert seen > 60


@both_languages
def test_replies_name_the_key_before_its_values(code):
    for kind in (*WORDINGS[code].lookup, *WORDINGS[code].multi_value):
        for reply in kind.replies:
            assert reply.index("{key}") < reply.index("{value"), reply


@both_languages
def test_replies_show_the_steps_before_what_follows_from_them(code):
    words = WORDINGS[code]
    dated, measures, tables = words.dated, words.measures, words.tables
    for replies, steps, result in (
        (words.hops.therefore, "{steps}", "{answer}"),
        *((chain.ends, "{path}", "{value}") for chain in (words.hands, words.renames, words.copies)),
        (dated.time_replies, "{dates}", "{count}"),
        (dated.people_replies, "{names}", "{count}"),
        *((replies, "{list}", "{key}") for replies in (dated.first_replies, dated.last_replies)),
        (dated.sort_replies, "{list}", "{values}"),
        *((replies, "{list}", "{key}") for replies in (measures.most_replies, measures.least_replies)),
        (measures.difference_replies, "{list}", "{value}"),
        (tables.cell_replies, "{row}", "{value}"),
        (tables.total_replies, "{sum}", "{value}"),
        (tables.which_replies, "{value}", "{row}"),
    ):
        for reply in replies:
            assert reply.index(steps) < reply.index(result), reply


@both_languages
def test_values_of_a_key_are_all_named_in_the_order_of_the_text(code):
    for document, question, one in told("multi_value", code):
        assert read_multi_value(document, question, code) == one["answers"], (question, one)


@both_languages
def test_chains_lead_where_the_answer_says(code):
    kinds = Counter()
    for document, question, one in told("multi_hop", code, 80):
        if (names := read_copies(document, question, code)) is not None:
            kinds["copies"] += 1
            if names[-1].isdigit():  # which number a label holds: the reply goes back from copy to copy
                assert " ← ".join(names) in one["answer"] or one["answer"] == names[-1], (names, one)
                names = names[-1:]
        elif (names := read_relations(document, question, code)) is not None:
            kinds["relations"] += 1
        else:
            names = read_chain(document, question, code)
            kinds["passed"] += 1
            assert names, question
            names = names[-1:] if len(one["answers"]) == 1 else names
        assert names == one["answers"], (question, one)
    assert min(kinds[kind] for kind in ("copies", "relations", "passed")) >= 10


@both_languages
def test_counts_are_those_of_the_sentences(code):
    dated = WORDINGS[code].dated
    kinds = Counter()
    for document, question, one in told("count", code):
        did = {past: plain for pairs in dated.did.values() for past, plain in pairs}
        number = WORDINGS[code].numerals.index(one["answers"][0])
        counts = []
        for past, plain in did.items():
            if past not in question and plain not in question:
                continue
            facts = read_dates(document, past, code)
            for _ in asked(question, dated.people, did=re.escape(past), do=re.escape(plain)):
                counts.append(len({who for who, _ in facts}))
                kinds["people"] += 1
            for slots in asked(question, dated.times, did=re.escape(past), do=re.escape(plain)):
                counts.append(len({date for who, date in facts if who == bare(slots["who"])}))
                kinds["times"] += 1
        assert number in counts and len(set(counts) - {0}) == 1, (question, counts, one)
    assert min(kinds.values()) > 5


NUMBERS = {month: number for number, month in enumerate(MONTHS, start=1)}


def day(date: str) -> tuple[int, int, int]:
    assert re.fullmatch(DATE, date)
    if "年" in date:
        return tuple(map(int, re.findall(r"\d+", date)))
    number, month, year = date.split()
    return int(year), NUMBERS[month], int(number)


@both_languages
def test_order_is_that_of_the_dates_or_of_the_text(code):
    dated = WORDINGS[code].dated
    kinds = Counter()
    for document, question, one in told("order", code):
        for past, plain in itertools.chain(*dated.did.values()):
            if past not in document:
                continue
            slots = {"did": re.escape(past), "do": re.escape(plain), "these": either(list(dated.these.values()))}
            slots |= {"keys": ".+", "all": ".+"}
            forms = [
                f for f in ("first", "last", "sort", "mentioned") if any(asked(question, getattr(dated, f), **slots))
            ]
            facts = read_dates(document, past, code) if forms else []
            named = [(who, day(date)) for who, date in facts if who in question]
            if not named:
                continue
            by_date = [who for who, _ in sorted(named, key=lambda one: one[1])]
            assert len(set(by_date)) == len(by_date)
            right = {"first": by_date[:1], "last": by_date[-1:], "sort": by_date, "mentioned": [named[0][0]]}
            assert one["answers"] in [right[form] for form in forms], (question, facts, one)
            kinds.update(forms[:1])
            break
        else:
            raise AssertionError(question)
    assert len(kinds) == 4


@both_languages
def test_comparisons_are_right(code):
    measures = WORDINGS[code].measures
    kinds = Counter()
    for document, question, one in told("compare", code):
        for relation, unit in {(relation, unit) for _, relation, unit, _, _ in measures.measures}:
            slots = {"relation": re.escape(relation), "unit": re.escape(unit)}
            anything = {name: "[^?？]+?" for name in ("keys", "all", "high", "low")}
            for name in ("most", "least", "difference"):
                if not any(asked(question, getattr(measures, name), **slots, **anything)):
                    continue
                figures = read_figures(document, relation, code)
                named = {key: figure for key, figure in figures.items() if key in question}
                assert len(named) >= 2
                kinds[name] += 1
                right = {
                    "most": max(named, key=named.__getitem__),
                    "least": min(named, key=named.__getitem__),
                    "difference": str(max(named.values()) - min(named.values())),
                }
                assert one["answers"] == [right[name]], (question, named, one)
                break
    assert len(kinds) == 3 and kinds.total() >= 60, kinds


@both_languages
def test_tables_hold_the_answers(code):
    words = WORDINGS[code].tables
    kinds = Counter()
    for document, question, one in told("table", code, 80, length=6000):
        tables = read_tables(document, code)
        title = max((title for title in tables if title in question), key=len)
        rows = tables[title]
        any_ = {"title": re.escape(title), "column": either(list(next(iter(rows.values()))))}
        any_ |= {"row": either(list(rows)), "rows": "[^?？]+?", "value": r"\d+", "kind": r"\w+"}
        for name in ("cell", "most", "least", "total", "which"):
            for slots in asked(question, getattr(words, name), **any_):
                figures = {row: cells[slots["column"]] for row, cells in rows.items()}
                assert one["answers"] == [_from_table(name, slots, figures, code)], (question, figures, one)
                kinds[name] += 1
                break
    assert len(kinds) == 5, kinds


def _from_table(name: str, slots: dict[str, str], figures: dict[str, int], code: str) -> str:
    if name == "cell":
        return str(figures[slots["row"]])
    if name == "total":
        named = re.findall(either(list(figures)), slots["rows"])  # a name may hold the word for "and": 钱清和
        assert not set(re.sub(either(list(figures)), "", slots["rows"])) - set(" ,and、和"), slots
        return str(sum(figures[row] for row in named))
    if name == "which":
        return next(row for row, cell in figures.items() if cell == int(slots["value"]))
    return (max if name == "most" else min)(figures, key=figures.__getitem__)


@both_languages
def test_a_digest_has_every_fact_of_its_keys_and_no_other(code):
    digest = WORDINGS[code].digest
    relations = either([relation for relation, _ in itertools.chain(*digest.aspects.values())])
    for document, question, one in told("summarise_by_key", code, 30):
        lines = one["answer"].splitlines()
        for line in lines:
            key, _, aspects = line.removeprefix("- ").partition(": " if code == "en" else "：")
            assert bare(key) in question
            facts = found(document, digest.says, key=literal(key), relation=relations)
            wanted = [digest.aspect.format_map(fact) for fact in facts]
            assert aspects.split(digest.joint) == wanted, (line, facts)
