"""The sentences of the needle tasks in English and Chinese. This is data only: `tasks.py` uses it."""

from dataclasses import dataclass

SINGLE = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day."
SINGLE_QUESTION = "What is the best thing to do in San Francisco? Here is the most relevant sentence in the context:"
"""Needle and question of the usual needle test, LongAlign's among them."""


@dataclass(frozen=True)
class Wording:
    """Templates of one language. `joint` stands between two sentences, `comma` between values of a list."""

    document: str  # how a prompt is made of {document} and {question}
    joint: str
    comma: str
    single: str
    single_question: str
    single_answers: tuple[str, ...]
    single_forced: tuple[str, str, str]  # prefix, answer, wrong answer
    looks: tuple[str, ...]
    things: tuple[str, ...]
    key: str
    kv: str
    kv_question: str
    one_of: str
    multi_value_question: str
    multi_value_prefix: str
    assign: str
    copy: str
    tracking_question: str
    tracking_prefix: str


ENGLISH = Wording(
    document="{document}\n\nAnswer from the document above: {question}",
    joint=" ",
    comma=", ",
    single=SINGLE,
    single_question=SINGLE_QUESTION,
    single_answers=("eat a sandwich", "Dolores Park", "sunny day"),
    single_forced=(
        "The best thing to do in San Francisco is ",
        "eat a sandwich and sit in Dolores Park on a sunny day.",
        "take a boat to the old prison and watch the seals in the bay.",
    ),
    looks=(
        "amber", "crimson", "turquoise", "striped", "velvet", "marble", "plastic", "woollen", "transparent", "folding",
        "magnetic", "electric", "wooden", "golden", "invisible", "square",
    ),
    things=(
        "telescope", "accordion", "umbrella", "typewriter", "violin", "microscope", "backpack", "lawnmower",
        "parachute", "saxophone", "refrigerator", "calculator", "bicycle", "trampoline", "aquarium", "submarine",
    ),
    key="{} {}",
    kv="The locker number of the {key} is {value}.",
    kv_question="What is the locker number of the {key}? Reply with the number.",
    one_of="One of the locker numbers of the {key} is {value}.",
    multi_value_question="What are all {count} locker numbers of the {key}? List each of them.",
    multi_value_prefix="The locker numbers of the {key} are ",
    assign="The variable {name} is set to {value}.",
    copy="The variable {name} takes the value of {other}.",
    tracking_question="Which {count} variables have the value {value}, directly or through another variable? List all.",
    tracking_prefix="The variables with the value {value} are ",
)  # fmt: skip

CHINESE = Wording(
    document="{document}\n\n请根据上面的文档回答：{question}",
    joint="",
    comma="、",
    single="在旧金山最惬意的事，是晴天坐在多洛雷斯公园里吃一个三明治。",
    single_question="在旧金山最惬意的事是什么？请写出文中最相关的一句话：",
    single_answers=("晴天", "多洛雷斯公园", "三明治"),
    single_forced=(
        "在旧金山最惬意的事，是",
        "晴天坐在多洛雷斯公园里吃一个三明治。",
        "乘船去看旧监狱和海湾里的海豹。",
    ),
    looks=("琥珀色", "条纹", "天鹅绒", "大理石", "塑料", "透明", "折叠", "磁力", "电动", "金色", "隐形", "方形"),
    things=(
        "望远镜", "手风琴", "打字机", "小提琴", "显微镜", "背包", "割草机", "降落伞", "萨克斯", "冰箱", "计算器",
        "潜水艇",
    ),
    key="{}{}",
    kv="{key}的柜号是{value}。",
    kv_question="{key}的柜号是多少？只回答号码。",
    one_of="{key}的柜号之一是{value}。",
    multi_value_question="{key}的全部{count}个柜号是哪些？请逐一列出。",
    multi_value_prefix="{key}的柜号是",
    assign="变量{name}的值设为{value}。",
    copy="变量{name}取变量{other}的值。",
    tracking_question="哪{count}个变量的值（直接或经由别的变量）是{value}？请全部列出。",
    tracking_prefix="值为{value}的变量是",
)  # fmt: skip

WORDINGS = {"en": ENGLISH, "zh": CHINESE}
