"""Tasks `lookup` (find the value of a key among similar facts) and `multi_value` (find all values of a key)."""

from collections.abc import Sequence

from longalign.data.synthetic.tasks.exercise import Exercise, Fact, Question, alone, cite
from longalign.data.synthetic.tasks.teller import Teller, bare
from longalign.data.synthetic.tasks.wording import Kind

_ASKED = 4  # questions of an exercise at most


def lookup(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """Keys with one value each. Some keys also have a value of another relation, which is not asked about."""
    draw, cast = teller.draw, teller.cast
    kind = draw.choice(teller.words.lookup)
    key_kind, value_kind = draw.choice(kind.keys), draw.choice(kind.values)
    relation = draw.choice(kind.relations)
    keys = cast.several(key_kind, teller.crowd(key_kind, 1, limit))
    says = teller.alike(kind.says)
    facts: list[Fact] = []
    questions: list[Question] = []
    for key in keys:
        fact, question = _record(teller, kind, says, key, relation, cast.value(value_kind))
        facts.append(fact)
        questions.append(question)
    if unknown:
        questions[0] = teller.unknown(kind.asks, cast.draw_new(key_kind), relation=relation)
    if len(kind.relations) > 1:
        other = draw.choice([name for name in kind.relations if name != relation])
        for key in draw.sample(keys, min(len(keys), max(0, limit - len(keys)), draw.choice((0, 0, 1, 3)))):
            facts.append(_record(teller, kind, says, key, other, cast.value(value_kind))[0])
    return Exercise(alone(facts), tuple(questions[:_ASKED]))


def _record(
    teller: Teller, kind: Kind, says: Sequence[str], key: str, relation: str, value: str
) -> tuple[Fact, Question]:
    slots = {"key": key, "relation": relation, "value": value}
    fact = teller.fact(says, **slots)
    wanted = value.removesuffix(".")
    if kind.backwards and teller.draw.random() < 0.12:
        replies = (*kind.replies, "{bare}")
        return fact, teller.question(kind.backwards, replies, (bare(key),), cite(fact), bare=bare(key), **slots)
    return fact, teller.question(kind.asks, kind.replies, (wanted,), cite(fact), **slots)


def multi_value(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """Keys with two to six values each, which are spread over the document and asked for in its order."""
    draw, cast = teller.draw, teller.cast
    kind = draw.choice(teller.words.multi_value)
    key_kind, value_kind, relation = draw.choice(kind.keys), draw.choice(kind.values), draw.choice(kind.relations)
    groups: list[tuple[Fact, ...]] = []
    questions: list[Question] = []
    says = teller.alike(kind.says)
    left = max(limit, 2)
    for key in cast.several(key_kind, teller.crowd(key_kind, 1, max(1, limit // 4))):
        values = cast.several(value_kind, min(left, draw.choice((2, 3, 4, 4, 5, 6))))
        if len(values) < 2:
            break
        slots = _plural(relation) | {"key": key}
        group = tuple(teller.fact(says, value=value, **slots) for value in values)
        left -= len(group)
        groups.append(group)
        more = {"count": teller.numeral(len(values)), "values": teller.listed(values)}
        questions.append(teller.question(kind.asks, kind.replies, values, cite(*group), **slots, **more))
    if unknown:
        asks = [ask for ask in kind.asks if "{count}" not in ask]
        questions[0] = teller.unknown(asks, cast.draw_new(key_kind), **_plural(relation))
    return Exercise(tuple(groups), tuple(questions[:_ASKED]))


def _plural(relation: str) -> dict[str, str]:
    article = "an" if relation[0] in "aeiou" else "a"
    plural = relation.removesuffix("man") + "men" if relation.endswith("man") else relation + "s"
    return {"relation": relation, "relations": plural, "a_relation": f"{article} {relation}"}
