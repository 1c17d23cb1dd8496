"""English templates of the stories; data only. `documents.py` explains the fields."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.documents import Ask, Genre, Remark

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
