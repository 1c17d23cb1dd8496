"""Chinese templates of the prose around a task's facts, in addition to those of `chinese.py`; data only."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic import chinese
from longalign.data.synthetic.documents import Genre, Language, Remark

_WORDS = {
    "topic": (
        "下街的排水沟", "新的钟绳", "礼堂的租用", "柴火的价钱", "河上的便桥", "学堂的火炉", "公共草场", "集市的摊位", "街灯",
        "消防水桶", "祠堂后面的果园", "夏季庙会", "车马行的合同", "漏水的蓄水池", "阅览室", "去采石场的路",
    ),
    "outcome": (
        "没有作出决定", "留到下次再议", "推举三人先去查看", "以多数票通过", "请三家报价后再定", "人人发言，都没说到要点",
        "主持人请大家耐心", "同意先试行一年", "经费另行筹措", "仍照旧例办理",
    ),
    "dish": ("河蚌汤", "烧饼", "小米饭", "炒黄豆", "烤栗子", "鱼汤", "白菜卷", "羊奶酪"),
    "sight": (
        "一口干涸的喷泉", "一排梧桐树", "一座只剩半边栏杆的桥", "一座没有指针的钟", "一片梯田", "一段废弃的水渠",
        "布棚下的集市", "一面画着燕子的墙", "一条运木头的索道", "一口砌了围栏的井",
    ),
    "ride": ("坐干草车", "坐慢车", "骑骡子", "坐邮车", "搭一条运沙的船", "走路"),
    "industry": ("织布", "烧砖", "酿酒", "制绳", "造纸", "晒盐", "箍桶", "制帽", "打刀剪", "做豆腐", "结渔网", "烧陶"),
    "river": ("青衣河", "白沙河", "小凌河", "沅溪", "石梁河", "金水", "芦河", "鹤溪", "落雁河", "玉溪河"),
    "feature": (
        "一座宋代的方塔", "一座五孔石桥", "一排旧会馆", "一座带回廊的粮市", "一处书院遗址", "一条种满槐树的大道", "一座水磨坊",
        "一段开着两座城门的城墙",
    ),
    "trait": ("肥沃", "多风", "低湿", "林木茂盛", "多石", "起伏不平", "人烟稀少"),
    "relative": ("姑母", "弟弟", "孩子们", "楼上的老先生", "干娘", "表兄"),
    "errand": ("找人通烟囱", "把借来的梯子还掉", "去订土豆种", "看看屋顶", "给公证人回信", "卖掉那匹灰马", "请人调琴", "腌好李子"),
}  # fmt: skip

MINUTES = Genre(
    title=("{home}议事会记录", "{home}议事簿"),
    opening=("本册自{start}起。除另有注明外，均由{hero}主持。", "奉议事会之命，自{start}起逐次记录，主持人{hero}。"),
    heading=("{date}会议。", "{date}，楼上会议室。"),
    always=(
        Remark(
            says=(
                "到会的有{keeper}、{mate}等{few}人。",
                "{keeper}宣布开会，{mate}记录。",
                "到会{few}人，{keeper}和{mate}都在座。",
            )
        ),
        Remark(
            says=(
                "关于{topic}：{outcome}。",
                "第一项议题是{topic}，{outcome}。",
                "{keeper}报告了{topic}的情况，{outcome}。",
            )
        ),
        Remark(
            says=(
                "至于{topic_2}，{outcome_2}。",
                "临时动议中{mate}提出{topic_2}，{outcome_2}。",
                "接着讨论{topic_2}，{outcome_2}。",
            )
        ),
    ),
    sometimes=(
        Remark(says=("宣读了{place}{person}的来信，存档备查。", "{place}的{person}又为{topic_3}写来一信。")),
        Remark(says=("批准用{price}元购买{goods}。", "司库已付{goods}款{price}元。")),
        Remark(says=("感谢{person_2}借出一件{keepsake}。", "衣帽间里那件{keepsake}仍然无人认领。")),
        Remark(says=("{time}散会。", "{time}熄灯离场。")),
    ),
    fillers=(
        "炉子冒烟，于是开了窗。",
        "有人笑了几声。",
        "上次的记录经宣读后签字。",
        "一只狗被请到门外。",
        "有人问，会能不能开得短一些。",
        "没有人反对。",
        "查看了墙上的地图，发现挂倒了。",
        "雨打屋顶，发言听不大清。",
        "主持人重申不得吸烟。",
        "有人说{place_2}办得更好，也有人说{place_2}有钱。",
        "有位成员睡着了。",
        "木箱的钥匙在众人手里传了一圈。",
        "钟又慢了。",
        "年长的几位谈起从前的{season}。",
        "以举手方式表决。",
        "沉默了很久。",
        "茶水不够，又烧了一壶。",
        "门外有人叫卖，声音很大。",
    ),
    num_fillers=(1, 4),
    joint="",
)

LETTERS = Genre(
    title=("{home}来信", "{hero}家书", "一捆用细绳扎着的信"),
    opening=(
        "第一封写于{start}，那时{hero}刚搬到{home}。其余各封依次排列。",
        "这些信是{hero}从{home}寄出的，始于{start}，中间缺了几页。",
    ),
    heading=("{date}。{person}：", "{date}，{home}。{person}，你好！", "致{person}，{date}。"),
    always=(
        Remark(
            says=(
                "今早收到来信，已经读了两遍。",
                "很久没有写信，请原谅。",
                "没有多少可说的，我就慢慢地说。",
                "我在厨房的桌上写这封信，猫趴在旁边。",
                "邮差{time}就走，只好写得短些。",
            )
        ),
        Remark(
            says=(
                "从星期天起，这里天天{sky}。",
                "这里{sky}，照例刮着{wind}风。",
                "像是{season}的光景了，我出门穿两件衣服。",
            )
        ),
        Remark(
            says=("我还得{errand}。", "明天若没有别的事，我打算{errand}。", "{relative}总催我{errand}，我总是点头。")
        ),
    ),
    sometimes=(
        Remark(says=("我们吃了{dish}，谈起了你。", "园子上空有{bird}飞过，可惜没有人同看。")),
        Remark(says=("{person_2}从{place}来，留下吃了{meal}。", "我遇见了{person_2}，如今在{place}做{trade}。")),
        Remark(says=("在阁楼上翻出一件{keepsake}，舍不得扔。", "还记得那件{keepsake}吗？它在{spot}找到了。")),
        Remark(says=("房东每月要多收{price}元。", "我花{price}元买了些{goods}，真不像话。")),
    ),
    fillers=(
        "邻居换了新门，一开一关都听得见。",
        "我开始认星星，如今认得四颗。",
        "楼梯还是在老地方响。",
        "你见了那顶帽子一定要笑。",
        "我的字越写越差，你拿远些看。",
        "医生叫我多走路，我就走到医生那里去。",
        "那首歌若找得到，请寄给我。",
        "湿木头最难烧。",
        "有些晚上听见火车，就想你在车上。",
        "汤太咸，客人也太多话。",
        "我又在读那本旧书，为的是它的气味。",
        "有人把长凳漆成绿色，也不说一声。",
        "今年的梨硬得像石头。",
        "我不再看钟了。",
        "面点铺的孩子整天吹口哨，总是那半支曲子。",
        "屋顶的事不必挂心。",
        "蓝水罐裂了一道缝，我把它转向墙里。",
        "灯快没油了，就写到这里；不，还有几句。",
    ),
    num_fillers=(2, 4),
    joint="",
)

TRAVEL = Genre(
    title=("{home}以外", "从{home}到海边", "{hero}行记"),
    opening=(
        "{start}，我离开{home}，带了一只包和一张不准的地图。以下都是晚上写的。",
        "这些笔记始于{start}。我对{home}的人说，一个星期就回来。",
    ),
    heading=("第{chapter}天，{place}。", "{date}，{place}。", "{date}。"),
    always=(
        Remark(
            says=("{ride}到了这里，能坐下来就好。", "最后几里{ride}，一路土地{trait}。", "{ride}，{time}前后才到。")
        ),
        Remark(
            says=(
                "镇上有{sight}，后面是{sight_2}。",
                "先看见{sight}，再是{sight_2}，然后什么也没有。",
                "我画了{sight}，画到手指发冷。",
            )
        ),
        Remark(
            says=("晚饭是{dish}，后来又有{meal}。", "他们端来{dish}，怎么也不肯收钱。", "只有{meal}可吃，我就吃了。")
        ),
    ),
    sometimes=(
        Remark(
            says=("有位叫{person}的{trade}用木棍在沙上画出路线。", "{trade}{person}陪我走了一个钟头，说的全是欠债。")
        ),
        Remark(says=("橱窗里有一件{keepsake}，我没有进去。", "丢了铅笔，捡到一件{keepsake}。")),
        Remark(says=("房钱{price}元。", "他们说，{price}元够租下整座房子。")),
        Remark(says=("路碑上写着，离{place_2}还有{few}里。", "这里没有人去过{place_2}，虽然望得见。")),
    ),
    fillers=(
        "睡得不好，梦见楼梯。",
        "路上的尘土白得晃眼。",
        "人人都问我是不是卖刷子的。",
        "一群羊从大街上过，不慌不忙。",
        "两位老太太为一棵树的年纪争论。",
        "左脚的鞋不能穿了。",
        "上午{sky}，下午照旧。",
        "本可以住一个星期，所以我走了。",
        "孩子们跟着跑，大声报数。",
        "这里的钟都有点走音，走得一样多。",
        "洗了两件衬衣。",
        "摆渡的睡着了，我就等。",
        "傍晚有{bird}飞过山谷。",
        "我开始数门，不再数里程。",
        "等着的时候，影子走得最慢。",
        "旅行指南掉了封面，倒也不碍事。",
        "写了三张明信片，一张也没有寄。",
        "空气里有柏油和橘子的味道。",
    ),
    num_fillers=(2, 4),
    joint="",
)

HANDBOOK = Genre(
    title=("{home}地方志略", "{home}及邻近各地便览"),
    opening=("{hero}编，自{start}起踏勘所得。各地以道路先后为序。", "{start}，{hero}开始搜集这些条目。如有错误，敬请指正。"),
    heading=("{place}：", "【{place}】"),
    always=(
        Remark(says=("位于{river}畔，距府城{few}里。", "在{river}左岸，土地{trait}。", "{river}入海处的小港。", "{river}上游的小聚落，通火车。")),
        Remark(says=("以{industry}闻名，有{feature}。", "居民多以{industry}为生，可看的有{feature}。", "从前{industry}很盛，如今只剩{feature}。")),
        Remark(says=("游览以{season}为宜。", "雨后道路难行。", "一年有两次庙会。", "土质黏重。", "有客店两家，以{inn}为佳。")),
    ),
    sometimes=(
        Remark(says=("画家{person}曾在此住过两个冬天。", "{trade}{person}是本地人。")),
        Remark(says=("庙中有一件{keepsake}，可供参观。", "祠堂藏有一件{keepsake}，来历不明。")),
        Remark(says=("有小路通往{place_2}。", "去{place_2}的马车{time}开。")),
        Remark(says=("旧时由此运出{goods}。", "至今仍有人家{industry_2}。")),
    ),
    fillers=(
        "山上的景色为人称道。",
        "城堡只剩下壕沟。",
        "地名的由来不详。",
        "庙宇火后重建，热心有余，式样平平。",
        "常见{bird}。",
        "客店后面的泉水，据说能治脚病。",
        "火车招手即停。",
        "方言有人研究过，没有结论。",
        "门柱上刻着历次洪水的水位。",
        "户口数字不尽可靠。",
        "有几户人家的门楣雕刻精细。",
        "桥前后重建过三次。",
        "有小博物馆一处，多半不开门。",
        "旧地图把它画在了对岸。",
        "草场为全村公有。",
        "河道改动以前，这里有过一座磨坊。",
        "居民性子慢，还钱也慢。",
        "土丘的来历，各家说法不同。",
    ),
    num_fillers=(1, 3),
    joint="",
)  # fmt: skip

STYLES = Language(
    words=chinese.CHINESE.words | _WORDS,
    date=chinese.CHINESE.date,
    genres={**chinese.CHINESE.genres, "minutes": MINUTES, "letters": LETTERS, "travel": TRAVEL, "handbook": HANDBOOK},
)
