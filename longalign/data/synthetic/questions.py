"""Everyday questions without answers: what people ask a small assistant, for a model to answer itself.

A question is a template with a subject of its kind. Subjects of the two splits are disjoint, so that held-out
questions are about other things.
"""

# ruff: noqa: E501 -- a row of words stays on its line

from longalign.data.synthetic.world import Draw

THING, PLACE, JOB, SKILL, FOOD = "thing", "place", "job", "skill", "food"

_SUBJECTS = {
    "en": {
        THING: (
            "a bicycle", "a lighthouse", "a compass", "the printing press", "a glacier", "photosynthesis", "inflation",
            "a volcano", "the water cycle", "a telescope", "gravity", "a vaccine", "an earthquake", "a battery",
            "a rainbow", "recycling", "the moon", "a virus", "a steam engine", "a library", "an eclipse", "magnetism",
            "a coral reef", "a budget", "the tide", "a thermometer", "an atom", "a windmill", "a beehive", "a fossil",
            "a sundial", "yeast", "a hurricane", "friction", "an aqueduct", "a semiconductor", "a desert", "a comet",
            "a piano", "a passport", "jet lag", "a patent", "a map projection", "the alphabet", "a solar panel",
        ),
        PLACE: (
            "Lisbon", "the Alps", "Kyoto", "Egypt", "Iceland", "Brazil", "the Sahara", "New Zealand", "Prague",
            "Morocco", "the Baltic Sea", "Peru", "Scotland", "Vietnam", "the Great Lakes", "Istanbul", "Kenya",
            "Venice", "Norway", "the Amazon river", "Sicily", "Mongolia", "Toronto", "Hungary", "the Gobi",
        ),
        JOB: (
            "a nurse", "a baker", "an architect", "a teacher", "a journalist", "a carpenter", "a pilot", "a librarian",
            "a translator", "a chemist", "a farmer", "an accountant", "a firefighter", "a game designer", "a judge",
            "a gardener", "a surveyor", "a tailor", "a software tester", "a museum guide",
        ),
        SKILL: (
            "learning a language", "playing chess", "saving money", "public speaking", "sleeping better", "running 5 km",
            "writing letters", "drawing portraits", "growing tomatoes", "packing a suitcase", "taking photographs",
            "reading faster", "repairing a chair", "keeping a diary", "preparing for an exam", "training a dog",
            "making friends in a new city", "working from home", "playing the guitar", "cleaning a kitchen",
            "reading maps", "juggling", "cutting waste at home", "finding a flat", "remembering names",
        ),
        FOOD: (
            "lentil soup", "pancakes", "rice pudding", "a tomato salad", "onion soup", "apple pie", "fried noodles",
            "oatmeal", "a vegetable curry", "bread", "mushroom risotto", "hummus", "potato gratin", "a fruit salad",
            "dumplings", "chili", "lemonade", "scrambled eggs", "pesto", "roast carrots",
        ),
    },
    "zh": {
        THING: (
            "自行车", "灯塔", "指南针", "活字印刷", "冰川", "光合作用", "通货膨胀", "火山", "水循环", "望远镜", "万有引力",
            "疫苗", "地震", "电池", "彩虹", "垃圾分类", "月亮", "病毒", "蒸汽机", "图书馆", "日食", "磁铁", "珊瑚礁", "潮汐",
            "温度计", "原子", "风车", "化石", "日晷", "酵母", "台风", "摩擦力", "沙漠", "彗星", "钢琴", "太阳能板",
        ),
        PLACE: (
            "里斯本", "阿尔卑斯山", "京都", "埃及", "冰岛", "巴西", "撒哈拉", "新西兰", "布拉格", "苏州", "黄山", "秘鲁",
            "苏格兰", "越南", "西湖", "伊斯坦布尔", "肯尼亚", "威尼斯", "敦煌", "亚马孙河",
        ),
        JOB: (
            "护士", "面包师", "建筑师", "教师", "记者", "木匠", "飞行员", "图书管理员", "翻译", "药剂师", "农民", "会计",
            "消防员", "游戏设计师", "法官", "园丁",
        ),
        SKILL: (
            "学一门外语", "下象棋", "存钱", "当众讲话", "改善睡眠", "跑五公里", "写信", "画肖像", "种番茄", "收拾行李",
            "拍照片", "提高阅读速度", "修椅子", "写日记", "准备考试", "训练小狗", "在新城市交朋友", "在家办公", "弹吉他",
        ),
        FOOD: (
            "扁豆汤", "煎饼", "米布丁", "番茄沙拉", "洋葱汤", "苹果派", "炒面", "燕麦粥", "蔬菜咖喱", "馒头", "蘑菇烩饭",
            "饺子", "柠檬水", "炒鸡蛋", "烤胡萝卜", "红烧豆腐",
        ),
    },
}  # fmt: skip

_TEMPLATES = {
    "en": (
        (THING, "What is {}?"), (THING, "Explain {} to a ten-year-old."), (THING, "Why does {} matter?"),
        (THING, "Write a short poem about {}."), (THING, "Name three facts about {}."),
        (THING, "Who first described or made {}, as far as we know?"), (THING, "Write a riddle whose answer is {}."),
        (THING, "What is a common mistake that people make about {}?"), (THING, "Compare {} with something similar."),
        (PLACE, "What should I see in {}?"), (PLACE, "When is a good time to visit {}?"),
        (PLACE, "Describe {} in two sentences."), (PLACE, "Plan one day in {} for a family with children."),
        (PLACE, "What is {} known for?"), (PLACE, "Write a postcard from {}."),
        (JOB, "What does {} do all day?"), (JOB, "How do I become {}?"), (JOB, "Which skills does {} need?"),
        (JOB, "Write two questions for an interview with {}."), (JOB, "What is hard about the work of {}?"),
        (SKILL, "Give me three tips for {}."), (SKILL, "I am new to {}. Where do I start?"),
        (SKILL, "Make a plan of one week for {}."), (SKILL, "What do people get wrong about {}?"),
        (SKILL, "Write a short, friendly message that encourages somebody who is {}."),
        (FOOD, "How do I make {}?"), (FOOD, "What do I need to buy for {}?"), (FOOD, "What goes well with {}?"),
        (FOOD, "Is {} healthy?"), (FOOD, "Suggest a variation of {}."),
    ),
    "zh": (
        (THING, "{}是什么？"), (THING, "请向十岁的孩子解释{}。"), (THING, "{}为什么重要？"), (THING, "写一首关于{}的短诗。"),
        (THING, "说出关于{}的三个事实。"), (THING, "人们对{}常有什么误解？"), (PLACE, "去{}应该看什么？"),
        (PLACE, "什么时候适合去{}？"), (PLACE, "用两句话介绍{}。"), (PLACE, "从{}写一张明信片。"), (JOB, "{}每天做什么？"),
        (JOB, "怎样成为一名{}？"), (JOB, "{}需要哪些技能？"), (SKILL, "给我三条{}的建议。"), (SKILL, "我想{}，从哪里开始？"),
        (SKILL, "为{}订一个一周的计划。"), (FOOD, "怎么做{}？"), (FOOD, "做{}要买什么？"), (FOOD, "{}配什么好吃？"),
    ),
}  # fmt: skip

HELD_OUT = 5  # every fifth subject is of the split `validation`


def num_questions(code: str, split: str) -> int:
    """How many different questions there are."""
    return sum(len(_subjects(code, kind, split)) for kind, _ in _TEMPLATES[code])


def write_question(draw: Draw, code: str, split: str) -> str:
    """One question in the language `code` (`en`, `zh`); each template is as likely."""
    kind, template = draw.choice(_TEMPLATES[code])
    return template.format(draw.choice(_subjects(code, kind, split)))


def _subjects(code: str, kind: str, split: str) -> list[str]:
    subjects = _SUBJECTS[code][kind]
    return [subject for n, subject in enumerate(subjects) if (n % HELD_OUT == 0) == (split == "validation")]
