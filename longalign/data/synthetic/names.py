"""Parts of names of people, places, ships and things in English and Chinese, which `world.py` joins; data only."""


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


GIVEN_EN = _list(
    "Ada, Agnes, Albert, Alma, Amos, Anna, Arthur, Bertha, Bruno, Cecil, Clara, Cora, Daniel, Dora, Edgar, "
    "Edith, Elias, Ella, Emil, Esther, Felix, Flora, Frank, George, Grace, Greta, Harold, Helen, Henry, "
    "Hugo, Ida, Irene, Ivan, Jacob, Jane, Jonas, Judith, Karl, Kate, Laura, Leo, Lena, Louis, Lucy, Magda, "
    "Martin, Mary, Max, Mira, Nathan, Nora, Oliver, Olga, Oscar, Paula, Peter, Quentin, Rachel, Ralph, Rosa, "
    "Ruth, Samuel, Sara, Simon, Stella, Theo, Thomas, Tilda, Ulrich, Vera, Victor, Walter, Wanda, Wilma, "
    "Yusuf, Zoe"
)
FAMILY_EN = _list(
    "Abbott, Alden, Archer, Baird, Barlow, Beck, Birch, Boyd, Brandt, Calder, Carver, Cole, Crane, Dale, "
    "Dunn, Ellery, Falk, Finch, Flint, Frost, Gale, Garner, Glass, Grant, Hale, Hardy, Hart, Hobbs, Holt, "
    "Hume, Ingram, Jarvis, Kemp, Kerr, Lamb, Lang, Lowe, Lunt, Marsh, Mercer, Moss, Nash, North, Oakes, Orr, "
    "Osgood, Page, Parr, Pike, Pryor, Quill, Reid, Rhodes, Rowe, Sayer, Shaw, Sloan, Stark, Stone, Tate, "
    "Thorn, Tully, Unger, Vance, Voss, Wade, Ward, Webb, West, Wilde, Wren, Yates, York"
)
PLACE_HEAD_EN = _list(
    "Alder, Amber, Ash, Barrow, Black, Bram, Brook, Cold, Crow, Dun, East, Elm, Fair, Fen, Fox, Glen, Gold, "
    "Green, Grey, Hart, Hazel, High, Holm, Kings, Lang, Lark, Long, Marl, Mill, Moor, Nether, North, Oak, "
    "Otter, Pen, Raven, Red, Rook, Salt, Sand, Silver, South, Stan, Stone, Thorn, Upper, Wal, West, White, "
    "Wind, Wolf"
)
PLACE_TAIL_EN = _list(
    "bourne, bridge, brook, burn, bury, by, cliff, combe, cross, dale, den, field, ford, gate, ham, haven, "
    "head, hill, holm, hurst, ley, marsh, mere, mouth, ness, port, ridge, side, stead, stow, thorpe, ton, "
    "view, water, well, wick, wood, worth"
)
SHIP_HEAD_EN = _list(
    "Bold, Bright, Brave, Calm, Distant, Early, Eastern, Faithful, Gallant, Gentle, Golden, Grey, Humble, "
    "Lively, Lonely, Lucky, Merry, Morning, Noble, Northern, Patient, Quick, Quiet, Red, Restless, Royal, "
    "Silver, Southern, Steady, Swift, True, Western, White, Wild"
)
SHIP_TAIL_EN = _list(
    "Albatross, Anchor, Arrow, Aurora, Badger, Comet, Cormorant, Crane, Curlew, Dolphin, Dove, Falcon, "
    "Fulmar, Gannet, Hare, Heron, Kestrel, Lantern, Lark, Marten, Osprey, Otter, Pearl, Petrel, Plover, "
    "Puffin, Raven, Robin, Seal, Skylark, Star, Swan, Tern, Thistle, Venture"
)
LOOK_EN = _list(
    "battered, bent, chipped, cracked, dented, dusty, engraved, faded, gilded, handmade, heavy, lacquered, little, "
    "mended, narrow, numbered, odd, old, oval, painted, patched, plain, polished, rusty, scratched, sealed, silver, "
    "small, stained, tarnished, tin, varnished, waxed, well-worn, worn, yellowed"
)
THING_EN = _list(
    "almanac, bell, brass compass, button box, candlestick, chess piece, clay pipe, coin purse, comb, "
    "door key, fan, fiddle bow, flute, glass bead, hand mirror, hourglass, ink bottle, lantern, letter, "
    "locket, map case, medal, music box, needle case, notebook, padlock, paperweight, "
    "pocket watch, postcard, ring, ruler, scarf, snuffbox, spoon, spyglass, tea caddy, thimble, "
    "walking stick, whistle"
)
FAMILY_ZH = _list(
    "赵, 钱, 孙, 李, 周, 吴, 郑, 王, 冯, 陈, 沈, 韩, 杨, 朱, 秦, 许, 何, 吕, 张, 孔, 曹, 严, 华, 金, 魏, 陶, "
    "姜, 谢, 邹, 苏, 潘, 葛, 范, 彭, 鲁, 韦, 马, 方, 袁, 柳, 唐, 薛, 雷, 贺, 罗"
)
GIVEN_ZH = _list(
    "安国, 柏林, 碧云, 长青, 成文, 春生, 丹青, 东升, 德明, 恩泽, 方舟, 芳华, 凤英, 广田, 桂兰, 国栋, 海川, "
    "汉卿, 鸿飞, 怀瑾, 慧敏, 吉祥, 继业, 家宁, 建中, 江平, 锦书, 静之, 景行, 君健, 开明, 可欣, 乐山, 立群, "
    "林风, 梦泽, 明远, 慕白, 南星, 念慈, 培元, 青山, 清和, 秋实, 如松, 瑞雪, 若水, 善长, 少华, 书琴, 思齐, "
    "素心, 天佑, 望舒, 文轩, 小满, 晓岚, 欣然, 秀英, 雅南, 砚秋, 一鸣, 永年, 雨桐, 玉成, 云帆, 泽民, 振东, "
    "知远, 志坚, 子墨, 自强"
)
PLACE_HEAD_ZH = _list(
    "白石, 半山, 碧溪, 长亭, 赤岭, 春浦, 大雁, 丹霞, 东篱, 枫林, 凤栖, 古槐, 桂花, 寒山, 荷塘, 黑松, 红叶, "
    "湖心, 黄沙, 江畔, 金鸡, 锦屏, 静水, 客家, 临江, 柳河, 龙泉, 鹿鸣, 麦田, 梅岭, 明月, 牧云, 南桥, 牛角, "
    "平沙, 栖霞, 青竹, 清溪, 沙湾, 石门, 双塔, 松涛, 桃源, 望海, 雾灵, 西坪, 仙居, 小孤, 杏花, 燕尾, 雁门, "
    "银杏, 玉带, 云岭, 竹山, 紫藤"
)
PLACE_TAIL_ZH = _list("镇, 村, 渡, 湾, 城, 关, 寨, 堡, 驿, 集, 坪, 口, 岛, 桥")
SHIP_HEAD_ZH = _list(
    "长风, 晨曦, 春潮, 东海, 飞云, 丰收, 海燕, 和平, 宏图, 惊涛, 凌波, 鹏程, 启明, 前进, 顺风, 腾龙, 望远, "
    "祥云, 新月, 星辰, 迎春, 远航, 云海, 镇海"
)
SHIP_TAIL_ZH = _list("一, 二, 三, 四, 五, 六, 七, 八, 九, 十, 十一, 十二, 十三")
LOOK_ZH = _list(
    "陈旧的, 缺口的, 褪色的, 刻字的, 小巧的, 生锈的, 上锁的, 手工做的, 漆红的, 磨亮的, 包铜边的, 发黄的, "
    "折好的, 沉甸甸的, 镶银的, 补过的"
)
THING_ZH = _list(
    "铜罗盘, 怀表, 木梳, 砚台, 竹笛, 铜铃, 纸扇, 玉佩, 印章, 油灯, 钥匙, 账本, 信封, 地图, 银镯, 茶罐, 棋子, "
    "针线盒, 望远镜, 笔筒, 手杖, 围巾, 相片, 八音盒, 放大镜, 酒壶, 铁哨子, 墨盒, 铜锁, 诗集"
)
