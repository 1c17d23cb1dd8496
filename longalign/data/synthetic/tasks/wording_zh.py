"""Chinese templates of the tasks; data only. `wording.py` explains the fields."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.chinese import CHINESE
from longalign.data.synthetic.tasks.wording import Chain, Dated, Digest, Hops, Kind, Measures, Sheet, Tables, Wording

WORDS = {
    "stuff": ("苏州", "扬州", "景德镇", "广州", "福州", "杭州", "成都", "西域", "高丽", "波斯", "云南", "湘西", "徽州", "潮州", "大理", "敦煌", "绍兴", "泉州", "洛阳", "开封", "岭南", "塞北", "东洋", "暹罗", "红木", "铜制", "藤编", "漆面", "雕花", "镀金", "竹制", "石制", "皮面", "银色", "墨绿", "开裂", "生锈", "歪斜", "空心", "双层", "迷你", "便携", "防水", "无线", "备用", "借来的", "二手", "三脚", "桦木", "檀木", "柚木", "锡制", "锌制", "黄铜", "钢制", "玉石", "毛毡", "亚麻", "绸面", "帆布", "草编", "纸糊", "陶制", "针织", "绣花", "上釉", "格子", "斑点", "紫色", "米色", "黑色", "浅蓝", "雪白", "椭圆", "三角", "细长", "弧形", "扁平", "高大", "小号", "笨重", "摇晃", "结实", "易碎", "可调", "可拆", "旋转", "漂浮", "机械", "数码", "老式", "新式", "租来的", "丢失的"),
    "thing": (
        "水壶", "柜子", "地球仪", "箱子", "座钟", "大鼓", "凳子", "气压计", "古筝", "棋盘", "托盘", "花瓶", "梯子", "画架", "摇篮", "日晷", "风向标", "长椅", "鸟笼", "织机", "墨水台", "书架", "屏风", "香炉", "讲台", "半身像", "酒坛", "匾额", "灯架", "船首像", "火盆", "米斗",
        "打印机", "帐篷", "头盔", "烤面包机", "键盘", "搅拌机", "滑板车", "镜子", "枕头", "手提箱", "独轮车", "灯笼", "照相机", "吊床", "温度计", "收音机", "衣柜", "地毯", "投影仪", "茶壶", "钱包", "雨衣", "烤架", "无人机", "吉他", "沙发", "机器人", "放大镜", "捕鼠器", "木偶", "水桶",
        "长号", "口琴", "班卓琴", "节拍器", "留声机", "拖拉机", "雪橇", "独轮脚踏车", "轮椅", "独木舟", "火箭", "电锯", "订书机", "碎纸机", "复印机", "扫描仪", "电话机", "耳机", "扬声器", "吸尘器", "洗碗机", "炒锅", "胡桃夹", "咖啡磨", "面包箱", "棉被", "窗帘", "门垫", "脚凳", "扶手椅", "睡袋", "手提包", "公文包", "网球拍", "飞镖盘", "木马", "拼图", "弩", "吹风机", "浴缸", "浇水壶", "花盆", "蜂箱", "稻草人", "路牌", "灭火器", "秒表",
    ),
    "house": ("磨坊", "学堂", "图书馆", "税关", "观象台", "砖厂", "祠堂", "医院", "邮局", "博物馆", "酒坊", "船厂", "档案馆", "戏院", "旅馆", "染坊", "水泵站", "玻璃厂"),
    "dish": ("大麦粥", "熏鱼", "羊肉饼", "豆角焖面", "煎鳗鱼", "糟鸭", "芝麻烧饼", "莲子羹", "烤栗子", "红薯饭", "葱花蛋饼", "八宝饭"),
    "goods": CHINESE.words["goods"],
    "trade": CHINESE.words["trade"],
    "colour": ("墨绿色", "白色", "砖红色", "天蓝色", "黄色", "灰色", "黑色", "浅棕色", "橙色", "淡紫色"),
    "day": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
    "saying_who": ("有耐心的园丁", "末班渡船", "睡在磨坊里的人", "一杆公道的秤", "七兄弟里的老幺", "借来的马", "点灯人", "一扇好门", "戴两顶帽子的人", "柜台上的猫", "最老的那座桥", "漆大门的人", "安静的邻居", "村口的白杨", "没贴邮票的信", "裂了缝的钟"),
    "saying_does": ("从不问雨的价钱", "总给过路人留一支蜡烛", "认得去水井的路", "要把鹅数上两遍", "抵得过三个状师", "原谅风，不原谅窗板", "用不着第二把钥匙", "记得河水忘掉的事", "不和雪争论", "专走远路回家", "把最好的苹果留在树上", "唱得比该唱的响", "不欠潮水什么"),
    "saying_when": ("，在钟响以前", "，哪怕屋顶还有积雪", "，只要水壶还热", "，趁着判官打盹", "，直到燕子回来", "，尤其在庙会第二天", "，如果没有人看见", "，就算是不结李子的年份", "，等灯都点起来以后", "，不管历书怎么说", "，喝过三杯之后", "，因为路还长", "，头也不回"),
    "outing_first": ("登上水塔", "划船去鹭岛", "沿旧铁路走一段", "买一包热栗子", "向面点师傅借一架雪橇", "看水闸打开", "跟着羊群爬到采石场", "听人调琴", "坐索道去上面的草场", "赤脚蹚过浅滩", "在车站叫一碗李子汤", "敲一敲钟表匠的门", "在梧桐树下坐坐", "摇响渡口的小铃", "数一数磨坊塘里的鲤鱼"),
    "outing_then": ("，和守闸人分一壶茶", "，读界石上的名字", "，在果园的墙头吃一个梨", "，等燕子归巢", "，给远方的人寄一张明信片", "，把屋顶画下来", "，让狗挑回去的路", "，听一会儿孩子们排练", "，往堰口扔一枚铜钱", "，学会本地的牌戏", "，带一罐蜂蜜回家"),
    "outing_when": ("，最好是天刚亮的时候", "，要选一个下霜的早晨", "，时间在店铺打烊之前", "，等河上的雾散开", "，赶在庙会前夜", "，趁开春头一个暖和的星期", "，最好下过一夜雨", "，挑十月里的一个星期天", "，在点灯的时分", "，在渔船回港的钟点"),
    "spot_in": ("牛奶房的阁楼上", "地窖里", "理发铺的里间", "水堰边的小屋里", "镇公所的地下室", "马厩的草料棚里", "信号房里", "客栈的食品间", "旧消防站里", "暖房里", "塔楼的小间", "售票处里"),
    "spot_where": ("第三根梁的后面", "一堆旧帆下面", "最上面的架子上", "一座落地钟里", "窗座底下", "两张床垫之间", "一只没盖的桶里", "火炉旁边", "洗衣盆的底下", "夹墙后面", "写着“钉子”的木盒里"),
}  # fmt: skip

_RECORD = (
    "{key}的{relation}是{value}。",
    "{key}，{relation}：{value}。",
    "{value}是{key}的{relation}。",
    "登记表上，{key}的{relation}写作{value}。",
    "{key}一栏里，{relation}记的是{value}。",
    "有人问起{key}的{relation}，门房答道：{value}。",
    "现已查明，{key}的{relation}为{value}。",
    "请记住{key}的{relation}：{value}。",
    "账房把{key}的{relation}记为{value}。",
    "{key}的{relation}，即{value}，当场念了两遍。",
    "卡片上写着{key}的{relation}：{value}。",
    "经核对，{key}的{relation}确为{value}，无误。",
)
_RECORD_ASKS = (
    "{key}的{relation}是什么？",
    "文中给出的{key}的{relation}是什么？",
    "请问{key}的{relation}是哪个？",
    "我要找{key}的{relation}，文中怎么说？",
    "请在文中找出{key}的{relation}。",
    "查一下{key}的{relation}。",
    "根据文档，{key}的{relation}是什么？",
    "{key}，{relation}是什么？",
    "文档提到了{key}的{relation}，请写出来。",
    "请告诉我{key}的{relation}。",
)
_RECORD_REPLIES = (
    "{key}的{relation}是{value}。",
    "根据文档，{key}的{relation}是{value}。",
    "{key}用的{relation}是{value}。",
    "文中写明，{key}的{relation}为{value}。",
)
_BACKWARDS = (
    "{relation}为{value}的是哪一个？",
    "{value}这个{relation}属于谁，或者属于什么？",
    "{relation}{value}是谁的，或者是什么的？",
    "哪一条记录的{relation}是{value}？",
)

LOOKUP = (
    Kind(("thing",), ("number", "number", "code"), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("库存编号", "图录号", "拍品号", "保险单号", "入藏号", "出厂编号", "修理单号", "标签号"), _BACKWARDS),
    Kind(("thing",), ("number", "number", "number", "word"), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("架号", "挂钩号", "吊牌号", "认领号", "租借号", "寄存号", "包裹号", "批号", "订单号", "钥匙号", "押金单号", "凭证号"), _BACKWARDS),
    Kind(("thing", "person", "house", "place", "ship"), ("number",), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("档案号", "参考号", "案卷号", "核对号", "索引号", "名册号", "条目号", "页码"), _BACKWARDS),
    Kind(("person",), ("number", "number", "code"), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("会员号", "工号", "护照号", "账户号", "借书证号", "执照号", "门票号", "学号"), _BACKWARDS),
    Kind(("ship",), ("number", "code", "code"), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("登记号", "船体编号", "电台代号", "泊位号", "吨位证书号"), _BACKWARDS),
    Kind(("house",), ("number",), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("电话号码", "信箱号", "地块号", "纳税号", "水表号", "许可证号"), _BACKWARDS),
    Kind(("house", "place", "person"), ("word", "token"), _RECORD, _RECORD_ASKS, _RECORD_REPLIES, ("口令", "暗号", "密码", "通行码", "代号", "呼号"), _BACKWARDS),
    Kind(
        ("house",), ("person",), _RECORD,
        ("{key}的{relation}是谁？", "{key}的{relation}叫什么名字？", "请写出{key}的{relation}的姓名。", "文档里说谁是{key}的{relation}？", "我要找{key}的{relation}，是哪一位？", "根据文档，谁是{key}的{relation}？", "担任{key}的{relation}的是什么人？", "请问{key}的{relation}是哪位？", "查一查，{key}的{relation}是谁？"),
        ("{key}的{relation}是{value}。", "根据文档，{key}的{relation}是{value}。", "文中写明，{key}的{relation}是{value}。"),
        ("司库", "管事", "文书", "图书管理员", "建筑师", "看门人", "厨师", "园丁", "账房", "夜班门房"),
    ),
    Kind(
        ("house", "ship"), ("date",), _RECORD,
        ("{key}的{relation}是哪一天？", "{key}的{relation}是什么时候？", "文中给出的{key}的{relation}是哪天？", "请找出{key}的{relation}。", "请告诉我{key}的{relation}。", "根据文档，{key}的{relation}是几年几月几日？", "查一下{key}的{relation}是哪天。", "我想知道{key}的{relation}。"),
        ("{key}的{relation}是{value}。", "文中写明，{key}的{relation}是{value}。"),
        ("启用日期", "上次检修日期", "投保日期", "出售日期", "下次复核日期"),
    ),
    Kind(
        ("thing",), ("spot",),
        ("{key}放在{value}。", "{key}现在{value}。", "要找{key}，可以去{value}。", "入冬时{key}收到了{value}。", "{key}就在{value}，没有人会去看。", "他们把{key}藏在{value}。", "谁要用{key}，它在{value}。", "找了很久，{key}原来在{value}。", "{key}一向搁在{value}。", "搬家以后，{key}一直在{value}。"),
        ("{key}在哪里？", "{key}放在什么地方？", "到哪里能找到{key}？", "{key}收在哪里了？", "要找{key}该去哪里？", "根据文档，{key}在什么地方？", "请告诉我{key}放在哪里。", "我找不到{key}，它在哪里？", "文中说{key}在哪儿？"),
        ("{key}在{value}。", "根据文档，{key}在{value}。", "{key}放在{value}。"),
    ),
    Kind(
        ("person",), ("sentence",),
        ("{key}常说：“{value}。”", "{key}的书桌上方挂着一句话：“{value}。”", "{key}的座右铭是：“{value}。”", "{key}在纪念册上写道：“{value}。”", "“{value}。”不管问什么，{key}都这样回答。", "{key}每次讲话都以这句结尾：“{value}。”", "最后一页上，{key}只在一行下面画了线：“{value}。”", "用{key}的话来说：“{value}。”", "“{value}。”这是{key}的话。"),
        ("{key}的话是怎么说的？", "{key}说过或写过什么？", "请引用{key}的话。", "哪一句话出自{key}？", "请把{key}的话照原文写出来。", "文中归在{key}名下的是哪句话？", "请一字不差地写出{key}的那句话。", "文档记下了{key}的什么话？", "抄出{key}的那句话。"),
        ("{key}的话是：“{value}。”", "{key}：“{value}。”"),
        backwards=("“{value}。”这是谁的话？", "谁说过或写过：“{value}。”", "“{value}。”出自谁？"),
    ),
    Kind(
        ("house", "thing"), ("sentence",),
        ("{key}上有一块牌子，写着：“{value}。”", "有人在{key}上刻了一行字：“{value}。”", "{key}上的题字是“{value}。”", "{key}的铭文写道：“{value}。”", "“{value}。”{key}上就是这么写的。", "褪色的字迹在{key}上告诉来人：“{value}。”", "{key}上留着几个毛笔字：“{value}。”", "{key}上的话很短：“{value}。”", "谁都知道{key}上的那一句：“{value}。”"),
        ("{key}上写着什么？", "{key}的铭文是什么？", "在{key}上能读到哪句话？", "请引用{key}上的题字。", "{key}上有什么字？", "抄出{key}上的那行字。", "{key}上题的是哪一句？", "人们在{key}上读到什么？", "请一字不差地写出{key}上的话。"),
        ("{key}上写着：“{value}。”", "{key}的题字是：“{value}。”"),
        backwards=("什么上面题着“{value}。”？", "“{value}。”这句话写在哪里？"),
    ),
    Kind(
        ("place",), ("outing",),
        ("到了{key}，应当{value}。", "要是哪天你到{key}去，就{value}。", "去{key}的旅人都会听到这样的劝告：{value}。", "在{key}有一件事不可错过：{value}。", "我伯父到{key}的规矩很简单：{value}。", "来{key}一趟，总要{value}，才算圆满。", "{key}的人见了生客都说：{value}。", "要认识{key}，没有比这更好的办法：{value}。", "{key}的妙处，据说就是{value}。", "在{key}能做的事里，最好的是{value}。"),
        ("到{key}应当做什么？", "文中向去{key}的人推荐了什么？", "关于{key}有什么建议？", "文档对{key}的游客有什么劝告？", "我要去{key}，该做些什么？", "在{key}不可错过的是什么？", "根据文档，到了{key}该怎么做？", "怎样才不枉去{key}一趟？", "在{key}逗留，推荐做什么？"),
        ("到{key}应当{value}。", "关于{key}的建议是：{value}。", "根据文档，到{key}应当{value}。", "去{key}的人应当{value}。"),
    ),
)  # fmt: skip

_EACH = (
    "{key}有一个{relation}是{value}。", "{key}领到了{relation}{value}。", "{value}也是{key}的{relation}。", "在{key}的{relation}里再添上{value}。", "{key}的{relation}当中有{value}。", "{key}存档：{relation}{value}。",
    "{key}的{relation}包括{value}。", "{key}名下列有{relation}{value}。", "{relation}{value}归{key}所有。", "{key}还用着{relation}{value}。", "{key}的另一张单子上写着{relation}{value}。",
)  # fmt: skip
_EACH_ASKS = (
    "{key}的{relation}有哪些？", "文档给出了{key}的哪些{relation}？", "请写出{key}的全部{count}个{relation}。", "请按文中的次序写出{key}的每一个{relation}。", "文中提到了{key}的{count}个{relation}，是哪些？", "请把{key}的{relation}都找齐。",
    "通读全文，记下{key}的所有{relation}。", "我需要{key}的{relation}的完整清单。", "属于{key}的{count}个{relation}是哪几个？", "找出{key}的所有{relation}。",
)  # fmt: skip
_EACH_REPLIES = (
    "{key}的{relation}有{values}。",
    "文中给出的{key}的{relation}是{values}。",
    "{key}：{values}。",
    "文档提到{key}的{count}个{relation}：{values}。",
    "按文中次序，{key}的{relation}是{values}。",
)

MULTI_VALUE = (
    Kind(("house", "person"), ("number", "number", "code"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("许可证号", "订单号", "发票号", "案卷号", "账户号", "电话号码", "彩票号", "合同号")),
    Kind(("ship",), ("number", "code"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("货箱号", "运单号", "泊位号", "铅封号", "报关单号")),
    Kind(("thing",), ("number", "code", "token"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("零件号", "修理单号", "标签号", "库存编号", "钥匙代码", "检验标记")),
    Kind(("house", "place"), ("word", "token"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("口令", "暗号", "代号", "通行码")),
    Kind(
        ("house",), ("person",),
        ("{value}是{key}的{relation}之一。", "{key}有一位{relation}叫{value}。", "{key}的{relation}当中有{value}。", "{key}请了{value}做{relation}。", "{key}的{relation}包括{value}。", "{value}也被推举为{key}的{relation}。", "{key}的{relation}名单上有{value}。", "{value}同样是{key}的{relation}。", "担任{key}的{relation}的还有{value}。"),
        ("{key}的{relation}有哪些人？", "文档给出了{key}的哪些{relation}？", "请写出{key}的全部{count}位{relation}。", "请按文中的次序写出{key}的每一位{relation}。", "文中提到了{key}的{count}位{relation}，是哪些人？", "请把{key}的{relation}都找齐。", "通读全文，记下{key}的所有{relation}。", "我需要{key}的{relation}的完整名单。", "{key}的{count}位{relation}是谁？"),
        ("{key}的{relation}有{values}。", "文中给出的{key}的{relation}是{values}。", "{key}：{values}。", "文档提到{key}的{count}位{relation}：{values}。", "按文中次序，{key}的{relation}是{values}。"),
        ("理事", "更夫", "创办人", "房客", "学徒", "捐助人"),
    ),
)  # fmt: skip

HOPS = Hops(
    keeps=("{key}由{b}保管。", "保管{key}的是{b}。", "{b}保管着{key}。", "{b}负责保管{key}。", "从去年起，{key}一直由{b}保管。", "{b}签了字，保管{key}。", "要看{key}，得找它的保管人{b}。", "{key}交给了{b}保管。"),
    relates=("{a}的{relation}是{b}。", "{b}是{a}的{relation}。", "{a}请的{relation}是{b}。", "在{a}的档案里，{relation}一栏写着{b}。", "{a}向众人介绍{b}：“这是我的{relation}。”", "{a}的{relation}{b}也在受邀之列。", "问起{a}的{relation}，人们说是{b}。", "{a}提到自己的{relation}{b}，总是称赞。", "担任{a}的{relation}的是{b}。"),
    lives=("{a}住在{place}。", "{a}家在{place}。", "{a}在{place}有一所房子，就住在那里。", "写信给{a}，要寄到{place}。", "{a}在{place}住了多年。", "{place}是{a}居住的地方。", "{a}早年就在{place}安了家。", "{a}的信都寄到{place}，那里是其住处。", "{a}的住处在{place}。"),
    relations=("雇主", "老师", "医生", "律师", "会计", "家庭教师", "牙医", "副手", "房东", "裁缝", "监护人", "琴师"),
    keeper="保管{key}的人",
    relative="{person}的{relation}",
    who=("{person}是谁？", "{person}叫什么名字？", "请写出{person}的姓名。", "请查出{person}是谁。", "我要给{person}写信，姓名是什么？", "根据文档，{person}是谁？", "{person}是哪一位？", "文中说{person}是什么人，叫什么？"),
    where=("{person}住在哪里？", "{person}住在什么地方？", "{person}的家在哪儿？", "请写出{person}居住的地方。", "给{person}的信该寄到哪里？", "根据文档，{person}住在哪里？", "请查出{person}住在什么地方。", "我要找{person}的住处，在哪里？"),
    steps=("{key}由{b}保管", "{a}的{relation}是{b}", "{a}住在{place}"),
    therefore=("{steps}。所以答案是{answer}。", "{steps}，由此得出{answer}。", "{steps}。是{answer}。", "{steps}，可知是{answer}。"),
)  # fmt: skip

HANDS = Chain(
    first=("{key}最初属于{b}。", "{key}的第一任主人是{b}。", "当初请人做{key}的是{b}。", "{key}是为{b}做的。", "起初{key}是{b}的东西。", "{key}的来历要从{b}说起，那是它的头一位主人。", "最早拥有{key}的是{b}。", "{key}做好以后，先到了{b}手里。"),
    then=("{key}从{a}转到了{b}手里。", "{b}从{a}那里得到{key}。", "{a}把{key}送给了{b}。", "{key}由{a}交给{b}。", "{a}把{key}卖给了{b}。", "{b}向{a}买下了{key}。", "{a}把{key}留给了{b}。", "{key}离开了{a}，归了{b}。", "{b}从{a}那里继承了{key}。"),
    end=("{key}最后在谁手里？", "{key}的最后一任主人是谁？", "{key}最终归了谁？", "几经转手，{key}到了谁那里？", "辗转之后，谁拥有{key}？", "已知的{key}最后的主人是谁？", "顺着一任任主人查下去，最后拥有{key}的是谁？", "{key}末了落到谁手中？"),
    ends=("{key}这样转手：{path}。所以最后在{value}手里。", "{path}，最后的主人是{value}。", "{path}。{key}最终归了{value}。", "从一任到下一任：{path}。最后的主人是{value}。"),
    all=("{key}经过了哪些人的手？请按先后写出。", "请列出{key}的历任主人，从第一任到最后一任。", "先后拥有{key}的是哪些人？", "请按次序写出{key}的所有主人。", "追溯{key}的来历：谁拥有过它，次序如何？", "哪{count}个人先后拥有{key}？", "请讲讲{key}是怎样从一个主人传到另一个主人的。", "从第一任算起，{key}的主人依次是谁？"),
    alls=("{path}。", "{key}的主人依次是：{path}。", "{key}这样转手：{path}。", "从先到后：{path}。"),
)  # fmt: skip

RENAMES = Chain(
    first=("{b}以此名下水。", "船下水的时候，取名{b}。", "{b}是一条刚出船厂的新船。", "新船命名为{b}。", "那天有船下水，船名是{b}。", "船厂交付了新造的{b}。", "有一条船几次换名，头一个名字是{b}。", "船体春天完工，以{b}之名出海。"),
    then=("{a}改名为{b}。", "{a}的新船名是{b}。", "{a}如今叫作{b}。", "船身上{a}几个字涂掉了，改写{b}。", "{b}就是从前的{a}。", "转卖以后，{a}改称{b}。", "从今以后，{a}一律称作{b}。", "{a}换了船名，叫{b}。", "原来的{a}成了{b}。"),
    end=("下水时叫{key}的那条船，最后叫什么？", "起初名为{key}的船，后来用的是什么名字？", "以{key}为头一个名字的船，最后的名字是什么？", "{key}改过名，也许不止一次，最后的船名是什么？", "顺着改名的经过查下去，当初的{key}最后叫什么？", "从前的{key}末了叫作什么？", "几次改名之后，{key}叫什么？", "{key}这个名字后来变成了什么，最后一个名字是哪个？"),
    ends=("{path}，所以最后的名字是{value}。", "{path}。最后叫{value}。", "几次改名：{path}。末了的船名是{value}。"),
    all=("下水时叫{key}的那条船先后用过哪些名字？", "请依次列出起初名为{key}的船的所有名字。", "起初叫{key}的船，{count}个名字各是什么？", "请从头到尾写出以{key}之名下水的船的船名。", "追溯{key}改名的经过，依次有哪些名字？", "{key}先后以哪些名字航行？", "{key}一共有过{count}个名字，依次是哪些？", "请按先后写出当初的{key}用过的船名。"),
    alls=("{path}。", "船名依次是：{path}。", "按先后：{path}。", "先后叫作：{path}。"),
)  # fmt: skip

COPIES = Chain(
    first=("{b}里存的是{value}。", "把{value}放进{b}。", "{b}一开始是{value}。", "{b} := {value}。", "{b} = {value}。", "起初{b}的内容是{value}。", "{b}的内容为{value}。", "在{b}中写入{value}。", "{value}这个数登记在{b}里。", "令{b}等于{value}。"),
    then=("{b}得到{a}的一份拷贝。", "{b} = {a}。", "把{a}复制到{b}。", "{a}里是什么，{b}里就是什么。", "{a}的内容在{b}中重复一遍。", "让{b}与{a}相等。", "令{b}与{a}相同。", "数字从{a}抄到{b}。", "{b} := {a}。", "{a}里的数也写进{b}。", "{b}沿用{a}的内容。"),
    end=("{key}里是什么数？", "{key}中的数字是多少？", "{key}最后的内容是什么？", "请推出{key}的内容。", "{key}，里面是哪个数？", "顺着复制的过程查，{key}里是什么？", "复制完成以后，{key}里的数是多少？", "最后在{key}里的是哪个数？"),
    ends=("{path}，所以{key}里是{value}。", "{path}，因此是{value}。", "往回追查：{path}。所以是{value}。", "{path}。{key}里是{value}。"),
    all=("哪些{sort}里是{value}？", "无论一开始就有还是复制得来，最后哪{count}个{sort}里是{value}？", "请找出最后内容为{value}的每一个{sort}。", "{value}这个数一路复制下去，都到了哪些{sort}里？", "请写出存有{value}的全部{sort}。", "{value}最后都在哪里？写出这些{sort}。", "{value}从一个{sort}传到另一个{sort}，一共{count}个，是哪些？", "跟踪{value}这个数，哪些{sort}里有它？", "请按次序写出内容为{value}的{sort}。"),
    alls=("{path}。", "顺着复制的过程：{path}。", "{path}，里面是{value}的就是这{count}个。", "{path}。这些就是内容为{value}的{sort}。"),
)  # fmt: skip

DATED = Dated(
    says=("{date}，{who}{did}。", "{who}于{date}{did}。", "{date}：{who}{did}。", "那是{date}，{who}{did}。", "{date}记：{who}{did}。", "据看门人说，{who}在{date}{did}。", "{date}的便条上说，{who}{did}。", "{who}{did}，日期是{date}。", "谁也忘不了{date}，那天{who}{did}。", "{date}那一页只写着{who}{did}。"),
    did={
        "person": (("缺席了合唱排练", "缺席合唱排练"), ("修好了水泵", "修好水泵"), ("敲响了火警钟", "敲响火警钟"), ("赢了棋会", "赢得棋会"), ("忘了带船屋的钥匙", "忘带船屋的钥匙"), ("打扫了学堂的烟囱", "打扫学堂的烟囱"), ("赶了送奶的车", "赶送奶的车"), ("作了一次演讲", "作演讲"), ("因喧哗被罚款", "因喧哗被罚款"), ("睡在草料棚里", "睡在草料棚里"), ("喂了天鹅", "喂天鹅"), ("打牌输了钱", "打牌输钱")),
        "ship": (("靠岸加水", "靠岸加水"), ("搁浅了", "搁浅"), ("丢了一只锚", "丢锚"), ("受到海关搜查", "受到海关搜查"), ("请了引水员上船", "请引水员上船"), ("不点灯就出了港", "不点灯出港")),
        "house": (("停业修缮", "停业修缮"), ("进了水", "进水"), ("办了义演", "办义演"), ("断了灯火", "断灯火"), ("重新粉刷", "重新粉刷"), ("开门接待参观", "开门接待参观")),
    },
    these={"person": "这几个人", "ship": "这几条船", "house": "这几处", "thing": "这几样东西", "place": "这几个地方"},
    times=("{who}一共{do}几次？", "{who}{do}有多少次？", "{who}在多少天里{do}？", "文档里说{who}{do}有几回？", "请数一数{who}{do}的次数。", "通读全文，数出{who}{do}的天数。", "{who}{do}的次数是多少？", "关于{who}{do}，文中共记了几次？"),
    time_replies=("{who}在{dates}{do}，一共{count}次。", "分别在{dates}，一共{count}次。", "文中记有{dates}，合计{count}次。"),
    people=("一共有多少人{do}？", "请数一数{do}的人数。", "{do}的一共有几个人？", "文档里提到几个不同的人{do}？", "{do}的人有多少？", "文中说有几个人{do}？", "通读全文，{do}的共有几人？", "文中{do}的不同的人有几个？"),
    people_replies=("{do}的有{names}，共{count}人。", "{names}，共{count}人。", "文中提到{names}，所以{do}的有{count}人。"),
    first=("{all}，{these}当中最先{do}的是哪一个？", "{these}里谁最先{do}：{keys}？", "{all}，按日期算，最早{do}的是哪一个？", "比较日期，{these}里最先{do}的是：{keys}？", "从日期看，{all}当中，哪一个最早{do}？", "{all}，哪一个比其他的更早{do}？", "请查日期：{all}，最先{do}的是哪个？", "最先{do}的是哪一个，{keys}？"),
    first_replies=("{list}。所以最先的是{key}。", "{list}。最先的是{key}，在{date}。", "日期：{list}。所以是{key}。"),
    last=("{all}，{these}当中最后{do}的是哪一个？", "{these}里谁最后{do}：{keys}？", "{all}，按日期算，最晚{do}的是哪一个？", "比较日期，{these}里最后{do}的是：{keys}？", "从日期看，{all}当中，哪一个最晚{do}？", "{all}，哪一个比其他的更晚{do}？", "请查日期：{all}，最后{do}的是哪个？", "最后{do}的是哪一个，{keys}？"),
    last_replies=("{list}。所以最后的是{key}。", "{list}。最后的是{key}，在{date}。", "日期：{list}。所以是{key}。"),
    sort=("请把{these}按{do}的日期从早到晚排列：{keys}。", "按日期排序，最先{do}的排在最前：{keys}。", "{keys}，按时间先后，它们{do}的次序如何？", "请从早到晚排列{keys}，以{do}的日期为准。", "{keys}都有{do}的记载，请按日期先后写出。", "以{do}的日期为准，{keys}的正确次序是什么？", "{these}都曾{do}：{keys}。先后次序怎样？", "请按{do}的日期给{these}排出先后：{keys}。"),
    sort_replies=("{list}。所以次序是{values}。", "{list}。按时间先后：{values}。", "日期：{list}。从早到晚是{values}。"),
    mentioned=("{all}，文档最先提到的是哪一个？", "从头读起，{these}里先出现的是：{keys}？", "{these}当中，哪一个在文中最先出现：{keys}？", "不论日期，只看在文中的位置，{all}哪个在前？", "{all}，文中先写到的是哪个？", "读文档时，最先遇到的是{keys}？", "{all}当中，哪一个在文档里比其他的先出现？", "往下读，{these}里首先见到的是：{keys}？"),
    mentioned_replies=("最先提到的是{key}。", "{key}。", "文中先出现的是{key}。", "是{key}。"),
)  # fmt: skip

MEASURES = Measures(
    measures=(
        ("house", "高度", "米", 4, 60), ("house", "租金", "元", 40, 900), ("house", "参观人数", "人", 20, 9000), ("thing", "重量", "公斤", 2, 400), ("thing", "价钱", "元", 5, 2000), ("ship", "长度", "米", 9, 120), ("ship", "船员人数", "人", 3, 90),
        ("place", "人口", "人", 90, 9000), ("place", "到省城的距离", "里", 8, 400), ("person", "欠款", "元", 3, 800), ("person", "年龄", "岁", 18, 97),
    ),
    says=("{key}的{relation}是{value}{unit}。", "{key}：{relation}{value}{unit}。", "经查，{key}的{relation}为{value}{unit}。", "说到{key}，{relation}有{value}{unit}。", "{value}{unit}，这是{key}的{relation}。", "册子上，{key}的{relation}记作{value}{unit}。", "{key}的{relation}不多不少，正是{value}{unit}。", "有人算过{key}的{relation}：{value}{unit}。", "最近一次查点，{key}的{relation}是{value}{unit}。"),
    most=("{all}，哪一个的{relation}数字最大？", "在{all}当中，{relation}最大的是哪一个？", "比较{all}的{relation}，数字最高的是哪个？", "{all}，论{relation}哪个居首？", "就{relation}而言，{all}当中数字最大的是哪个？", "请看{all}的{relation}，哪个最大？", "按{relation}从大到小排，{all}里排第一的是哪个？", "谁的{relation}数字最大，{keys}？"),
    most_replies=("{list}。所以是{key}。", "{list}。{key}的{relation}数字最大，为{value}{unit}。", "{list}，最大的是{key}，{value}{unit}。"),
    least=("{all}，哪一个的{relation}数字最小？", "在{all}当中，{relation}最小的是哪一个？", "比较{all}的{relation}，数字最低的是哪个？", "{all}，论{relation}哪个居末？", "就{relation}而言，{all}当中数字最小的是哪个？", "请看{all}的{relation}，哪个最小？", "按{relation}从小到大排，{all}里排第一的是哪个？", "谁的{relation}数字最小，{keys}？"),
    least_replies=("{list}。所以是{key}。", "{list}。{key}的{relation}数字最小，为{value}{unit}。", "{list}，最小的是{key}，{value}{unit}。"),
    difference=("{keys}的{relation}相差多少{unit}？", "{high}的{relation}比{low}多多少{unit}？", "{high}与{low}的{relation}之间差几{unit}？", "{high}的{relation}数字比{low}大多少？", "用{high}的{relation}减去{low}的，得多少？", "{high}的{relation}数字大于{low}，大多少{unit}？", "论{relation}，{high}比{low}高出多少{unit}？", "比较{keys}：{relation}的差是多少？"),
    difference_replies=("{list}，相差{value}{unit}。", "{list}。差是{value}{unit}。", "{list}，所以是{value}{unit}。"),
    one="{key}（{value}{unit}）",
)  # fmt: skip

DIGEST = Digest(
    aspects={
        "house": (("看门人", "person"), ("电话号码", "number"), ("建造年份", "year"), ("房间数", "small"), ("门的颜色", "colour"), ("休息日", "day"), ("门禁代码", "code")),
        "person": (("行当", "trade"), ("籍贯", "place"), ("会员号", "number"), ("爱吃的菜", "dish"), ("出生年份", "year"), ("休息日", "day")),
        "ship": (("船长", "person"), ("母港", "place"), ("货物", "goods"), ("电台代号", "code"), ("下水年份", "year"), ("烟囱的颜色", "colour")),
        "place": (("镇长", "person"), ("集日", "day"), ("主要物产", "goods"), ("邮政编码", "number"), ("建制年份", "year"), ("客店数", "small")),
    },
    says=_RECORD,
    asks=("文档对{keys}各说了什么？", "请列表概括文中关于{keys}的内容。", "请分别写出文中关于这些的全部内容：{keys}。", "请按名称作简短的摘要：{keys}。", "收集关于{keys}的事实，每个一行。", "根据文档，为{keys}各写一行。", "我需要关于{keys}的笔记，文中有些什么？", "通读全文，汇总关于{keys}的说法。", "请根据文档概述{keys}。"),
    entry="- {key}：{aspects}",
    aspect="{relation}{value}",
    joint="；",
)  # fmt: skip

TABLES = Tables(
    sheets=(
        Sheet(("{section}存货表", "{section}库房清单"), "house", "货物", "goods", (("袋数", "", 2, 400), ("单价", "元", 1, 90), ("货架", "", 1, 60), ("已订", "", 0, 80), ("损耗", "", 0, 30))),
        Sheet(("{section}收支表", "{section}一周账目"), "house", "日子", "day", (("来客", "", 3, 900), ("收入", "元", 10, 2000), ("支出", "元", 5, 900), ("退票", "", 0, 40))),
        Sheet(("{section}行业登记表", "{section}各业名册"), "place", "行业", "trade", (("师傅", "", 1, 30), ("学徒", "", 1, 60), ("税款", "元", 4, 900), ("投诉", "", 0, 25))),
        Sheet(("{section}泊船表", "{section}港口到船表"), "place", "船名", "ship", (("吨位", "", 40, 3000), ("船员", "", 3, 90), ("泊位", "", 1, 80), ("规费", "元", 5, 700))),
        Sheet(("{section}赛会成绩表", "{section}比赛计分表"), "place", "选手", "person", (("第一轮", "分", 1, 99), ("第二轮", "分", 1, 99), ("第三轮", "分", 1, 99))),
    ),
    item="{name}：{cells}",
    cell=("《{title}》中，{row}的“{column}”一栏是多少？", "《{title}》里{row}在“{column}”一列的数字是什么？", "请看《{title}》：{row}的“{column}”是多少？", "在《{title}》的“{column}”列里，{row}对应哪个数？", "《{title}》，{row}，“{column}”是多少？", "在《{title}》中找到{row}一行，读出“{column}”。", "根据《{title}》，{row}的“{column}”数是多少？", "《{title}》给{row}的“{column}”填的是什么数？"),
    cell_replies=("《{title}》中，{row}的“{column}”是{value}。", "{row}的“{column}”一栏是{value}。", "“{column}”列里，{row}对应{value}。", "{row}，“{column}”：{value}。"),
    most=("《{title}》中，“{column}”数字最大的是哪一行？", "《{title}》里哪一项在“{column}”列居首？", "请看《{title}》的“{column}”列，哪里的数最大？", "《{title}》中“{column}”最多的是什么？", "按“{column}”算，《{title}》里排第一的是哪一项？", "《{title}》“{column}”列的最大值在哪一行？", "在《{title}》中，哪一行的“{column}”最高？", "找出《{title}》“{column}”列的最大数，它属于哪一行？"),
    most_replies=("{row}，{value}。", "是{row}，“{column}”为{value}。", "“{column}”列最大的是{value}，属于{row}。", "{row}。"),
    least=("《{title}》中，“{column}”数字最小的是哪一行？", "《{title}》里哪一项在“{column}”列居末？", "请看《{title}》的“{column}”列，哪里的数最小？", "《{title}》中“{column}”最少的是什么？", "按“{column}”从大到小算，《{title}》里排末位的是哪一项？", "《{title}》“{column}”列的最小值在哪一行？", "在《{title}》中，哪一行的“{column}”最低？", "找出《{title}》“{column}”列的最小数，它属于哪一行？"),
    least_replies=("{row}，{value}。", "是{row}，“{column}”为{value}。", "“{column}”列最小的是{value}，属于{row}。", "{row}。"),
    total=("《{title}》中，{rows}的“{column}”合计多少？", "请把《{title}》“{column}”列里{rows}的数加起来。", "{rows}在《{title}》的“{column}”列一共是多少？", "取《{title}》中的{rows}，“{column}”总数是多少？", "《{title}》，“{column}”列，{rows}的和是多少？", "根据《{title}》，{rows}的“{column}”加在一起是多少？", "《{title}》里{rows}的“{column}”总和是多少？", "求{rows}的“{column}”之和，见《{title}》。"),
    total_replies=("{sum} = {value}。", "和是{sum} = {value}。", "合计{sum} = {value}。", "{sum} = {value}，所以是{value}。"),
    which=("《{title}》中，“{column}”为{value}的是哪一行？", "《{title}》里哪一项的“{column}”是{value}？", "《{title}》“{column}”列的{value}属于哪一项？", "《{title}》中的哪一行写着“{column}”{value}？", "在《{title}》的“{column}”列找到{value}，那是哪一行？", "《{title}》给哪一项的“{column}”填了{value}？", "《{title}》“{column}”列里有{value}，在哪一行？", "按《{title}》，哪一项的“{column}”数是{value}？"),
    which_replies=("“{column}”为{value}的是{row}。", "“{column}”的{value}属于{row}。", "“{column}”列里，{value}在{row}一行。"),
)  # fmt: skip

WORDING = Wording(
    words=WORDS,
    intros=("{fact}",) * 14 + ("附记：{fact}", "备忘：{fact}", "页边注：{fact}", "后来补记：{fact}", "顺带一提：{fact}", "又：{fact}"),
    joint="",
    comma="、",
    final="和",
    choice="还是",
    numerals=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"),
    lookup=LOOKUP,
    multi_value=MULTI_VALUE,
    hops=HOPS,
    hands=HANDS,
    renames=RENAMES,
    copies=COPIES,
    sorts=(("单元格", "单元格"), ("寄存器", "寄存器"), ("字段", "字段"), ("插槽", "插槽"), ("计数器", "计数器"), ("表格列", "表格列"), ("刻度盘", "刻度盘"), ("格子", "格子")),
    dated=DATED,
    measures=MEASURES,
    digest=DIGEST,
    tables=TABLES,
    brief=("只要答案。", "请用最少的字回答。", "除答案外不要写别的。", "不必写成完整的句子。", "直接给出答案即可。"),
    several="请依次回答下列问题，并照样编号：\n{questions}",
    unknown=("文档没有说明。", "文档中没有提到这一点。", "文中没有关于{key}的内容。", "我在文档里找不到{key}。", "文中没有这方面的信息。", "文档没有提到{key}，所以无法回答。", "根据这份文档无法回答这个问题。", "无法从文档得知，其中没有提到{key}。"),
    frames=(
        "{document}\n\n{question}", "{document}\n\n---\n\n问题：{question}", "{document}\n\n{question}", "下面是一篇文字。\n\n{document}\n\n文字到此为止。{question}", "{question}\n\n{document}", "{question}\n\n文本：\n{document}\n\n再说一遍问题：{question}", "我给你一份很长的文档，请仔细阅读，之后有一个问题。\n\n{document}\n\n{question}",
        "<文档>\n{document}\n</文档>\n\n{question}", "材料：\n\"\"\"\n{document}\n\"\"\"\n\n{question}", "只依据下面的文字作答。\n\n{document}\n\n问题：{question}\n回答：", "问题：{question}\n\n答案就在下文中：\n\n{document}", "背景：\n{document}\n\n请根据以上背景回答：{question}", "{document}\n\n以上是全文。请回答：{question}", "{document}\n\n关于刚才读到的内容，有一个问题：{question}",
    ),
)  # fmt: skip
