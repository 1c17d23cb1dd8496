"""Tasks `count`, `order` and `compare`: how often, which was first, which is greater, from facts that are far apart."""

from longalign.data.synthetic.tasks.exercise import Exercise, Fact, Question, alone, cite
from longalign.data.synthetic.tasks.teller import Teller, bare


def count(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """How often somebody did something, or how many different people did it. Ignores `unknown`."""
    draw, cast, dated = teller.draw, teller.cast, teller.words.dated
    kind = draw.choice(("person", "person", "ship", "house"))
    (did, do), (other, _) = teller.deeds(kind, 2)
    number = draw.randint(2, max(2, min(9, limit - 1)))
    if kind == "person" and draw.random() < 0.4:
        return _people(teller, did, do, other, number, limit)
    who = cast.draw_new(kind)
    dates = cast.dates(number + 1)
    draw.shuffle(dates)
    facts = [teller.fact(dated.says, who=who, did=did, date=date) for date in dates[:number]]
    slots = {"who": who, "did": did, "do": do, "count": teller.numeral(number), "dates": teller.listed(dates[:number])}
    question = teller.question(dated.times, dated.time_replies, (teller.numeral(number),), cite(*facts), **slots)
    others = [teller.fact(dated.says, who=who, did=other, date=dates[number])] if limit > number else []
    for name in cast.several(kind, teller.crowd(kind, 0, max(0, limit - number - 1))):
        others.append(teller.fact(dated.says, who=name, did=did, date=cast.dates(1)[0]))
    return Exercise((tuple(facts), *alone(others)), (question,))


def _people(teller: Teller, did: str, do: str, other: str, number: int, limit: int) -> Exercise:
    cast, dated = teller.cast, teller.words.dated
    people = cast.several("person", number)
    facts = [teller.fact(dated.says, who=who, did=did, date=cast.dates(1)[0]) for who in people]
    names = teller.listed(people)
    slots = {"did": did, "do": do, "count": teller.numeral(number), "names": names}
    question = teller.question(dated.people, dated.people_replies, (teller.numeral(number),), cite(*facts), **slots)
    others: list[Fact] = []
    for name in cast.several("person", teller.crowd("person", 0, max(0, limit - number))):
        others.append(teller.fact(dated.says, who=name, did=other, date=cast.dates(1)[0]))
    return Exercise((tuple(facts), *alone(others)), (question,))


def order(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """Which of some was first or last by date, all of them in order, or which is mentioned first. Ignores `unknown`."""
    draw, cast, dated = teller.draw, teller.cast, teller.words.dated
    kind = draw.choice(("person", "ship", "house"))
    ((did, do),) = teller.deeds(kind, 1)
    number = draw.randint(2, max(2, min(5, limit)))
    keys = cast.several(kind, teller.crowd(kind, number, max(number, limit)))
    dates = cast.dates(len(keys))
    days = list(range(len(keys)))
    draw.shuffle(days)
    day = dict(zip(keys, days, strict=True))
    said = {key: teller.fact(dated.says, who=key, did=did, date=dates[day[key]]) for key in keys}
    asked, others = keys[:number], [said[key] for key in keys[number:]]
    by_date = sorted(asked, key=day.__getitem__)
    shown = draw.sample(asked, number)
    slots = {"these": dated.these[kind], "did": did, "do": do}
    brackets = "{} ({})" if teller.words.joint else "{}（{}）"
    slots |= {"list": teller.listed([brackets.format(key, dates[day[key]]) for key in shown])}
    facts = [said[key] for key in asked]
    question = _order_question(
        teller, asked, by_date, shown, cite(*facts), slots, dates[day[by_date[0]]], dates[day[by_date[-1]]]
    )
    return Exercise((tuple(facts), *alone(others)), (question,))


def _order_question(
    teller: Teller,
    asked: list[str],
    by_date: list[str],
    shown: list[str],
    evidence: tuple,
    slots: dict,
    first: str,
    last: str,
) -> Question:
    dated, what = teller.words.dated, teller.draw.choice(("first", "last", "sort", "mentioned"))
    choice = slots | {"keys": teller.listed(shown, teller.words.choice), "all": teller.listed(shown)}
    if what == "mentioned":
        return teller.question(
            dated.mentioned, dated.mentioned_replies, (bare(asked[0]),), evidence, key=asked[0], **choice
        )
    if what == "sort":
        more = slots | {"keys": teller.listed(shown), "values": teller.listed(by_date)}
        return teller.question(dated.sort, dated.sort_replies, [bare(key) for key in by_date], evidence, **more)
    asks, replies = (dated.first, dated.first_replies) if what == "first" else (dated.last, dated.last_replies)
    key, date = (by_date[0], first) if what == "first" else (by_date[-1], last)
    return teller.question(asks, replies, (bare(key),), evidence, key=key, date=date, **choice)


def compare(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """Which of two or three has the greatest or smallest number, or by how much two of them differ."""
    draw, cast, measures = teller.draw, teller.cast, teller.words.measures
    kind, relation, unit, low, high = draw.choice(measures.measures)
    number = draw.randint(2, max(2, min(3, limit)))
    keys = cast.several(kind, teller.crowd(kind, number, min(max(number, limit), high - low)))
    figures = draw.sample(range(low, high + 1), len(keys))
    facts = [
        teller.fact(measures.says, key=key, relation=relation, value=figure, unit=unit)
        for key, figure in zip(keys, figures, strict=True)
    ]
    slots: dict[str, object] = {"relation": relation, "unit": unit}
    if unknown:
        pair = [cast.draw_new(kind), keys[0]]
        shown = draw.sample(pair, 2)
        slots |= {"keys": teller.listed(shown, teller.words.choice), "all": teller.listed(shown)}
        text = teller.say(measures.most, **slots)
        question = Question(text, teller.say(teller.words.unknown, key=pair[0]), (), ())
        return Exercise(alone(facts), (question,))
    asked = list(zip(keys, figures, facts, strict=True))[:number]
    what = draw.choice(("most", "least", "difference"))
    if what == "difference":
        asked = asked[:2]
    asked.sort(key=lambda one: one[1])
    shuffled = draw.sample(asked, len(asked))
    shown = [key for key, _, _ in shuffled]
    each = [measures.one.format(key=key, value=figure, unit=unit) for key, figure, _ in shuffled]
    slots |= {"list": teller.listed(each)}
    slots |= {"keys": teller.listed(shown, teller.words.choice), "all": teller.listed(shown)}
    evidence = cite(*(fact for _, _, fact in asked))
    if what == "difference":
        slots |= {"low": asked[0][0], "high": asked[-1][0], "keys": teller.listed(shown)}
        value = str(asked[-1][1] - asked[0][1])
        question = teller.question(
            measures.difference, measures.difference_replies, (value,), evidence, value=value, **slots
        )
    else:
        key, figure, _ = asked[-1] if what == "most" else asked[0]
        asks = measures.most if what == "most" else measures.least
        replies = measures.most_replies if what == "most" else measures.least_replies
        question = teller.question(asks, replies, (bare(key),), evidence, key=key, value=figure, **slots)
    used = [fact for _, _, fact in asked]
    return Exercise((teller.shuffled(used), *alone([fact for fact in facts if fact not in used])), (question,))
