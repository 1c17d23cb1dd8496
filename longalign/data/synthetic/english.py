"""English templates of the documents; data only. `documents.py` explains the fields."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.documents import Ask, Genre, Language, Remark
from longalign.data.synthetic.english_story import STORY

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

ENGLISH = Language(
    words=_WORDS,
    date=lambda day: f"{day.day} {MONTHS[day.month - 1]} {day.year}",
    genres={"logbook": LOGBOOK, "ledger": LEDGER, "story": STORY},
)
