"""English templates of the documents; data only. `documents.py` explains the fields."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.documents import Ask, Genre, Language, Remark

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_WORDS = {
    "wind": ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"),
    "sky": ("clear sky", "broken cloud", "low cloud", "drizzle", "steady rain", "haze", "thin fog", "hail showers"),
    "season": ("early spring", "high summer", "late autumn", "deep winter", "the first frost", "harvest time"),
    "store": ("lamp oil", "ship's biscuit", "coal", "rice", "salt pork", "candles", "flour", "dried peas", "tea", "rope"),
    "unit": ("crates", "barrels", "sacks", "bales", "boxes", "casks", "bundles"),
    "goods": (
        "dried figs", "barley", "copper nails", "wool", "sealing wax", "window glass", "olive oil", "paper", "soap",
        "salt", "hemp", "indigo", "walnuts", "honey", "tallow", "linen", "pepper", "roof tiles", "apples", "cork",
    ),
    "payment": ("cash", "bills at thirty days", "silver", "a draft on the bank", "kind, with oats", "two instalments"),
    "spot": (
        "under the third stair", "behind the water tank", "in the lining of an old coat", "below the loose floorboard",
        "at the bottom of the well bucket", "inside the bell housing", "between two beams of the boat shed",
        "in a drawer that had been nailed shut", "on the sill of the north window", "beneath the coal heap",
    ),
    "trade": (
        "clockmaker", "ferryman", "baker", "glazier", "beekeeper", "bookbinder", "cooper", "potter", "schoolteacher",
        "blacksmith", "weaver", "miller", "druggist", "shepherd", "stonemason", "piper", "postmaster", "tailor",
    ),
    "inn": (
        "the Blue Lantern", "the Three Herons", "the Old Plough", "the Weary Miller", "the Broken Oar", "the White Hart",
        "the Salt Cellar", "the Sleeping Fox", "the Copper Kettle", "the Long Table", "the Lame Goose", "the Green Door",
    ),
    "meal": (
        "barley soup", "smoked trout", "a mutton pie", "onions and cheese", "pancakes with plum jam", "bean stew",
        "fried eel", "bread and dripping", "pickled herring", "chestnut dumplings", "cold goose", "oatcakes with butter",
    ),
    "advice": (
        "never to cross the marsh after rain", "to keep the river on the left hand", "to trust the bells and not the map",
        "to ask for the way only once", "to sleep with both boots on", "to leave before the mist rose",
        "to count the milestones aloud", "not to sell anything before noon", "to greet the dogs before their master",
    ),
    "road": ("a narrow lane", "the old drovers' road", "a path of planks", "the towpath", "a causeway", "a sunken track"),
    "bird": ("rooks", "swallows", "curlews", "starlings", "wild geese", "jackdaws", "lapwings", "a single heron"),
}  # fmt: skip

LOGBOOK = Genre(
    title=("Log of the light at {home}", "Station log, {home} light", "Journal of the lighthouse at {home}"),
    opening=(
        "Begun on {start} by the principal keeper, {hero}. One entry is made each day, after the evening reading.",
        "This book was opened on {start}. {hero} is in charge of the station, and signs for all that is written here.",
        "Kept by order of the harbour board from {start}. Principal keeper: {hero}.",
    ),
    heading=("{date}. ", "{date}: ", "{date}. "),
    always=(
        Remark(
            says=("{keeper} had the watch.", "Watch: {keeper}.", "{keeper} took the night watch from {mate}."),
            asks=(
                Ask(
                    "{date} watch",
                    ("Who had the watch on {date}?", "Which keeper was on watch on {date}?"),
                    ("{keeper} had the watch on {date}.", "On {date} the watch was kept by {keeper}."),
                ),
            ),
        ),
        Remark(
            says=(
                "Wind {wind}, force {force}, {sky}; the glass at {pressure}.",
                "Barometer {pressure}, wind from the {wind} at force {force}, {sky}.",
                "{pressure} on the glass at noon. Wind {wind}, force {force}. {degrees} degrees and {sky}.",
            ),
            asks=(
                Ask(
                    "{date} glass",
                    ("What did the barometer show on {date}?", "What was the reading of the glass on {date}?"),
                    ("The barometer stood at {pressure} on {date}.", "On {date} the glass showed {pressure}."),
                ),
                Ask(
                    "{date} wind",
                    ("What wind was entered on {date}, and how strong was it?",),
                    ("On {date} the wind was {wind}, force {force}.",),
                ),
            ),
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "The {ship} passed at {time}, bound for {place}.",
                "At {time} spoke with the {ship}, on her way to {place}.",
                "Sighted the {ship} at {time}; she signalled that she was making for {place}.",
            ),
            asks=(
                Ask(
                    "{ship} where",
                    ("Where was the {ship} bound, according to the log?", "To which port was the {ship} going?"),
                    ("The {ship} was bound for {place}.", "According to the log, the {ship} was bound for {place}."),
                ),
                Ask(
                    "{ship} when",
                    ("On what day and at what time was the {ship} seen?",),
                    ("The {ship} was seen on {date} at {time}.",),
                ),
            ),
        ),
        Remark(
            says=(
                "Drew {few} measures of {store} from the store; {left} are left.",
                "{few} measures of {store} used, which leaves {left}.",
            ),
            asks=(
                Ask(
                    "{date} store",
                    (
                        "After the entry of {date}, how many measures of {store} were left?",
                        "How much {store} remained in the store on {date}?",
                    ),
                    (
                        "{left} measures of {store} were left on {date}.",
                        "On {date}, {left} measures of {store} were left.",
                    ),
                ),
            ),
        ),
        Remark(
            says=(
                "{mate} found {keepsake} {spot}.",
                "While cleaning, {mate} came upon {keepsake} {spot}; nobody claims it.",
            ),
            asks=(
                Ask(
                    "{keepsake}",
                    ("Where was {keepsake} found?", "In what place did one of the keepers find {keepsake}?"),
                    ("It was found {spot}.", "{mate} found it {spot}."),
                ),
                Ask(
                    "{date} found",
                    ("What did {mate} find on {date}?",),
                    ("On {date} {mate} found {keepsake}.",),
                ),
            ),
        ),
        Remark(
            says=(
                "A letter came from {person} of {place_2}, who asks for the tide tables.",
                "The boat brought a letter from {person} of {place_2}.",
            ),
            asks=(
                Ask(
                    "{date} letter",
                    ("Who sent the letter that came on {date}?",),
                    ("The letter came from {person} of {place_2}.",),
                ),
            ),
        ),
    ),
    fillers=(
        "Trimmed the wicks and polished the lens.",
        "The pump wants a new washer.",
        "Painted the rail of the gallery where the salt had lifted it.",
        "There were {bird} over the rocks all afternoon.",
        "Nothing to report from the fog horn.",
        "Sea running high on the bar until dusk.",
        "The clockwork was wound at the usual hours.",
        "Aired the blankets.",
        "The cistern is three parts full.",
        "Mended the landing rope.",
        "A quiet night.",
        "The garden wall has lost a few stones to the swell.",
        "The lamp burned evenly.",
        "{mate} baked in the evening, and there was bread for three days.",
        "Ground swell from the {wind}, though the air was still.",
        "Could not see the mainland before ten.",
        "Washed down the stairs from top to bottom.",
        "The inspector's boat has not been seen.",
    ),
    num_fillers=(1, 3),
)

LEDGER = Genre(
    title=("Ledger of the house of {hero}, {home}", "Day book of {hero}, merchant in {home}"),
    opening=(
        "Opened on {start}. Every purchase and every sale has its number; prices are in crowns.",
        "All dealings from {start} on are entered here in order. Sums are in crowns and hundredths.",
    ),
    heading=("No. {number}, {date}. ", "No. {number} ({date}): "),
    always=(
        Remark(
            says=(
                "Sold to {person} of {place} {count} {unit} of {goods} at {price} each, {total} in all.",
                "{person} of {place} took {count} {unit} of {goods} at {price}, which makes {total}.",
                "To {person}, {place}: {count} {unit} of {goods}, {price} apiece, together {total}.",
            ),
            asks=(
                Ask(
                    "{number} who",
                    ("Who is the buyer in entry No. {number}?", "To whom were the goods of entry No. {number} sold?"),
                    (
                        "The buyer in entry No. {number} is {person} of {place}.",
                        "They were sold to {person} of {place}.",
                    ),
                ),
                Ask(
                    "{number} what",
                    ("What was sold under No. {number}, and how much of it?",),
                    ("Under No. {number}, {count} {unit} of {goods} were sold.",),
                ),
                Ask(
                    "{number} total",
                    (
                        "What is the sum of entry No. {number}?",
                        "How many crowns does entry No. {number} come to in all?",
                    ),
                    ("Entry No. {number} comes to {total} crowns.", "The sum of entry No. {number} is {total} crowns."),
                ),
                Ask(
                    "{person}",
                    (
                        "What price did {person} pay for one of the {unit} of {goods}?",
                        "At what price each did {person} buy {goods}?",
                    ),
                    ("{person} paid {price} crowns each.", "The price was {price} crowns each."),
                ),
            ),
        ),
        Remark(
            says=("Paid in {payment}.", "Settled in {payment}.", "To be paid in {payment}."),
            asks=(Ask("{number} paid", ("How was entry No. {number} paid?",), ("It was paid in {payment}.",)),),
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "Sent by the {ship}, to arrive before the week is out.",
                "The goods went aboard the {ship}.",
                "Shipped on the {ship} with the rest.",
            ),
            asks=(
                Ask(
                    "{number} ship",
                    ("By which ship were the goods of entry No. {number} sent?",),
                    ("They went by the {ship}.",),
                ),
            ),
        ),
        Remark(
            says=("{mate} witnessed the sale.", "Weighed and counted by {mate}.", "{mate} signed for the house."),
            asks=(Ask("{number} clerk", ("Which clerk is named in entry No. {number}?",), ("The clerk is {mate}.",)),),
        ),
        Remark(
            says=("The receipt lies with {keepsake} in the small safe.", "As a pledge the buyer left {keepsake}."),
            asks=(
                Ask(
                    "{number} thing",
                    ("Which object is mentioned in entry No. {number}?",),
                    ("Entry No. {number} mentions {keepsake}.",),
                ),
            ),
        ),
        Remark(
            says=(
                "Two of the {unit} were short weight and were made good.",
                "One of the {unit} was damp and was replaced.",
            )
        ),
    ),
    fillers=(
        "The carrier came late.",
        "The scales were tested beforehand.",
        "No discount was given.",
        "The buyer will come again before {season}.",
        "Copied into the large book by {keeper}.",
        "Entered from the slip.",
        "The roof of the warehouse leaks over the second bay.",
        "Prices at {place_2} are said to be falling.",
        "A sample was kept.",
        "The door of the yard was found open in the morning.",
    ),
    num_fillers=(0, 2),
    paragraph="\n",
)

STORY = Genre(
    title=("The Long Way to {home}", "How {hero} Came to {home}", "{hero} and the Road to {home}"),
    opening=(
        "When {hero} set out for {home}, on {start}, nobody in the village thought that the journey would take so long. "
        "It had begun with a promise made to a dying friend, and promises were not made lightly there.",
        "{hero} had never been farther than the market when the letter came. It said only: come to {home}, and come on "
        "foot. On {start} the house was locked, and the key went under the stone.",
    ),
    heading=("Chapter {chapter}. ", "{chapter}. "),
    always=(
        Remark(
            says=(
                "By evening {hero} reached {place}, where {road} ended at the door of {inn}.",
                "The next place was {place}. It lay at the end of {road}, and travellers slept at {inn}.",
                "In {place} the rain drove {hero} from {road} into {inn}.",
                "{place} showed itself at dusk: a church, a few roofs along {road}, and a sign that said {inn}.",
            ),
            asks=(
                Ask(
                    "{place} inn",
                    ("At which inn did {hero} stay in {place}?", "What was the inn in {place} called?"),
                    ("In {place} {hero} stayed at {inn}.", "The inn in {place} was called {inn}."),
                ),
            ),
        ),
        Remark(
            says=(
                "The table was shared with {person}, the {trade}, who talked without a pause and paid for {meal}.",
                "There sat {person}, a {trade}, over {meal}, and moved along the bench without a word.",
                "Over {meal} a stranger gave a name, {person}, and a calling: {trade}.",
                "A {trade} named {person} was the only other guest, and ordered {meal} for both.",
            ),
            asks=(
                Ask(
                    "{place} who",
                    ("Whom did {hero} meet in {place}?", "Who shared the table with {hero} in {place}?"),
                    ("In {place} {hero} met {person}, the {trade}.", "It was {person}, the {trade}."),
                ),
                Ask(
                    "{person} trade",
                    ("What was the trade of {person}?", "What did {person} do for a living?"),
                    ("{person} was a {trade}.", "By trade {person} was a {trade}."),
                ),
                Ask(
                    "{place} meal",
                    ("What was eaten at the inn in {place}?",),
                    ("In {place} they ate {meal}.",),
                ),
            ),
        ),
        Remark(
            says=(
                'Before they parted, {person} put {keepsake} on the table. "You will need it in {home}."',
                'In the morning {person} was gone, but {keepsake} lay beside the bed with a note: "Take it along."',
                "When the candle was low, {person} unwrapped {keepsake} and would hear of no refusal.",
                "{person} lost a bet that night and paid the debt with {keepsake}.",
            ),
            asks=(
                Ask(
                    "{place} gift",
                    ("What did {hero} receive in {place}?", "Which object was given to {hero} in {place}?"),
                    ("In {place} {hero} received {keepsake}.", "It was {keepsake}, given by {person}."),
                ),
                Ask(
                    "{keepsake}",
                    ("From whom did {hero} get {keepsake}?", "Who gave {keepsake} to {hero}?"),
                    ("{hero} got it from {person}, in {place}.", "It came from {person}, the {trade} in {place}."),
                ),
            ),
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "The advice was always the same in such houses, but here it was new: {advice}.",
                '"Remember," said {person}: {advice}. {hero} wrote it down.',
            ),
            asks=(Ask("{place} advice", ("What advice did {hero} get in {place}?",), ("The advice was {advice}.",)),),
        ),
        Remark(
            says=(
                "The bill came to {price} crowns, which was more than the purse could bear.",
                "For the night and the stable the host asked {price} crowns.",
            ),
            asks=(
                Ask(
                    "{place} bill",
                    ("How much was the bill in {place}?",),
                    ("The bill in {place} came to {price} crowns.",),
                ),
            ),
        ),
        Remark(
            says=(
                "On the gate of the old customs house somebody had painted the number {code}.",
                "The bell tower carried a plate with the number {code}, and nobody knew what it counted.",
            ),
            asks=(
                Ask(
                    "{place} code",
                    ("Which number did {hero} see in {place}?",),
                    ("In {place} {hero} saw the number {code}.",),
                ),
            ),
        ),
        Remark(
            says=(
                "{person_2}, who kept the toll bridge, let them pass for a song.",
                "At the toll bridge {person_2} asked no money, only news.",
            ),
            asks=(
                Ask(
                    "{place} toll",
                    ("Who kept the toll bridge at {place}?",),
                    ("The toll bridge at {place} was kept by {person_2}.",),
                ),
            ),
        ),
    ),
    fillers=(
        "Outside, the wind had turned to the {wind} and worried the shutters.",
        "Over the fields {bird} rose and settled again.",
        "It smelled of {season} already.",
        "Somewhere a fiddle was being tuned, and never played.",
        "The dog by the fire opened one eye and thought better of it.",
        "There was talk of a flood, of a wedding, and of a horse that could count.",
        "Nobody asked where {hero} came from, which was a kindness.",
        "The boots were wet through, and the left one had begun to talk.",
        "A child stood in the doorway and counted the buttons on the stranger's coat.",
        "The lamp smoked, and the walls had the colour of tea.",
        "For a while they listened to the rain as if it had something to say.",
        "It was one of those nights in which one hears the mice think.",
        "The map was unfolded once more, and once more it was of no help.",
        "Far off, a train went by, bound for somewhere easier.",
        "The milestones had been turned round in some war and never turned back.",
        "A cart with turnips stood across the road, its driver asleep.",
        "{hero} thought of the promise and walked a little faster.",
        "The stars came out one after the other, like people leaving church.",
    ),
    num_fillers=(2, 4),
)

ENGLISH = Language(
    words=_WORDS,
    date=lambda day: f"{day.day} {MONTHS[day.month - 1]} {day.year}",
    genres={"logbook": LOGBOOK, "ledger": LEDGER, "story": STORY},
)
