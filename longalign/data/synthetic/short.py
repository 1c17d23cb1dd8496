"""Short everyday chats with computed, and therefore correct, answers: sums, times, dates, lists, rewriting."""

import datetime
from collections.abc import Callable

from longalign.counted import counted
from longalign.data.synthetic.chinese import CHINESE
from longalign.data.synthetic.documents import Language, Slots
from longalign.data.synthetic.english import ENGLISH
from longalign.data.synthetic.world import World

Turn = tuple[str, str]  # question, answer

WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
SYSTEM = {
    "en": ("You are a helpful assistant.", "Answer briefly.", "You help with small everyday questions."),
    "zh": ("你是一个乐于助人的助手。", "请简短回答。", "你帮助解答日常的小问题。"),
}


def write_short_chat(world: World, language: Language, turns: int) -> list[dict[str, str]]:
    """Write a chat of so many questions and answers, each of another kind, sometimes with a system message in front."""
    draw, code = world.draw, world.language
    messages = [{"role": "system", "content": draw.choice(SYSTEM[code])}] if draw.random() < 0.15 else []
    kinds = draw.sample(KINDS, turns) if turns <= len(KINDS) else draw.choices(KINDS, k=turns)
    for kind in kinds:
        english, chinese = kind(world, Slots(world, language, {}))
        question, answer = english if code == "en" else chinese
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages


def _sum(world: World, slots: Slots) -> tuple[Turn, Turn]:
    a, b = world.draw.randint(12, 980), world.draw.randint(12, 980)
    sign, result = world.draw.choice((("+", a + b), ("-", a - b), ("×", a * b)))
    return (
        (f"What is {a} {sign} {b}?", f"{a} {sign} {b} = {result}."),
        (f"{a} {sign} {b} 等于多少？", f"{a} {sign} {b} = {result}。"),
    )


def _shopping(world: World, slots: Slots) -> tuple[Turn, Turn]:
    many, price, name = world.draw.randint(2, 12), world.draw.randint(3, 48), world.person()
    paid = ((many * price + 49) // 50 + world.draw.randint(0, 1)) * 50
    goods, unit = slots["goods"], slots["unit"]
    change = paid - many * price
    return (
        (
            f"{name} buys {many} {unit} of {goods} at {price} dollars each and pays with {paid} dollars. "
            "How much change is due?",
            f"{many} times {price} is {many * price}. From {paid} dollars, {change} dollars of change are due."
            if change
            else f"{many} times {price} is {paid}, exactly what was paid, so no change is due.",
        ),
        (
            f"{name}买了{many}{unit}{goods}，每{unit}{price}元，付了{paid}元，应找回多少？",
            f"{many}乘以{price}是{many * price}，应找回{change}元。"
            if change
            else f"{many}乘以{price}正好是{paid}，不用找钱。",
        ),
    )


def _journey(world: World, slots: Slots) -> tuple[Turn, Turn]:
    start, minutes = world.draw.randint(5 * 60, 15 * 60), world.draw.randint(25, 460)
    end = start + minutes
    leave, arrive = (f"{t // 60:02d}:{t % 60:02d}" for t in (start, end))
    place, other = world.place(), world.place()
    hours, rest = divmod(minutes, 60)
    took_en = " and ".join(counted(n, unit) for n, unit in ((hours, "hour"), (rest, "minute")) if n)
    took_zh = (f"{hours}小时" if hours else "") + (f"{rest}分钟" if rest else "")
    return (
        (
            f"A train leaves {place} at {leave} and reaches {other} at {arrive}. How long does the journey take?",
            f"The journey from {place} to {other} takes {took_en}.",
        ),
        (f"火车{leave}从{place}开出，{arrive}到达{other}，路上要多久？", f"从{place}到{other}要{took_zh}。"),
    )


def _weekday(world: World, slots: Slots) -> tuple[Turn, Turn]:
    day = datetime.date(world.draw.randint(1950, 2040), world.draw.randint(1, 12), world.draw.randint(1, 28))
    english, chinese = (WEEKDAYS[code][day.weekday()] for code in ("en", "zh"))
    shown, shown_zh = ENGLISH.date(day), CHINESE.date(day)
    return (
        (f"Which day of the week is {shown}?", f"{shown} is a {english}."),
        (f"{shown_zh}是星期几？", f"{shown_zh}是{chinese}。"),
    )


def _later(world: World, slots: Slots) -> tuple[Turn, Turn]:
    day = datetime.date(world.draw.randint(1990, 2035), world.draw.randint(1, 12), world.draw.randint(1, 28))
    ahead = world.draw.randint(5, 90)
    then = day + datetime.timedelta(days=ahead)
    name = world.person()
    en, zh = ([language.date(d) for d in (day, then)] for language in (ENGLISH, CHINESE))
    return (
        (
            f"{name} borrowed a book on {en[0]} for {ahead} days. When is it due?",
            f"{ahead} days after {en[0]} is {en[1]}, so the book is due then.",
        ),
        (f"{name}在{zh[0]}借了一本书，期限{ahead}天，哪天到期？", f"{zh[0]}之后{ahead}天是{zh[1]}，到那天为止。"),
    )


def _sorting(world: World, slots: Slots) -> tuple[Turn, Turn]:
    people = [world.person() for _ in range(world.draw.randint(3, 6))]
    numbers = world.draw.sample(range(2, 99), len(people))
    ranked = sorted(zip(numbers, people, strict=True), reverse=True)
    return (
        ("Put these names in alphabetical order: " + ", ".join(people) + ".", ", ".join(sorted(people)) + "."),
        (
            "请按得分从高到低排列：" + "，".join(f"{p}{n}分" for n, p in zip(numbers, people, strict=True)) + "。",
            "，".join(f"{p}（{n}分）" for n, p in ranked) + "。",
        ),
    )


def _listing(world: World, slots: Slots) -> tuple[Turn, Turn]:
    goods = world.draw.sample(slots.language.words["goods"], world.draw.randint(3, 5))
    return (
        (
            'Write this list as one sentence that begins with "Please buy":\n' + "\n".join(f"- {g}" for g in goods),
            "Please buy " + ", ".join(goods[:-1]) + " and " + goods[-1] + ".",
        ),
        (
            "请把下面的清单写成一句话，以“请买”开头：\n" + "\n".join(f"- {g}" for g in goods),
            "请买" + "、".join(goods[:-1]) + "和" + goods[-1] + "。",
        ),
    )


def _rewriting(world: World, slots: Slots) -> tuple[Turn, Turn]:
    old, new, place, time = world.person(), world.person(), world.place(), slots["time"]
    keepsake = world.keepsake()
    en = f"{{}} will bring {keepsake} to {place} at {time}, and hopes that somebody opens the gate."
    zh = f"{{}}{time}会把一件{keepsake}带到{place}，希望有人开门。"
    return (
        (f"Rewrite the sentence with {new} in place of {old}: {en.format(old)}", en.format(new)),
        (f"请把句子里的{old}换成{new}：{zh.format(old)}", zh.format(new)),
    )


def _message(world: World, slots: Slots) -> tuple[Turn, Turn]:
    name, sender, place, time, later = world.person(), world.person(), world.place(), slots["time"], slots["time_2"]
    return (
        (
            f"Write a short note from {sender} to {name}: the meeting in {place} moves from {time} to {later}.",
            f"Dear {name},\n\nour meeting in {place} will begin at {later} instead of {time}. "
            f"I look forward to seeing you there.\n\nBest wishes\n{sender}",
        ),
        (
            f"替{sender}给{name}写一张便条：在{place}的会面从{time}改到{later}。",
            f"{name}：\n\n我们在{place}的会面由{time}改为{later}，届时见。\n\n{sender}",
        ),
    )


def _counting(world: World, slots: Slots) -> tuple[Turn, Turn]:
    name, place = world.person(), world.place()
    return (
        (
            f"How many letters does the name {name} have, without the space?",
            f"{name} has {sum(map(str.isalpha, name))} letters.",
        ),
        (f"“{name}住在{place}”这句话有几个字？", f"这句话有{len(name) + len(place) + 2}个字。"),
    )


def _percent(world: World, slots: Slots) -> tuple[Turn, Turn]:
    share, whole = world.draw.randint(1, 19) * 5, world.draw.randint(2, 60) * 20
    part = share * whole // 100
    return (
        (f"How much is {share} percent of {whole}?", f"{share} percent of {whole} is {part}."),
        (f"{whole}的{share}%是多少？", f"{whole}的{share}%是{part}。"),
    )


def _measure(world: World, slots: Slots) -> tuple[Turn, Turn]:
    amount = world.draw.randint(2, 95)
    en_from, en_to, zh_from, zh_to, factor = world.draw.choice(
        (
            ("kilometres", "metres", "公里", "米", 1000),
            ("kilograms", "grams", "公斤", "克", 1000),
            ("hours", "minutes", "小时", "分钟", 60),
            ("dozen", "pieces", "打", "个", 12),
            ("weeks", "days", "周", "天", 7),
            ("metres", "centimetres", "米", "厘米", 100),
        )
    )
    result = amount * factor
    return (
        (f"How many {en_to} are {amount} {en_from}?", f"{amount} {en_from} are {result} {en_to}."),
        (f"{amount}{zh_from}是多少{zh_to}？", f"{amount}{zh_from}是{result}{zh_to}。"),
    )


def _largest(world: World, slots: Slots) -> tuple[Turn, Turn]:
    values = world.draw.sample(range(10, 1000), world.draw.randint(4, 7))
    shown, low, high = ", ".join(map(str, values)), min(values), max(values)
    return (
        (
            f"Which of these numbers is the largest, and which the smallest: {shown}?",
            f"The largest is {high} and the smallest is {low}.",
        ),
        (f"这些数里最大的和最小的各是哪个：{shown}？", f"最大的是{high}，最小的是{low}。"),
    )


KINDS: tuple[Callable[[World, Slots], tuple[Turn, Turn]], ...] = (
    _sum, _shopping, _journey, _weekday, _later, _sorting, _listing, _rewriting, _message, _counting, _percent,
    _measure, _largest,
)  # fmt: skip
