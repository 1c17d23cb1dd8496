"""Task `multi_hop`: questions whose answer needs a chain of facts.

For example: who is the doctor of the keeper of a thing, who had a thing last, what does a cell hold after copies.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from longalign.data.synthetic.tasks.exercise import Exercise, Fact, Question, cite
from longalign.data.synthetic.tasks.teller import Teller, bare
from longalign.data.synthetic.tasks.wording import Chain

Group = tuple[Fact, ...]
Maker = Callable[[Teller, int, bool], tuple[Group, Question]]
"""(teller, number of facts, unknown) -> the facts of one chain and its question."""


def multi_hop(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """A chain of two to six facts with its question, and other chains of its form, whose questions follow."""
    # `copies` gives one sort of cells to all chains, so that listing all cells of the document is no answer
    copies = partial(_copies, sort=teller.draw.choice(teller.words.sorts))
    makers: list[Maker] = [_relations, _relations, _hands, _hands, _renames, *[copies] * 8]
    make = teller.draw.choice(makers)
    least = 3
    most = max(least, min(6, limit))
    first, question = make(teller, teller.draw.randint(least, most), unknown)
    groups, questions = [first] if first else [], [question]
    left = limit - len(first)
    for _ in range(teller.crowd("chain", 0, limit // least)):
        if left < most:
            break
        group, question = make(teller, teller.draw.randint(least, most), False)
        groups.append(group)
        questions.append(question)
        left -= len(group)
    return Exercise(tuple(groups), tuple(questions))


def _relations(teller: Teller, length: int, unknown: bool) -> tuple[Group, Question]:
    """`length - 1` facts: who keeps a thing, who is related to whom, and perhaps where the last person lives."""
    draw, cast, hops = teller.draw, teller.cast, teller.words.hops
    ends_in_place = draw.random() < 0.5
    people = cast.several("person", length - 1 - ends_in_place)
    relations = draw.sample(hops.relations, len(people) - 1)
    thing = cast.draw_new("thing")
    facts = [teller.fact(hops.keeps, key=thing, b=people[0])]
    steps = [hops.steps[0].format(key=thing, b=people[0])]
    person = hops.keeper.format(key=thing)
    for (a, b), relation in zip(pairwise(people), relations, strict=True):
        facts.append(teller.fact(hops.relates, a=a, b=b, relation=relation))
        steps.append(hops.steps[1].format(a=a, b=b, relation=relation))
        person = hops.relative.format(relation=relation, person=person)
    answer = people[-1]
    if ends_in_place:
        answer = cast.draw_new("place")
        facts.append(teller.fact(hops.lives, a=people[-1], place=answer))
        steps.append(hops.steps[2].format(a=people[-1], place=answer))
    asks = hops.where if ends_in_place else hops.who
    if unknown:
        text = teller.say(asks, person=person)
        return teller.shuffled(facts[1:]), Question(text, teller.say(teller.words.unknown, key=thing), (), ())
    path = (teller.words.comma if teller.words.joint else "，").join(steps)
    question = teller.question(asks, hops.therefore, (answer,), cite(*facts), person=person, steps=path, answer=answer)
    return teller.shuffled(facts), question


def _hands(teller: Teller, length: int, unknown: bool) -> tuple[Group, Question]:
    thing, people = teller.cast.draw_new("thing"), teller.cast.several("person", length)
    facts = _linked(teller, teller.words.hands, people, key=thing)
    return _passed(teller, teller.words.hands, thing, people, facts, unknown)


def _renames(teller: Teller, length: int, unknown: bool) -> tuple[Group, Question]:
    ships = teller.cast.several("ship", min(length, 4))
    facts = _linked(teller, teller.words.renames, ships)
    return _passed(teller, teller.words.renames, ships[0], ships, facts, unknown)


def _linked(teller: Teller, chain: Chain, names: list[str], **slots: str) -> list[Fact]:
    first = teller.fact(chain.first, b=names[0], **slots)
    then = teller.alike(chain.then)
    return [first, *(teller.fact(then, a=a, b=b, **slots) for a, b in pairwise(names))]


def _passed(
    teller: Teller, chain: Chain, key: str, names: list[str], facts: list[Fact], unknown: bool
) -> tuple[Group, Question]:
    """The facts of a chain and a question for the last of `names`, or for all of them."""
    if unknown:
        missing = teller.cast.draw_new("thing" if chain is teller.words.hands else "ship")
        group = teller.shuffled(facts)
        return group, teller.unknown(chain.end, missing, bare=bare(missing))
    slots = {"key": key, "bare": bare(key), "count": teller.numeral(len(names)), "path": " → ".join(map(bare, names))}
    if teller.draw.random() < 0.5:
        question = teller.question(chain.end, chain.ends, (bare(names[-1]),), cite(*facts), value=names[-1], **slots)
    else:
        answers = [bare(name) for name in names]
        question = teller.question(chain.all, chain.alls, answers, cite(*facts), **slots)
    return teller.shuffled(facts), question


def _copies(teller: Teller, length: int, unknown: bool, sort: tuple[str, str]) -> tuple[Group, Question]:
    """A number that is copied from cell to cell: which cells hold it, or what does one of them hold?

    sort: what a cell is called, in singular and plural.
    """
    draw, cast, chain = teller.draw, teller.cast, teller.words.copies
    one, many = sort
    labels = cast.several("label", length)
    named = [f"{one}{teller.words.joint}{label}" for label in labels]
    value = cast.draw_new("number")
    facts = _linked(teller, chain, named, value=value)
    group = tuple(facts) if draw.random() < 0.7 else teller.shuffled(facts)
    if unknown:
        missing = f"{one}{teller.words.joint}{cast.draw_new('label')}"
        return group, teller.unknown(chain.end, missing)
    slots = {"value": value, "sort": one, "sorts": many, "count": teller.numeral(length)}
    if draw.random() < 0.25:
        last = draw.randrange(1, length)
        slots |= {"key": named[last], "path": " ← ".join([*reversed(labels[: last + 1]), value])}
        return group, teller.question(chain.end, chain.ends, (value,), cite(*facts[: last + 1]), **slots)
    slots |= {"path": " → ".join([value, *labels])}
    return group, teller.question(chain.all, chain.alls, labels, cite(*facts), **slots)
