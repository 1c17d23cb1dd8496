"""Task `summarise_by_key`: list all that the document says about some keys."""

from longalign.data.synthetic.tasks.exercise import Exercise, Fact, Question, alone, cite
from longalign.data.synthetic.tasks.teller import Teller


def summarise_by_key(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """Two to four keys with one to three facts each, and other keys that are not asked about. Ignores `unknown`."""
    draw, cast, digest = teller.draw, teller.cast, teller.words.digest
    kind = draw.choice(sorted(digest.aspects))
    number = draw.randint(2, max(2, min(4, limit // 2)))
    keys = cast.several(kind, teller.crowd(kind, number, max(number, limit // 3)))
    told: list[tuple[str, str, str, Fact]] = []
    for place, key in enumerate(keys):
        room = 1 if place < number else 0
        for relation, value_kind in draw.sample(digest.aspects[kind], draw.randint(1, 3)):
            if len(told) + (number - place - 1 if place < number else 0) >= max(limit, number) and not room:
                break
            room = 0
            value = cast.value(value_kind)
            fact = teller.fact(digest.says, key=key, relation=relation, value=value)
            told.append((key, relation, value, fact))
    draw.shuffle(told)
    asked = keys[:number]
    draw.shuffle(asked)
    lines = []
    for key in asked:
        aspects = [digest.aspect.format(relation=r, value=v) for k, r, v, _ in told if k == key]
        lines.append(digest.entry.format(key=key[0].upper() + key[1:], aspects=digest.joint.join(aspects)))
    used = [one for one in told if one[0] in asked]
    question = Question(
        teller.say(digest.asks, keys=teller.listed(asked)),
        "\n".join(lines),
        tuple(value for key in asked for k, _, value, _ in used if k == key),
        cite(*(fact for *_, fact in used)),
    )
    return Exercise(
        (tuple(fact for *_, fact in used), *alone([one[3] for one in told if one[0] not in asked])), (question,)
    )
