"""English templates of the prose around a task's facts, in addition to those of `english.py`; data only."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic import english
from longalign.data.synthetic.documents import Genre, Language, Remark

_WORDS = {
    "topic": (
        "the drains in the lower street", "the new bell rope", "the hire of the hall", "the price of firewood",
        "the footbridge", "the school stove", "the state of the pasture", "the market stalls", "the street lamps",
        "the fire buckets", "the orchard behind the chapel", "the summer fair", "the carrier's contract",
        "the leaking cistern", "the reading room", "the road to the quarry",
    ),
    "outcome": (
        "nothing was decided", "it was put off until the next meeting", "a small committee was formed",
        "the motion was carried with two votes against", "three estimates are to be asked for",
        "everybody spoke, and nobody to the point", "the chair asked for patience", "it was agreed to try it for a year",
        "the money is to be found elsewhere", "the old rule was left as it stands",
    ),
    "dish": ("mussels", "dumplings", "flat bread", "lentils", "roast chestnuts", "fish soup", "stuffed cabbage", "goat cheese"),
    "sight": (
        "a dry fountain", "a row of plane trees", "a bridge with one parapet", "a clock without hands", "a terraced garden",
        "an empty aqueduct", "a market under canvas", "a wall painted with swifts", "a ropeway for timber", "a walled well",
    ),
    "ride": ("a hay wagon", "the slow train", "a mule", "the mail coach", "a barge full of gravel", "my own two feet"),
    "industry": (
        "cloth", "bricks", "cider", "rope", "paper", "clay pipes", "salt", "barrels", "hats", "cutlery", "cheese", "nets",
    ),
    "river": ("Arne", "Bel", "Corre", "Dovel", "Esk Water", "Farrow", "Gann", "Lud", "Orle", "Teel", "Usk Brook", "Wend"),
    "feature": (
        "a square tower of the twelfth century", "a bridge of five arches", "a row of almshouses", "an arcaded corn hall",
        "a ruined priory", "a lime avenue", "a tidal mill", "a covered market", "a town wall with two gates",
    ),
    "trait": ("fertile", "windswept", "marshy", "well wooded", "stony", "hilly", "much flooded", "thinly settled"),
    "relative": ("your aunt", "your brother", "the children", "the old gentleman upstairs", "your godmother", "our cousin"),
    "errand": (
        "to have the chimney swept", "to return the borrowed ladder", "to order seed potatoes", "to see about the roof",
        "to answer the notary", "to sell the grey mare", "to have the piano tuned", "to bottle the plums",
    ),
}  # fmt: skip

MINUTES = Genre(
    title=("Minutes of the parish council of {home}", "Minute book, {home}", "Proceedings of the council of {home}"),
    opening=(
        "This volume begins on {start}. The chair is {hero}, unless another name is given.",
        "Kept from {start} on by order of the council; {hero} presides.",
    ),
    heading=("Meeting of {date}. ", "{date}, in the upper room. ", "Session of {date}. "),
    always=(
        Remark(
            says=(
                "Present: {keeper}, {mate} and {few} others.",
                "{keeper} opened the meeting; {mate} took the minutes.",
                "{few} members had come, among them {keeper} and {mate}.",
            )
        ),
        Remark(
            says=(
                "On {topic}: {outcome}.",
                "The first item was {topic}; {outcome}.",
                "{keeper} reported on {topic}, and {outcome}.",
            )
        ),
        Remark(
            says=(
                "As for {topic_2}, {outcome_2}.",
                "Under any other business {mate} raised {topic_2}; {outcome_2}.",
                "There followed {topic_2}, where {outcome_2}.",
            )
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "A letter from {person} of {place} was read and laid aside.",
                "{person} of {place} has written once more about {topic_3}.",
            )
        ),
        Remark(says=("{price} crowns were granted for {goods}.", "The treasurer has paid {price} crowns for {goods}.")),
        Remark(
            says=(
                "{person_2} was thanked for the loan of {keepsake}.",
                "It is still not known who left {keepsake} in the cloakroom.",
            )
        ),
        Remark(says=("The meeting closed at {time}.", "At {time} the lamp was put out.")),
    ),
    fillers=(
        "The windows were opened, as the stove smoked.",
        "There was some laughter.",
        "The previous minutes were read and signed.",
        "A dog had to be put outside.",
        "The question was asked whether all this could not be shorter.",
        "Nobody wished to speak against it.",
        "The map on the wall was consulted, and found to be upside down.",
        "Rain on the roof made it hard to hear the speakers.",
        "The chair reminded the members of the rule about pipes.",
        "It was noted that {place_2} does these things better, and that {place_2} has the money.",
        "The ladies of the choir sent cake.",
        "One member slept.",
        "The key of the chest was passed from hand to hand.",
        "{mate} asked that the word “scandal” be struck out; it was struck out.",
        "The clock was slow again.",
        "The older members recalled how {season} used to be.",
        "A vote was taken by raising hands.",
        "Thanks were given to nobody in particular.",
        "There was a long silence.",
    ),
    num_fillers=(1, 4),
)

LETTERS = Genre(
    title=("Letters from {home}", "{hero}: letters to the family", "A bundle of letters, tied with string"),
    opening=(
        "The first of these letters was written on {start}, soon after {hero} had moved to {home}. The others follow in their order.",
        "{hero} wrote them from {home}, beginning on {start}. A few pages are missing.",
    ),
    heading=("{date}. My dear {person}, ", "{home}, {date}. Dear {person}, ", "To {person}, {date}: "),
    always=(
        Remark(
            says=(
                "your letter lay on the mat this morning, and I have read it twice.",
                "forgive me for having been silent so long.",
                "there is little to tell, and I will tell it at length.",
                "I write this at the kitchen table, with the cat on the blotting paper.",
                "the post goes at {time}, so this will be short.",
            )
        ),
        Remark(
            says=(
                "Here it has been {sky} since Sunday.",
                "We have {sky} and a wind from the {wind}, as usual.",
                "It feels like {season}, and I go about in two coats.",
            )
        ),
        Remark(
            says=(
                "I still have {errand}.",
                "Tomorrow I mean {errand}, if nothing comes between.",
                "{relative_cap} keeps asking me {errand}, and I keep nodding.",
            )
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "We had {dish} and talked about you.",
                "There were {bird} over the garden, and nobody to show them to.",
            )
        ),
        Remark(
            says=(
                "{person_2} came by from {place} and stayed for {meal}.",
                "I met {person_2}, who is a {trade} in {place} now.",
            )
        ),
        Remark(
            says=(
                "In the attic I came across {keepsake}, and could not throw it out.",
                "Do you remember {keepsake}? It has turned up {spot}.",
            )
        ),
        Remark(
            says=(
                "The landlord wants {price} crowns more a month.",
                "I paid {price} crowns for {goods}, which is a disgrace.",
            )
        ),
    ),
    fillers=(
        "The neighbours have a new gate, and one hears it.",
        "I have begun to learn the names of the stars, and have got as far as four.",
        "The stairs creak in the same place as ever.",
        "You would laugh at the hat.",
        "My handwriting is getting worse; hold the page away from you.",
        "The doctor says that I should walk, so I walk to the doctor.",
        "Send me the song, if you can find it.",
        "Nothing burns as badly as wet ash wood.",
        "On some evenings I hear the train and think that you are in it.",
        "The soup was too salty, and so was the company.",
        "I am reading the same book again, for its smell.",
        "Somebody has painted the bench green, and did not say so.",
        "The pears are hard as stones this year.",
        "I no longer look at the clock.",
        "The boy from the bakery whistles all day, always the first half of the tune.",
        "Do not worry about the roof.",
        "There is a crack in the blue jug, and I have turned it to the wall.",
        "I have to stop, the lamp is low; no, there is a little more.",
        "One gets used to the stairs and to the silence.",
    ),
    num_fillers=(2, 4),
)

TRAVEL = Genre(
    title=("Notes of a journey beyond {home}", "From {home} to the coast: a travel diary", "Notebook of {hero}"),
    opening=(
        "I left {home} on {start} with one bag and a bad map. What follows was written in the evenings.",
        "These notes begin on {start}. I had told everybody in {home} that I would be back in a week.",
    ),
    heading=("Day {chapter}, {place}. ", "{place}, {date}. ", "{date}. "),
    always=(
        Remark(
            says=(
                "Came here with {ride} and was glad to sit still.",
                "The last miles with {ride}, through {trait} country.",
                "Arrived with {ride} at about {time}.",
            )
        ),
        Remark(
            says=(
                "The town has {sight}, and behind it {sight_2}.",
                "First one sees {sight}, then {sight_2}, then nothing for a while.",
                "I drew {sight} until my fingers were cold.",
            )
        ),
        Remark(
            says=(
                "Supper: {dish}, and afterwards {meal}.",
                "They gave me {dish} and would not hear of money.",
                "There was {meal} or nothing, and I took it.",
            )
        ),
    ),
    sometimes=(
        Remark(
            says=(
                "A {trade} by the name of {person} explained the way, with a stick, in the sand.",
                "{person}, a {trade}, walked beside me for an hour and spoke of debts.",
            )
        ),
        Remark(says=("In a shop window I saw {keepsake} and did not go in.", "Lost my pencil, found {keepsake}.")),
        Remark(
            says=("The room cost {price} crowns.", "For {price} crowns I could have had the whole house, they said.")
        ),
        Remark(
            says=(
                "{few} miles to {place_2}, according to the stone.",
                "Nobody here has been to {place_2}, though one can see it.",
            )
        ),
    ),
    fillers=(
        "Slept badly and dreamed of stairs.",
        "The road was white with dust.",
        "Everyone asked whether I sold brushes.",
        "A flock of sheep came through the main street and took its time.",
        "Two old women argued about the age of a tree.",
        "The left shoe is finished.",
        "All morning {sky}, all afternoon the same.",
        "I could have stayed a week, which is why I left.",
        "Children ran alongside and shouted numbers.",
        "The bells here are a little out of tune, all by the same amount.",
        "There was {sight}, which is in no book.",
        "Washed two shirts.",
        "The ferryman was asleep, so I waited.",
        "Towards evening {bird} crossed the valley.",
        "I have begun to count gates instead of miles.",
        "Nothing is as slow as a shadow when one waits for it.",
        "The guide book has lost its cover, and is none the worse for it.",
        "Wrote three cards and posted none.",
        "It smelled of tar and oranges.",
    ),
    num_fillers=(2, 4),
)

HANDBOOK = Genre(
    title=("A handbook of the county of {home}", "Gazetteer of {home} and the lands around it"),
    opening=(
        "Compiled by {hero}, from journeys made since {start}. Places stand in the order of the road.",
        "{hero} began to collect these articles on {start}. Corrections are welcome.",
    ),
    heading=("{place}. ", "{place}: ", "{place}. "),
    always=(
        Remark(says=("Market town on the {river}, {few} miles from the county seat.", "Village on the left bank of the {river}, in {trait} country.", "Small port at the mouth of the {river}.", "Hamlet and railway halt, {few} miles above the {river}.")),
        Remark(says=("It is known for its {industry} and for {feature}.", "The place lives on {industry}, and shows {feature}.", "Once famous for {industry}; there remains {feature}.")),
        Remark(says=("{season_cap} is the best time for a visit.", "The roads are poor after rain.", "A fair is held twice a year.", "The soil is chalk and clay.", "There are two inns, of which {inn} is the better.")),
    ),
    sometimes=(
        Remark(says=("The painter {person} spent two winters here.", "{person}, the {trade}, was a native of this place.")),
        Remark(says=("In the church {keepsake} is shown to visitors.", "The rectory owns {keepsake} of uncertain origin.")),
        Remark(says=("A footpath leads to {place_2}.", "The coach to {place_2} leaves at {time}.")),
        Remark(says=("In former days {goods} and {industry_2} were shipped from here.", "There is still some trade in {industry_2}.")),
    ),
    fillers=(
        "The view from the hill is praised.",
        "Of the castle only the ditch is left.",
        "The name is of uncertain origin.",
        "The church was rebuilt after a fire, with more zeal than taste.",
        "Wild {bird} are common.",
        "The spring behind the inn was thought to cure the gout.",
        "Trains stop on request.",
        "The dialect has been studied, without result.",
        "Floods are remembered by marks on the doorposts.",
        "The census returns are unreliable.",
        "Several houses have carved lintels.",
        "The bridge has been rebuilt three times.",
        "There is a small museum, closed on most days.",
        "The older maps show it on the wrong bank.",
        "The pasture is held in common.",
        "A mill stood here until the river moved.",
        "The inhabitants are said to be slow to anger and slow to pay.",
        "Antiquaries differ about the mound.",
    ),
    num_fillers=(1, 3),
)  # fmt: skip

STYLES = Language(
    words=english.ENGLISH.words | _WORDS | {
        "relative_cap": tuple(word[0].upper() + word[1:] for word in _WORDS["relative"] if word != "the children"),
        "season_cap": ("Early spring", "High summer", "Late autumn", "Harvest time"),
    },
    date=english.ENGLISH.date,
    genres={**english.ENGLISH.genres, "minutes": MINUTES, "letters": LETTERS, "travel": TRAVEL, "handbook": HANDBOOK},
)  # fmt: skip
