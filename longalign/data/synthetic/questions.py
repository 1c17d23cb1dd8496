"""Everyday questions without answers, such as people ask an assistant; `longalign data answer` has a model answer them.

A question is a template filled with a subject of its kind. The two splits have different subjects, so held-out
questions are about other things than those in training.
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
            "a bridge", "a canal", "the calendar", "a clock", "coffee", "a camera", "the stock market", "electricity",
            "a satellite", "a dictionary", "soap", "a mirror", "glass", "paper", "a tunnel", "a dam", "an orchestra",
            "insurance", "a vote", "a law", "a metaphor", "a fable", "a haiku", "silk", "salt", "sugar", "rubber",
            "a zip", "a ladder", "a lens", "a radio", "a transistor", "a database", "an algorithm", "encryption",
            "a spreadsheet", "a search engine", "a black hole", "a galaxy", "a meteor", "the ozone layer",
            "the food chain", "a rainforest", "a swamp", "an iceberg", "a river delta", "a cave", "a waterfall",
            "fog", "lightning", "snow", "the wind", "a season", "an antibiotic", "an allergy", "the immune system",
            "the heart", "a muscle", "a dream", "memory", "hunger", "a habit", "a proverb", "a census", "a museum",
            "a market", "a lottery", "a strike", "a tax", "a loan", "a brand", "a contract", "a queue", "a holiday",
            "a wedding", "a theatre", "a violin", "a drum", "a mask", "a puzzle", "a kite", "a boomerang", "chess",
            "a marathon", "a parachute", "a submarine", "a train", "an escalator", "a lift", "a roundabout",
            "a traffic light", "a postcode", "a barcode", "concrete", "steel", "gold", "diamond", "clay", "wool",
            "a seed", "a mushroom", "an owl", "a whale", "an ant", "a bat", "a cactus", "bamboo",
        ),
        PLACE: (
            "Lisbon", "the Alps", "Kyoto", "Egypt", "Iceland", "Brazil", "the Sahara", "New Zealand", "Prague",
            "Morocco", "the Baltic Sea", "Peru", "Scotland", "Vietnam", "the Great Lakes", "Istanbul", "Kenya",
            "Venice", "Norway", "the Amazon river", "Sicily", "Mongolia", "Toronto", "Hungary", "the Gobi",
            "Berlin", "Rome", "Paris", "Amsterdam", "Vienna", "Athens", "Dublin", "Copenhagen", "Helsinki", "Warsaw",
            "Barcelona", "Naples", "Cairo", "Cape Town", "Nairobi", "Lagos", "Jerusalem", "Dubai", "Mumbai", "Delhi",
            "Nepal", "Thailand", "Singapore", "Bali", "Sydney", "Tasmania", "Hawaii", "Alaska", "Vancouver", "Quebec",
            "Chicago", "New Orleans", "Mexico City", "Cuba", "Costa Rica", "Bogota", "Chile", "Patagonia",
            "Argentina", "Portugal", "Wales", "Ireland", "Greenland", "Finland", "Estonia", "Croatia", "Malta",
            "Cyprus", "Georgia", "Jordan", "Oman", "Sri Lanka", "the Himalayas", "the Rhine", "the Nile",
            "the Danube", "the Black Forest", "the Outer Hebrides", "Lake Baikal", "the Andes", "Madagascar",
            "Tanzania", "Namibia", "Korea", "Taiwan", "Beijing", "Shanghai", "Hokkaido", "Siberia", "Bavaria",
            "Provence", "Tuscany", "Crete", "Flanders",
        ),
        JOB: (
            "a nurse", "a baker", "an architect", "a teacher", "a journalist", "a carpenter", "a pilot", "a librarian",
            "a translator", "a chemist", "a farmer", "an accountant", "a firefighter", "a game designer", "a judge",
            "a gardener", "a surveyor", "a tailor", "a software tester", "a museum guide",
            "a bus driver", "a vet", "a dentist", "a plumber", "an electrician", "a florist", "a photographer",
            "a chef", "a waiter", "a lawyer", "a police officer", "a soldier", "a postman", "a shepherd",
            "a fisherman", "a beekeeper", "a miner", "a welder", "a shoemaker", "a watchmaker", "a bookseller",
            "a publisher", "an editor", "an actor", "a composer", "a conductor", "a dancer", "a painter",
            "a sculptor", "a referee", "a coach", "an astronaut", "a biologist", "a geologist", "a statistician",
            "an economist", "a psychologist", "a midwife", "a pharmacist", "a surgeon", "a paramedic",
            "a social worker", "a mayor", "a diplomat", "a historian", "an archaeologist", "a data analyst",
            "a web developer", "a network engineer", "a crane operator", "a train driver", "a flight attendant",
            "a hotel manager", "a cleaner", "a cashier",
        ),
        SKILL: (
            "learning a language", "playing chess", "saving money", "public speaking", "sleeping better", "running 5 km",
            "writing letters", "drawing portraits", "growing tomatoes", "packing a suitcase", "taking photographs",
            "reading faster", "repairing a chair", "keeping a diary", "preparing for an exam", "training a dog",
            "making friends in a new city", "working from home", "playing the guitar", "cleaning a kitchen",
            "reading maps", "juggling", "cutting waste at home", "finding a flat", "remembering names",
            "learning to swim", "riding a bicycle", "cooking for one", "baking at home", "knitting a scarf",
            "sewing on a button", "ironing a shirt", "painting a wall", "fixing a tap", "changing a tyre",
            "building a shelf", "planting a tree", "keeping bees", "feeding birds", "composting", "bird watching",
            "stargazing", "hiking alone", "camping with children", "sailing", "skiing", "climbing", "stretching",
            "meditating", "breathing calmly", "drinking more water", "eating more vegetables", "giving up sugar",
            "waking up early", "taking a nap", "planning a week", "taking notes", "writing a summary",
            "writing a poem", "writing a short story", "writing a cover letter", "asking for a raise",
            "giving feedback", "listening well", "saying no", "apologising", "making small talk", "hosting a dinner",
            "choosing a gift", "buying a used car", "comparing prices", "paying off a debt", "reading a contract",
            "learning to code", "typing faster", "backing up files", "choosing a password", "organising photos",
            "learning to sing", "playing the piano", "dancing in pairs", "acting on a stage", "telling jokes",
            "doing magic tricks", "solving crosswords", "playing table tennis", "teaching a child to read",
            "caring for an old dog", "travelling light", "finding the way without a phone", "staying warm in winter",
            "cooling a room in summer",
        ),
        FOOD: (
            "lentil soup", "pancakes", "rice pudding", "a tomato salad", "onion soup", "apple pie", "fried noodles",
            "oatmeal", "a vegetable curry", "bread", "mushroom risotto", "hummus", "potato gratin", "a fruit salad",
            "dumplings", "chili", "lemonade", "scrambled eggs", "pesto", "roast carrots",
            "tomato soup", "chicken soup", "a cheese omelette", "boiled eggs", "mashed potatoes", "potato salad",
            "coleslaw", "a green salad", "guacamole", "falafel", "couscous", "paella", "lasagna",
            "spaghetti with garlic", "a pizza", "garlic bread", "a quiche", "a pot roast", "meatballs", "fish cakes",
            "baked salmon", "shrimp tacos", "a burrito", "black bean stew", "pumpkin soup", "gazpacho", "miso soup",
            "ramen", "sushi", "spring rolls", "fried rice", "pad thai", "a peanut sauce", "mango chutney",
            "strawberry jam", "yoghurt", "granola", "waffles", "banana bread", "a carrot cake", "brownies",
            "oat cookies", "a cheesecake", "vanilla pudding", "ice cream", "hot chocolate", "iced tea", "ginger tea",
            "a smoothie", "pickled cucumbers", "roast chicken", "stuffed peppers", "baked beans", "corn bread",
            "a lentil salad",
        ),
    },
    "zh": {
        THING: (
            "自行车", "灯塔", "指南针", "活字印刷", "冰川", "光合作用", "通货膨胀", "火山", "水循环", "望远镜", "万有引力",
            "疫苗", "地震", "电池", "彩虹", "垃圾分类", "月亮", "病毒", "蒸汽机", "图书馆", "日食", "磁铁", "珊瑚礁", "潮汐",
            "温度计", "原子", "风车", "化石", "日晷", "酵母", "台风", "摩擦力", "沙漠", "彗星", "钢琴", "太阳能板",
            "桥梁", "运河", "日历", "钟表", "咖啡", "照相机", "股票市场", "电力", "卫星", "字典", "肥皂", "镜子", "玻璃", "纸张", "隧道", "水坝", "保险",
            "投票", "法律", "比喻", "寓言", "丝绸", "食盐", "白糖", "橡胶", "梯子", "收音机", "数据库", "算法", "密码", "搜索引擎", "黑洞", "银河", "流星",
            "臭氧层", "食物链", "雨林", "冰山", "三角洲", "山洞", "瀑布", "大雾", "闪电", "雪花", "季节", "抗生素", "过敏", "免疫系统", "心脏", "梦境", "记忆",
            "习惯", "谚语", "博物馆", "税收", "贷款", "合同", "婚礼", "戏剧", "小提琴", "大鼓", "风筝", "围棋", "马拉松", "降落伞", "潜水艇", "火车", "电梯",
            "红绿灯", "条形码", "水泥", "钢铁", "黄金", "瓷器", "羊毛", "种子", "蘑菇", "猫头鹰", "鲸鱼", "蚂蚁", "蝙蝠", "仙人掌", "竹子", "茶叶",
        ),
        PLACE: (
            "里斯本", "阿尔卑斯山", "京都", "埃及", "冰岛", "巴西", "撒哈拉", "新西兰", "布拉格", "苏州", "黄山", "秘鲁",
            "苏格兰", "越南", "西湖", "伊斯坦布尔", "肯尼亚", "威尼斯", "敦煌", "亚马孙河",
            "柏林", "罗马", "巴黎", "维也纳", "雅典", "都柏林", "哥本哈根", "赫尔辛基", "巴塞罗那", "开罗", "开普敦", "内罗毕", "孟买", "尼泊尔", "泰国",
            "新加坡", "巴厘岛", "悉尼", "夏威夷", "温哥华", "墨西哥城", "古巴", "智利", "葡萄牙", "爱尔兰", "格陵兰", "芬兰", "马耳他", "约旦", "斯里兰卡",
            "喜马拉雅山", "尼罗河", "多瑙河", "贝加尔湖", "安第斯山", "马达加斯加", "北京", "上海", "成都", "西安", "桂林", "青岛", "杭州", "哈尔滨", "拉萨",
            "云南", "内蒙古", "长城", "泰山", "台北", "北海道", "首尔",
        ),
        JOB: (
            "护士", "面包师", "建筑师", "教师", "记者", "木匠", "飞行员", "图书管理员", "翻译", "药剂师", "农民", "会计",
            "消防员", "游戏设计师", "法官", "园丁",
            "公交车司机", "兽医", "牙医", "水管工", "电工", "花店老板", "摄影师", "厨师", "服务员", "律师", "警察", "邮递员", "牧羊人", "渔民", "养蜂人",
            "焊工", "鞋匠", "钟表匠", "编辑", "演员", "作曲家", "指挥", "舞蹈家", "画家", "裁判", "教练", "宇航员", "生物学家", "地质学家", "统计学家",
            "经济学家", "心理学家", "助产士", "外科医生", "社工", "外交官", "历史学家", "考古学家", "数据分析师", "网页开发者", "空乘", "酒店经理", "收银员",
        ),
        SKILL: (
            "学一门外语", "下象棋", "存钱", "当众讲话", "改善睡眠", "跑五公里", "写信", "画肖像", "种番茄", "收拾行李",
            "拍照片", "提高阅读速度", "修椅子", "写日记", "准备考试", "训练小狗", "在新城市交朋友", "在家办公", "弹吉他",
            "学游泳", "骑自行车", "一个人做饭", "在家烤面包", "织围巾", "钉扣子", "熨衬衫", "刷墙", "修水龙头", "换轮胎", "种树", "养鸟", "堆肥", "观星",
            "独自徒步", "带孩子露营", "滑雪", "攀岩", "做拉伸", "冥想", "多喝水", "多吃蔬菜", "戒糖", "早起", "午睡", "安排一周", "做笔记", "写摘要", "写诗",
            "写小说", "写求职信", "提出加薪", "给出反馈", "学会倾听", "学会拒绝", "道歉", "请客吃饭", "挑选礼物", "买二手车", "比较价格", "还清债务", "看合同",
            "学编程", "备份文件", "整理照片", "学唱歌", "弹钢琴", "跳交谊舞", "讲笑话", "变魔术", "打乒乓球", "教孩子认字", "轻装旅行", "冬天保暖", "夏天降温",
        ),
        FOOD: (
            "扁豆汤", "煎饼", "米布丁", "番茄沙拉", "洋葱汤", "苹果派", "炒面", "燕麦粥", "蔬菜咖喱", "馒头", "蘑菇烩饭",
            "饺子", "柠檬水", "炒鸡蛋", "烤胡萝卜", "红烧豆腐",
            "番茄汤", "鸡汤", "芝士蛋卷", "煮鸡蛋", "土豆泥", "土豆沙拉", "绿叶沙拉", "披萨", "意大利面", "炖牛肉", "肉丸", "鱼饼", "烤三文鱼", "南瓜汤",
            "味噌汤", "拉面", "寿司", "春卷", "蛋炒饭", "花生酱", "草莓酱", "酸奶", "华夫饼", "香蕉面包", "胡萝卜蛋糕", "布朗尼", "燕麦饼干", "冰淇淋",
            "热巧克力", "冰红茶", "姜茶", "腌黄瓜", "烤鸡", "青椒酿肉", "麻婆豆腐", "宫保鸡丁", "小笼包", "粽子", "汤圆", "豆浆",
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
        (THING, "Tell me something surprising about {}."), (THING, "Write a short story in which {} plays a part."),
        (THING, "What would the world be like without {}?"), (THING, "Give an example that shows how people use or meet {}."),
        (PLACE, "What do people eat in {}?"), (PLACE, "I have never been to {}. Should I go there, and why?"),
        (JOB, "Write a short advertisement for {} who looks for work."), (JOB, "How will the work of {} change in the next years?"),
        (SKILL, "Why is it worth the time to get better at {}?"), (SKILL, "Make a checklist for {}."),
        (FOOD, "How do I keep {} fresh?"), (FOOD, "Write a short review of {} that I had in a restaurant."),
        (THING, "In one sentence: what is {}?"), (THING, "Which three words come to mind when you think of {}?"),
        (THING, "Is {} more useful or more dangerous? Answer in two sentences."), (THING, "Write one line of a song about {}."),
        (THING, "What should a child know about {}? One sentence, please."), (THING, "Ask me one question about {}."),
        (THING, "Where would I come across {} on an ordinary day? Be brief."), (THING, "Give me a title for an essay about {}."),
        (PLACE, "In which part of the world is {}?"), (PLACE, "Say in one sentence why people travel to {}."),
        (PLACE, "Name one thing to bring home from {}."), (PLACE, "What should I pack for {}? Three things are enough."),
        (PLACE, "How long should I stay in {}? Answer briefly."), (PLACE, "Write a headline about {}."),
        (JOB, "In one sentence: what is the work of {}?"), (JOB, "Which tool does {} need most?"),
        (JOB, "Would {} rather work alone or in a team? Answer in two sentences."), (JOB, "Say something kind to {}."),
        (JOB, "Where does {} work? Be brief."),
        (SKILL, "What is the first step in {}? One sentence, please."), (SKILL, "How long does {} take? Answer briefly."),
        (SKILL, "Give me one reason for {}."), (SKILL, "Finish the sentence: the hardest part of {} is"),
        (FOOD, "In one sentence: what does {} taste like?"), (FOOD, "Is {} rather for the morning or for the evening?"),
        (FOOD, "Which spice belongs in {}?"), (FOOD, "How many minutes do I need for {}? Answer briefly."),
        (FOOD, "Describe {} in five words."),
    ),
    "zh": (
        (THING, "{}是什么？"), (THING, "请向十岁的孩子解释{}。"), (THING, "{}为什么重要？"), (THING, "写一首关于{}的短诗。"),
        (THING, "说出关于{}的三个事实。"), (THING, "人们对{}常有什么误解？"), (PLACE, "去{}应该看什么？"),
        (PLACE, "什么时候适合去{}？"), (PLACE, "用两句话介绍{}。"), (PLACE, "从{}写一张明信片。"), (JOB, "{}每天做什么？"),
        (JOB, "怎样成为一名{}？"), (JOB, "{}需要哪些技能？"), (SKILL, "给我三条{}的建议。"), (SKILL, "我想{}，从哪里开始？"),
        (SKILL, "为{}订一个一周的计划。"), (FOOD, "怎么做{}？"), (FOOD, "做{}要买什么？"), (FOOD, "{}配什么好吃？"),
        (THING, "讲一个关于{}的有趣事实。"), (THING, "没有{}，世界会怎样？"), (PLACE, "{}的人吃什么？"), (PLACE, "我从没去过{}，值得去吗？"),
        (JOB, "{}的工作有什么难处？"), (JOB, "为采访一名{}写两个问题。"), (SKILL, "为什么值得花时间{}？"), (SKILL, "为{}列一个清单。"),
        (FOOD, "{}健康吗？"), (FOOD, "给{}换一种做法。"),
        (THING, "用一句话说明{}是什么。"), (THING, "提到{}，你会想到哪三个词？"), (THING, "给一篇关于{}的文章起个题目。"),
        (THING, "关于{}，请问我一个问题。"), (PLACE, "{}在世界的哪个地方？"), (PLACE, "用一句话说说人们为什么去{}。"),
        (PLACE, "从{}带什么回家好？只说一样。"), (JOB, "用一句话说明{}的工作。"), (JOB, "{}最需要哪件工具？"),
        (SKILL, "{}的第一步是什么？请用一句话回答。"), (SKILL, "{}要多长时间？请简短回答。"), (FOOD, "用五个字形容{}。"),
        (FOOD, "{}适合早上吃还是晚上吃？"), (FOOD, "做{}要几分钟？请简短回答。"),
    ),
}  # fmt: skip

HELD_OUT = 5  # every fifth subject is in the split `validation`


def shuffled_questions(code: str, split: str, seed: int) -> list[str]:
    """All questions of a split in the language `code` (`en`, `zh`), in an order that depends on the seed."""
    found = [template.format(one) for kind, template in _TEMPLATES[code] for one in _subjects(code, kind, split)]
    Draw(f"{seed}/questions/{split}/{code}").shuffle(found)
    return found


def _subjects(code: str, kind: str, split: str) -> list[str]:
    subjects = _SUBJECTS[code][kind]
    return [subject for n, subject in enumerate(subjects) if (n % HELD_OUT == 0) == (split == "validation")]
