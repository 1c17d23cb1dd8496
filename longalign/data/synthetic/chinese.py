"""Chinese templates of the documents; data only. `documents.py` explains the fields."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.documents import Ask, Genre, Language, Remark

_WORDS = {
    "wind": ("北", "东北", "东", "东南", "南", "西南", "西", "西北"),
    "sky": ("晴", "多云", "阴", "小雨", "大雨", "薄雾", "有霾", "阵雨"),
    "season": ("早春", "盛夏", "深秋", "寒冬", "初霜", "麦收"),
    "store": ("灯油", "大米", "面粉", "木炭", "咸鱼", "蜡烛", "豆子", "茶叶", "麻绳", "食盐"),
    "unit": ("箱", "桶", "袋", "包", "捆"),
    "goods": (
        "干枣", "小麦", "铜钉", "羊毛", "火漆", "玻璃", "菜油", "宣纸", "肥皂", "海盐", "麻线", "靛青", "核桃", "蜂蜜",
        "细布", "花椒", "瓦片", "苹果", "红糖", "笋干",
    ),
    "payment": ("现银", "三十日期票", "铜钱", "钱庄汇票", "等价的粮食", "分两次的现款"),
    "spot": (
        "第三级台阶下面", "水箱后面", "旧大衣的衬里中", "松动的地板下", "井桶的底部", "钟罩里面", "船棚的两根梁之间",
        "一只钉死的抽屉里", "北窗的窗台上", "煤堆底下",
    ),
    "trade": (
        "钟表匠", "摆渡人", "面点师傅", "养蜂人", "装裱匠", "箍桶匠", "陶匠", "教书先生", "铁匠", "织布匠", "磨坊主",
        "郎中", "牧羊人", "石匠", "琴师", "邮差", "裁缝", "木匠",
    ),
    "inn": (
        "蓝灯客栈", "三鹭客栈", "老犁客栈", "磨坊客栈", "断桨客栈", "白鹿客栈", "盐仓客栈", "卧狐客栈", "铜壶客栈",
        "长桌客栈", "绿门客栈", "听雨客栈",
    ),
    "meal": (
        "大麦粥", "熏鱼", "羊肉饼", "葱油面", "豆腐汤", "炖豆角", "煎鳗鱼", "腌菜馒头", "卤鸭", "栗子糕", "红薯饭", "芝麻烧饼",
    ),
    "advice": (
        "雨后不要过沼泽", "让河一直在左手边", "信钟声，不要信地图", "同一条路只问一次", "睡觉不要脱靴子",
        "赶在起雾之前动身", "大声数里程碑", "中午以前不要卖东西", "先向狗问好，再向主人问好",
    ),
    "road": ("一条窄巷", "一条老驿道", "一条木板路", "一条纤道", "一道石堤", "一条凹下去的土路"),
    "bird": ("乌鸦", "燕子", "鹬鸟", "椋鸟", "大雁", "喜鹊", "麻雀", "一只苍鹭"),
}  # fmt: skip

LOGBOOK = Genre(
    title=("{home}灯塔日志", "{home}灯塔值守记录"),
    opening=(
        "本簿自{start}起记，由塔长{hero}主持。每日傍晚读数之后记一条。",
        "{start}开簿。塔务由{hero}负责，所记各条均经其签字。",
    ),
    heading=("{date}。", "{date}："),
    always=(
        Remark(
            says=("{keeper}值班。", "当值：{keeper}。", "夜班由{keeper}从{mate}手中接过。"),
            asks=(
                Ask(
                    "{date} watch",
                    ("{date}是谁值班？", "{date}当值的人是谁？"),
                    ("{date}值班的是{keeper}。", "{date}由{keeper}值班。"),
                ),
            ),
        ),
        Remark(
            says=(
                "{wind}风{force}级，{sky}，气压{pressure}百帕。",
                "气压计读数{pressure}百帕，{wind}风{force}级，{sky}。",
                "正午气压{pressure}百帕，气温{degrees}度，{wind}风{force}级，{sky}。",
            ),
            asks=(
                Ask(
                    "{date} glass",
                    ("{date}的气压是多少？", "{date}气压计的读数是多少？"),
                    ("{date}的气压是{pressure}百帕。",),
                ),
                Ask(
                    "{date} wind",
                    ("{date}刮什么风，几级？", "{date}的风向和风力如何？"),
                    ("{date}是{wind}风，{force}级。",),
                ),
            ),
        ),
    ),
    sometimes=(
        Remark(
            says=("{time}，{ship}经过，开往{place}。", "{time}望见{ship}，打旗语说要去{place}。"),
            asks=(
                Ask(
                    "{ship} where",
                    ("日志里说{ship}开往哪里？", "{ship}要去什么地方？"),
                    ("{ship}开往{place}。", "日志里说{ship}开往{place}。"),
                ),
                Ask("{ship} when", ("{ship}是哪一天、几点经过的？",), ("{ship}是{date}{time}经过的。",)),
            ),
        ),
        Remark(
            says=("从库房领{store}{few}份，余{left}份。", "用去{store}{few}份，还剩{left}份。"),
            asks=(
                Ask(
                    "{date} store",
                    ("{date}之后库房里还剩多少份{store}？",),
                    ("还剩{left}份{store}。", "{date}之后还剩{left}份{store}。"),
                ),
            ),
        ),
        Remark(
            says=("{mate}在{spot}发现了一件{keepsake}。", "打扫时，{mate}在{spot}捡到一件{keepsake}，无人认领。"),
            asks=(
                Ask(
                    "{keepsake}",
                    ("那件{keepsake}是在哪里发现的？",),
                    ("是在{spot}发现的。", "那件{keepsake}是{mate}在{spot}发现的。"),
                ),
                Ask("{date} found", ("{mate}在{date}发现了什么？",), ("{mate}在{date}发现了一件{keepsake}。",)),
            ),
        ),
        Remark(
            says=("收到{place_2}的{person}来信，索要潮汐表。", "补给船捎来一封信，寄信人是{place_2}的{person}。"),
            asks=(Ask("{date} letter", ("{date}收到的信是谁寄来的？",), ("信是{place_2}的{person}寄来的。",)),),
        ),
    ),
    fillers=(
        "修剪灯芯，擦拭透镜。",
        "水泵要换垫圈了。",
        "栏杆被盐雾侵蚀，重新上漆。",
        "{bird}在礁石上停了一下午。",
        "雾笛无异常。",
        "沙洲外浪大，入夜方息。",
        "按时给机芯上弦。",
        "晾晒被褥。",
        "水窖尚有七成。",
        "修补了登岸用的绳子。",
        "夜间平静。",
        "园墙被涌浪打落几块石头。",
        "灯光稳定。",
        "傍晚{mate}蒸了馒头，够吃三天。",
        "上午十点以前看不见大陆。",
        "从上到下冲洗了楼梯。",
        "巡查的船没有来。",
    ),
    num_fillers=(1, 3),
    joint="",
)

LEDGER = Genre(
    title=("{home}{hero}商号流水账", "{hero}货栈总账（{home}）"),
    opening=("{start}立账。每笔买卖各有编号，银钱以元计。", "自{start}起，所有往来依次登记，金额单位为元。"),
    heading=("第{number}号，{date}：", "第{number}号（{date}）："),
    always=(
        Remark(
            says=(
                "售与{place}{person}{goods}{count}{unit}，每{unit}{price}元，共{total}元。",
                "{place}的{person}购{goods}{count}{unit}，单价{price}元，合计{total}元。",
                "{person}（{place}）取走{goods}{count}{unit}，每{unit}{price}元，总计{total}元。",
            ),
            asks=(
                Ask(
                    "{number} who",
                    ("第{number}号账目的买主是谁？", "第{number}号的货卖给了谁？"),
                    ("第{number}号的买主是{place}的{person}。", "卖给了{place}的{person}。"),
                ),
                Ask(
                    "{number} what",
                    ("第{number}号卖的是什么货，多少？",),
                    ("第{number}号卖的是{goods}，共{count}{unit}。",),
                ),
                Ask(
                    "{number} total",
                    ("第{number}号账目合计多少元？", "第{number}号一共多少钱？"),
                    ("第{number}号合计{total}元。",),
                ),
                Ask(
                    "{person}",
                    ("{person}买{goods}的单价是多少？",),
                    ("{person}买{goods}的单价是每{unit}{price}元。", "单价是{price}元。"),
                ),
            ),
        ),
        Remark(
            says=("以{payment}付讫。", "用{payment}结清。", "约定以{payment}支付。"),
            asks=(
                Ask(
                    "{number} paid",
                    ("第{number}号是怎样付款的？",),
                    ("是用{payment}支付的。", "第{number}号以{payment}支付。"),
                ),
            ),
        ),
    ),
    sometimes=(
        Remark(
            says=("货交{ship}运出。", "由{ship}装运。", "装上{ship}，本周内可到。"),
            asks=(
                Ask(
                    "{number} ship",
                    ("第{number}号的货由哪条船运送？",),
                    ("由{ship}运送。", "第{number}号的货由{ship}运送。"),
                ),
            ),
        ),
        Remark(
            says=("{mate}在场作证。", "由{mate}过秤点数。", "{mate}代本号签字。"),
            asks=(Ask("{number} clerk", ("第{number}号账目里提到的伙计是谁？",), ("提到的伙计是{mate}。",)),),
        ),
        Remark(
            says=("收据与一件{keepsake}同放在小柜中。", "买主留下一件{keepsake}作抵押。"),
            asks=(
                Ask("{number} thing", ("第{number}号账目里提到了什么物件？",), ("第{number}号提到了一件{keepsake}。",)),
            ),
        ),
        Remark(says=("其中两{unit}分量不足，已补齐。", "有一{unit}受潮，已调换。")),
    ),
    fillers=(
        "脚夫来迟。",
        "事前校过秤。",
        "未予折扣。",
        "买主说{season}前再来。",
        "由{keeper}誊入总账。",
        "据便条补登。",
        "库房第二间漏雨。",
        "听说{place_2}的价钱在跌。",
        "留样一份。",
        "早上发现院门开着。",
    ),
    num_fillers=(0, 2),
    joint="",
    paragraph="\n",
)

STORY = Genre(
    title=("去{home}的长路", "{hero}与{home}之路"),
    opening=(
        "{start}，{hero}动身去{home}的时候，村里没有人想到这一路会走这么久。事情起于对一位临终朋友的承诺，而那时候，承诺是不能轻易许下的。",
        "信来之前，{hero}去过的最远的地方是集市。信上只写着：到{home}来，走着来。{start}，屋门上了锁，钥匙压在石头底下。",
    ),
    heading=("第{chapter}章　", "{chapter}、"),
    always=(
        Remark(
            says=(
                "傍晚，{hero}到了{place}，{road}的尽头就是{inn}的门。",
                "下一站是{place}。它在{road}的尽头，过路人都住在{inn}。",
                "在{place}，一场雨把{hero}从{road}赶进了{inn}。",
                "黄昏时望见了{place}：一座小庙，{road}旁的几片屋顶，还有一块写着“{inn}”的招牌。",
            ),
            asks=(
                Ask(
                    "{place} inn",
                    ("{hero}在{place}住的是哪家客栈？", "{place}的客栈叫什么名字？"),
                    ("{hero}在{place}住的是{inn}。", "{place}的客栈叫{inn}。"),
                ),
            ),
        ),
        Remark(
            says=(
                "同桌的是{trade}{person}，话说个不停，还请了一份{meal}。",
                "那里坐着一位{trade}，名叫{person}，正在吃{meal}，一言不发地让出半条板凳。",
                "吃着{meal}，一个陌生人报了姓名和行当：{person}，{trade}。",
                "除了一位叫{person}的{trade}，店里没有别的客人，他要了两份{meal}。",
            ),
            asks=(
                Ask(
                    "{place} who",
                    ("{hero}在{place}遇见了谁？", "在{place}，谁和{hero}同桌？"),
                    ("{hero}在{place}遇见了{trade}{person}。", "是{trade}{person}。"),
                ),
                Ask("{person} trade", ("{person}是做什么的？", "{person}以什么为业？"), ("{person}是{trade}。",)),
                Ask("{place} meal", ("他们在{place}的客栈里吃了什么？",), ("他们在{place}吃了{meal}。",)),
            ),
        ),
        Remark(
            says=(
                "临别时，{person}把一件{keepsake}放在桌上：“到了{home}你用得着。”",
                "第二天早上{person}已经走了，床边却留着一件{keepsake}和一张字条：“带上它。”",
                "蜡烛快烧完的时候，{person}打开布包，取出一件{keepsake}，不许推辞。",
                "那天夜里{person}打赌输了，用一件{keepsake}抵债。",
            ),
            asks=(
                Ask(
                    "{place} gift",
                    ("{hero}在{place}得到了什么？", "在{place}，{hero}收到了什么东西？"),
                    ("{hero}在{place}得到了一件{keepsake}。", "是{person}给的一件{keepsake}。"),
                ),
                Ask(
                    "{keepsake}",
                    ("那件{keepsake}是谁给{hero}的？",),
                    ("是{place}的{trade}{person}给的。", "是{person}给的。"),
                ),
            ),
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "这种店里的忠告总差不多，这一句却是新的：{advice}。",
                "“记住，”{person}说，“{advice}。”{hero}把它记了下来。",
            ),
            asks=(Ask("{place} advice", ("{hero}在{place}得到了什么忠告？",), ("忠告是：{advice}。",)),),
        ),
        Remark(
            says=("账单是{price}元，钱袋有些吃不消。", "住一夜加上马料，店主要{price}元。"),
            asks=(Ask("{place} bill", ("{place}的账单是多少钱？",), ("{place}的账单是{price}元。",)),),
        ),
        Remark(
            says=(
                "旧税关的门上，有人漆着一个数字：{code}。",
                "钟楼上挂着一块牌子，写着{code}，谁也不知道它数的是什么。",
            ),
            asks=(
                Ask("{place} code", ("{hero}在{place}看见的数字是多少？",), ("{hero}在{place}看见的数字是{code}。",)),
            ),
        ),
        Remark(
            says=("看守收费桥的{person_2}只听了一支歌就放行了。", "收费桥上，{person_2}不要钱，只要听些消息。"),
            asks=(Ask("{place} toll", ("{place}的收费桥由谁看守？",), ("{place}的收费桥由{person_2}看守。",)),),
        ),
    ),
    fillers=(
        "外面转了{wind}风，把窗板吹得作响。",
        "{bird}从田里飞起，又落了下去。",
        "空气里已经有了{season}的味道。",
        "不知哪里有人在调琴，却一直没有弹。",
        "炉边的狗睁开一只眼，想了想又闭上。",
        "人们谈着洪水、婚事，还有一匹会数数的马。",
        "没有人问{hero}从哪里来，这倒是一种体谅。",
        "靴子湿透了，左脚那只开了口。",
        "一个孩子站在门口，数着生人衣服上的扣子。",
        "油灯冒烟，墙壁是茶水的颜色。",
        "他们听了一会儿雨，好像雨要说什么似的。",
        "这样的夜里，连老鼠想心事都听得见。",
        "地图又打开了一次，又一次派不上用场。",
        "远处有火车开过，去的是容易到的地方。",
        "里程碑在哪次打仗时被转了向，再没有转回来。",
        "路上横着一辆萝卜车，赶车人睡着了。",
        "{hero}想起那个承诺，走得快了些。",
        "星星一颗一颗出来，像散戏的人。",
    ),
    num_fillers=(2, 4),
    joint="",
)

CHINESE = Language(
    words=_WORDS,
    date=lambda day: f"{day.year}年{day.month}月{day.day}日",
    genres={"logbook": LOGBOOK, "ledger": LEDGER, "story": STORY},
)
