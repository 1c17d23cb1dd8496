"""English templates of the tasks; data only. `wording.py` explains the fields."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.english import ENGLISH
from longalign.data.synthetic.tasks.lookup_en import LOOKUP, MULTI_VALUE, RECORD
from longalign.data.synthetic.tasks.wording import Chain, Dated, Digest, Hops, Measures, Sheet, Tables, Wording

WORDS = {
    "stuff": (
        "Venetian", "Saxon", "Turkish", "Persian", "Dutch", "Flemish", "Swiss", "Norman", "Moorish", "Prussian", "Danish", "Greek",
        "Bavarian", "Spanish", "Catalan", "Chinese", "Japanese", "Indian", "Russian", "Polish", "Welsh", "Cornish", "Breton", "Lisbon",
        "oak", "walnut", "copper", "pewter", "ivory", "wicker", "enamel", "leather", "bamboo", "concrete", "paper", "nylon", "rubber", "granite", "porcelain",
        "silver", "scarlet", "green", "tartan", "quilted", "spotted", "carved", "gilded", "lacquered", "polished", "cracked", "dented", "rusty", "dusty",
        "crooked", "hollow", "broken", "silent", "narrow", "round", "heavy", "double", "miniature", "enormous", "portable", "inflatable", "waterproof",
        "wireless", "solar", "frozen", "spare", "borrowed", "secondhand", "left-handed", "three-legged",
        "mahogany", "cherrywood", "birch", "tin", "zinc", "brass", "steel", "jade", "felt", "linen", "satin", "canvas", "straw", "cork", "cardboard", "ceramic",
        "knitted", "embroidered", "painted", "varnished", "glazed", "checked", "speckled", "purple", "beige", "black", "pale blue", "olive green", "snow-white",
        "oval", "triangular", "slender", "curved", "flat", "tall", "tiny", "bulky", "wobbly", "squeaky", "noisy", "sturdy", "fragile", "adjustable", "detachable",
        "foldaway", "rotating", "floating", "mechanical", "acoustic", "digital", "antique", "modern", "rented", "stolen", "forgotten", "unfinished", "musical",
    ),
    "thing": (
        "kettle", "cabinet", "globe", "chest", "clock", "drum", "stool", "barometer", "harp", "chessboard", "tray", "vase",
        "ladder", "easel", "cradle", "sundial", "weathervane", "trunk", "bench", "birdcage", "loom", "inkstand", "bookcase",
        "screen", "anvil", "pulpit", "bust", "jug", "plaque", "font", "lectern", "figurehead",
        "printer", "tent", "helmet", "toaster", "keyboard", "blender", "scooter", "piano", "mirror", "pillow", "suitcase", "wheelbarrow", "lantern",
        "camera", "kayak", "hammock", "thermometer", "skateboard", "radio", "wardrobe", "carpet", "ukulele", "projector", "chandelier", "teapot",
        "wallet", "raincoat", "freezer", "grill", "drone", "guitar", "sofa", "robot", "magnifying glass", "mousetrap", "surfboard", "puppet", "bucket",
        "trombone", "harmonica", "banjo", "flugelhorn", "metronome", "gramophone", "tractor", "rowing boat", "sledge", "unicycle", "wheelchair", "canoe", "rocket",
        "chainsaw", "stapler", "shredder", "photocopier", "scanner", "laptop", "telephone", "headset", "loudspeaker", "vacuum cleaner", "dishwasher", "oven",
        "saucepan", "corkscrew", "nutcracker", "coffee grinder", "salt cellar", "bread bin", "duvet", "curtain", "doormat", "footstool", "armchair", "bunk bed",
        "sleeping bag", "rucksack", "handbag", "briefcase", "snorkel", "tennis racket", "dartboard", "rocking horse", "doll's house", "jigsaw", "crossbow",
        "hairdryer", "bathtub", "shower curtain", "watering can", "flowerpot", "beehive", "scarecrow", "letterbox", "signpost", "fire extinguisher", "stopwatch",
    ),
    "house": (
        "mill", "school", "library", "customs house", "observatory", "brickworks", "chapel", "hospital", "post office",
        "museum", "brewery", "boatyard", "archive", "theatre", "hotel", "tannery", "pumping station", "glassworks",
    ),
    "dish": ("barley soup", "smoked trout", "mutton pie", "bean stew", "fried eel", "pickled herring", "oatcakes", "plum pancakes", "roast chestnuts", "lentil soup", "onion tart", "rice pudding"),
    "goods": ENGLISH.words["goods"],
    "trade": ENGLISH.words["trade"],
    "colour": ("dark green", "white", "brick red", "sky blue", "yellow", "grey", "black", "light brown", "orange", "lilac"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "saying_who": (
        "A patient gardener", "The last ferry", "Whoever sleeps in the mill", "An honest scale", "The youngest of seven", "A borrowed horse",
        "The widow of the lamplighter", "A good door", "The man with two hats", "Every second Tuesday", "A cat on the counter", "The oldest bridge",
        "Whoever paints the gate", "A quiet neighbour", "The tallest poplar", "A letter without a stamp", "The moon over the tannery", "A cracked bell",
    ),
    "saying_does": (
        "never asks the price of rain", "keeps one candle for the stranger", "knows the way to the well", "counts the geese twice",
        "is worth three lawyers", "forgives the wind but not the shutter", "carries salt in the left pocket", "has no use for a second key",
        "remembers what the river forgot", "does not argue with snow", "comes home by the longer road", "leaves the best apple on the tree",
        "sings louder than it should", "wears the same coat to weddings and fires", "waits for the miller's daughter", "owes nothing to the tide",
    ),
    "saying_when": (
        "before the bells have rung", "while the snow is still on the roof", "as long as the kettle is warm", "when the judges are asleep",
        "until the swallows are back", "on the day after the fair", "if nobody is looking", "even in a year without plums",
        "once the lamps are lit", "between hay and harvest", "whatever the almanac says", "after the third glass",
        "so that the children may laugh", "because the road is long", "without turning round",
    ),
    "outing_first": (
        "climb the water tower", "row out to the heron island", "walk the old railway line", "buy a bag of warm chestnuts", "borrow a sledge from the baker",
        "watch the lock gates open", "follow the goats up to the quarry", "listen to the organ being tuned", "take the ropeway to the upper meadow", "cross the ford barefoot",
        "order the plum soup at the station", "knock at the clockmaker's door", "sit down under the plane trees", "ring the little bell at the ferry", "count the carp in the mill pond",
    ),
    "outing_then": (
        "and share a pot of tea with the lockkeeper", "and read the names on the boundary stones", "and eat a pear on the wall of the orchard", "and wait for the swifts",
        "and dance with whoever asks first", "and send a card to somebody far away", "and draw the roofs", "and let the dog choose the way back",
        "and hear the choir practise", "and throw a coin over the weir", "and learn the local card game", "and bring home a jar of honey",
    ),
    "outing_when": (
        "at first light", "on a frosty morning", "just before the shops close", "when the mist lifts from the river", "on the eve of the fair",
        "in the first warm week of the year", "after a night of rain", "on a Sunday in October", "while the lamps are being lit", "at the hour when the boats come in",
    ),
    "spot_in": ("in the attic of the dairy", "in the crypt", "in the back room of the barber's", "in the hut by the weir", "in the cellar of the town hall", "in the loft over the stables", "in the sacristy", "in the signal box", "in the pantry of the inn", "in the old fire station", "in the greenhouse", "in the tower room", "in the ticket office"),
    "spot_where": ("behind the third beam", "under a heap of sails", "on the top shelf", "inside a grandfather clock", "wrapped in a flag", "beneath the window seat", "between two mattresses", "in a barrel without a lid", "next to the organ pipes", "at the bottom of a wash tub", "behind a false wall", "in a box marked “nails”"),
}  # fmt: skip

# these fit any kind of value that a relation can have: a number, a name, a day
HOPS = Hops(
    keeps=(
        "{key} is kept by {b}.", "{b} is the keeper of {key}.", "{b} keeps {key}.", "The person who keeps {key} is {b}.", "Since last year {key} has been in the keeping of {b}.",
        "{b} looks after {key} and has signed for it.", "For {key} one has to ask its keeper, {b}.", "The keeping of {key} was left to {b}.",
    ),
    relates=(
        "The {relation} of {a} is {b}.", "{b} is the {relation} of {a}.", "{a}'s {relation} is {b}.", "As {relation}, {a} has {b}.", "In the file of {a}, {b} is entered as {relation}.",
        "{a} introduced {b} to the company as “my {relation}”.", "{b}, the {relation} of {a}, was also invited.", "When {a} was asked for the name of the {relation}, the answer was {b}.", "{a} always speaks well of the {relation}, {b}.",
    ),
    lives=(
        "{a} lives in {place}.", "The home of {a} is in {place}.", "{a} has a house in {place} and lives there.", "One can write to {a} in {place}.", "{a} has lived in {place} for years.",
        "{place} is where {a} lives.", "{a} of {place} does not like to travel.", "Letters to {a} go to {place}.", "{a} settled in {place} long ago.",
    ),
    relations=("employer", "teacher", "doctor", "lawyer", "accountant", "tutor", "dentist", "deputy", "landlord", "tailor", "guardian", "piano teacher"),
    keeper="the person who keeps {key}",
    relative="the {relation} of {person}",
    who=(
        "Who is {person}?", "What is the name of {person}?", "Give the name of {person}.", "Find out who is {person}.", "I want to write to {person}. What is the name?",
        "According to the document, who is {person}?", "Which person is {person}?", "Whom does the text name as {person}?",
    ),
    where=(
        "Where does {person} live?", "In which place does {person} live?", "In what place is the home of {person}?", "Name the place where {person} lives.", "To what place would one send a letter to {person}?",
        "According to the document, where does {person} live?", "Find out where {person} lives.", "I am looking for the home of {person}. In which place is it?",
    ),
    steps=("{key} is kept by {b}", "the {relation} of {a} is {b}", "{a} lives in {place}"),
    therefore=("{steps}. So the answer is {answer}.", "{steps}; that gives {answer}.", "{steps}. It is {answer}.", "{steps}, and that leads to {answer}."),
)  # fmt: skip

HANDS = Chain(
    first=(
        "{key} first belonged to {b}.", "The first owner of {key} was {b}.", "It was {b} who had {key} made.", "{key} was made for {b}.", "At the beginning {key} was the property of {b}.",
        "The history of {key} begins with {b}, its first owner.", "{b} was the first to own {key}.", "{key} came new into the house of {b}.",
    ),
    then=(
        "{key} went from {a} to {b}.", "{b} received {key} from {a}.", "{a} gave {key} to {b}.", "{key} was handed on by {a} to {b}.", "{a} sold {key} to {b}.",
        "{b} bought {key} from {a}.", "{a} left {key} to {b}.", "From the hands of {a}, {key} came into those of {b}.", "{b} inherited {key} from {a}.",
    ),
    end=(
        "Who had {key} in the end?", "Who was the last owner of {key}?", "With whom did {key} end up?", "To whom did {key} come at last?", "After all the changes, who owned {key}?",
        "Who is the last known owner of {key}?", "Follow {key} from owner to owner. Who had it last?", "In whose hands was {key} finally?",
    ),
    ends=("{key} passed along this way: {path}. So {value} had it last.", "{path}: the last owner was {value}.", "{path}. {key} ended up with {value}.", "From owner to owner: {path}. The last owner was {value}."),
    all=(
        "Through whose hands did {key} go? Give the owners in their order.", "List the owners of {key}, from the first to the last.", "Who owned {key}, one after the other?", "Name all owners of {key} in the order in which they had it.",
        "Trace the history of {key}: who had it, in which order?", "Which {count} people owned {key}, and in what order?", "Retell the way of {key} from owner to owner.", "Who were the owners of {key}, beginning with the first?",
    ),
    alls=("{path}.", "The owners of {key} in their order: {path}.", "{key} passed along this way: {path}.", "First to last: {path}."),
)  # fmt: skip

RENAMES = Chain(
    first=(
        "{b} was launched under that name.", "When she was launched, the ship was called {b}.", "{b} left the yard as a new ship.", "A new ship was baptised {b}.", "There was a launch that day, and the ship was named {b}.",
        "The shipyard delivered {b}, newly built.", "{b} is the first name of a ship that was to have several.", "The hull was finished in spring and went to sea as {b}.",
    ),
    then=(
        "{a} was renamed {b}.", "The new name of {a} is {b}.", "{a} now sails as {b}.", "They painted over the name of {a} and wrote {b} instead.", "{b} is the ship that used to be {a}.",
        "{a} has been called {b} since the sale.", "From now on {a} is to be known as {b}.", "{a} changed her name to {b}.", "What was {a} became {b}.",
    ),
    end=(
        "What was the ship that was launched as {key} called in the end?", "Under what name does the ship sail that was first called {key}?", "What is the last name of the ship that began as {key}?", "{key} was renamed, perhaps more than once. What was her last name?",
        "Follow the ship that was built as {key} through her names. What is the last one?", "Which name did the former {bare} bear at last?", "After all changes of name, what was {key} called?", "What became of the name {bare}: which name stands at the end?",
    ),
    ends=("{path}. So the last name was {value}.", "{path}: in the end she was called {value}.", "From name to name: {path}. She ended as {value}."),
    all=(
        "Which names did the ship bear that was launched as {key}, one after the other?", "List all names of the ship that began as {key}, in their order.", "What were the {count} names of the ship that was first {key}?", "Give the names of the ship that was built as {key}, from the first to the last.",
        "Trace the names of the ship launched as {key}.", "Under which names did {key} sail, in order?", "{key} had {count} names in all. Which, and in what order?", "Write down the names of the ship that was once {key}, first to last.",
    ),
    alls=("{path}.", "Her names in their order: {path}.", "First to last: {path}.", "She was called one after the other: {path}."),
)  # fmt: skip

COPIES = Chain(
    first=(
        "{b} holds {value}.", "Put {value} into {b}.", "{b} starts out as {value}.", "{b} := {value}.", "{b} = {value}.", "At the start {b} contains {value}.", "The content of {b} is {value}.", "Write {value} in {b}.", "The number {value} was entered in {b}.", "Let {b} be {value}.",
    ),
    then=(
        "{b} receives a copy of {a}.", "{b} = {a}.", "Copy {a} into {b}.", "{b} gets whatever is in {a}.", "The content of {a} is repeated in {b}.", "{b} was made equal to {a}.", "Let {b} be the same as {a}.", "From {a} the number is carried over to {b}.", "{b} := {a}.", "What stands in {a} also goes into {b}.", "{b} inherits from {a}.",
    ),
    end=(
        "What does {key} hold?", "Which number is in {key}?", "What number does {key} contain in the end?", "Work out the content of {key}.", "{key}: which number is it?", "Follow the copies. What is in {key}?", "What is found in {key} after all copies?", "Which number ends up in {key}?",
    ),
    ends=("{path}. So {key} holds {value}.", "{path}, and therefore {value}.", "Following the copies back: {path}. So it is {value}.", "{path}: {key} holds {value}."),
    all=(
        "Which {sorts} hold {value}?", "Which {count} {sorts} end up with {value}, by copying or from the start?", "Find every {sort} that contains {value} in the end.", "The number {value} was copied on and on. In which {sorts} is it?",
        "Name all {sorts} in which {value} stands.", "Where does {value} end up? Give the {sorts}.", "{value} spreads from one {sort} to the next. Which {count} are they?", "Track the number {value}: which {sorts} have it?", "Write down the {sorts} that contain {value}, in order.",
    ),
    alls=("{path}.", "Following the copies: {path}.", "{path}: these {count} hold {value}.", "{path}. These are the {sorts} that hold {value}."),
)  # fmt: skip

DATED = Dated(
    says=(
        "On {date} {who} {did}.", "{who} {did} on {date}.", "{date}: {who} {did}.", "It was on {date} that {who} {did}.", "Entered on {date}: {who} {did}.", "According to the caretaker, {who} {did} on {date}.",
        "A note dated {date} says that {who} {did}.", "{who} {did}; the date was {date}.", "Nobody will forget {date}, when {who} {did}.", "The page of {date} says only that {who} {did}.",
    ),
    did={
        "person": (
            ("missed the choir practice", "miss the choir practice"), ("repaired the pump", "repair the pump"), ("rang the fire bell", "ring the fire bell"), ("won the chess evening", "win the chess evening"),
            ("forgot the key of the boathouse", "forget the key of the boathouse"), ("swept the chimney of the school", "sweep the chimney of the school"), ("drove the milk cart", "drive the milk cart"), ("gave a lecture", "give a lecture"),
            ("was fined for noise", "get fined for noise"), ("slept in the hayloft", "sleep in the hayloft"), ("fed the swans", "feed the swans"), ("lost at cards", "lose at cards"),
        ),
        "ship": (
            ("put in for water", "put in for water"), ("ran aground", "run aground"), ("lost an anchor", "lose an anchor"), ("was searched by the customs", "get searched by the customs"), ("took on a pilot", "take on a pilot"), ("left harbour without lights", "leave harbour without lights"),
        ),
        "house": (
            ("was closed for repairs", "close for repairs"), ("was flooded", "get flooded"), ("gave a concert for the poor", "give a concert for the poor"), ("was without light", "go without light"), ("was painted", "get painted"), ("opened its doors to visitors", "open its doors to visitors"),
        ),
    },
    these={"person": "these people", "ship": "these ships", "house": "these buildings", "thing": "these things", "place": "these places"},
    times=(
        "How many times did {who} {do}?", "How often did {who} {do}?", "On how many days did {who} {do}?", "How often does the document say that {who} {did}?", "Count how often {who} {did}.", "Go through the text and count the days on which {who} {did}.",
        "What is the number of times that {who} {did}?", "{who} {did} more than once, or perhaps not. How often was it?",
    ),
    time_replies=("{who} {did} on {dates}, which makes {count} times.", "On {dates}: {count} times.", "The text has it on {dates}, which makes {count} times."),
    people=(
        "How many different people {did}?", "Count the people who {did}.", "What is the number of people who {did}?", "How many persons does the document name who {did}?", "Of how many people does the text say that they {did}?",
        "How many people were there who {did}?", "Go through the text: how many people {did}?", "How many of the people in the text {did}?",
    ),
    people_replies=("{names} {did}, which makes {count}.", "{names}: that makes {count}.", "The text names {names}, so {count} people {did}."),
    first=(
        "Which of {these} {did} first: {keys}?", "Of {these}, which one {did} first: {keys}?", "{keys}: which of them {did} at the earliest date?", "Compare the dates. Which of {these} {did} first: {keys}?",
        "Going by the dates, which of {these} was the first that {did}: {keys}?", "Which {did} earlier than the rest: {keys}?", "The dates will tell: which of {these} {did} first, {keys}?", "Which was the first that {did}, {keys}?",
    ),
    first_replies=("{list}. So {key} was the first.", "{list}. {key} was the first, on {date}.", "The dates: {list}. So it was {key}."),
    last=(
        "Which of {these} {did} last: {keys}?", "Of {these}, which one {did} last: {keys}?", "{keys}: which of them {did} at the latest date?", "Compare the dates. Which of {these} {did} last: {keys}?",
        "Going by the dates, which of {these} was the last that {did}: {keys}?", "Which {did} later than the rest: {keys}?", "The dates will tell: which of {these} {did} last, {keys}?", "Which was the last that {did}, {keys}?",
    ),
    last_replies=("{list}. So {key} was the last.", "{list}. {key} was the last, on {date}.", "The dates: {list}. So it was {key}."),
    sort=(
        "Put {these} in the order in which each {did}, the earliest first: {keys}.", "Sort by date, beginning with the one that {did} first: {keys}.", "{these} {did} on different days: {keys}. In what order?", "Arrange by date, the earliest first: {keys}. Each {did} on some day.",
        "{keys}: each {did} on some day. Give them in the order of the dates.", "Give the right order by date: {keys}. (Each {did}.)", "Each of {these} {did} on some day: {keys}. What is the right order?", "List {these} by the date on which each {did}: {keys}.",
    ),
    sort_replies=("{list}. So the order is {values}.", "{list}. In the order of time: {values}.", "The dates: {list}. By date: {values}."),
    mentioned=(
        "Which of {these} does the document mention first: {keys}?", "Reading from the beginning, which of {these} comes first: {keys}?", "Which of {these} comes up first in the text: {keys}?", "Not by date but by place in the text: which of {these} stands first, {keys}?",
        "{keys}: which of them is named first in the text?", "Which name does one meet first when reading the document: {keys}?", "Who or what comes up before the others in the document: {keys}?", "As one reads on, which of {these} appears first: {keys}?",
    ),
    mentioned_replies=("{key} is mentioned first.", "{key}.", "The first of them in the text is {key}.", "It is {key}."),
)  # fmt: skip

MEASURES = Measures(
    measures=(
        ("house", "height", "metres", 4, 60), ("house", "rent", "crowns", 40, 900), ("house", "number of visitors", "people", 20, 9000), ("thing", "weight", "kilograms", 2, 400), ("thing", "price", "crowns", 5, 2000),
        ("ship", "length", "metres", 9, 120), ("ship", "crew", "hands", 3, 90), ("place", "population", "inhabitants", 90, 9000), ("place", "distance from the capital", "miles", 8, 400), ("person", "debt", "crowns", 3, 800), ("person", "age", "years", 18, 97),
    ),
    says=(
        "The {relation} of {key} is {value} {unit}.", "{key}: {relation} {value} {unit}.", "The {relation} of {key} was found to be {value} {unit}.", "With {key}, the {relation} comes to {value} {unit}.", "{value} {unit} is given as the {relation} of {key}.",
        "The register puts the {relation} of {key} at {value} {unit}.", "As for {key}, the {relation} is {value} {unit}, no more and no less.", "Somebody has worked out the {relation} of {key}: {value} {unit}.", "At last count the {relation} of {key} was {value} {unit}.",
    ),
    most=(
        "Which has the greatest {relation}: {keys}?", "Of {all}, which has the greatest {relation}?", "Compare the {relation} of {all}. Whose figure is the highest?", "Where is the {relation} greatest: {keys}?", "Which figure for the {relation} is the highest: that of {keys}?",
        "Take {all}. Which has the highest {relation}?", "By {relation}, which comes out on top: {keys}?", "The {relation} of which is greatest, {keys}?",
    ),
    most_replies=("{list}. So the answer is {key}.", "{list}. {key} has the greatest {relation}, {value} {unit}.", "{list}: it is {key}, with {value} {unit}."),
    least=(
        "Which has the smallest {relation}: {keys}?", "Of {all}, which has the smallest {relation}?", "Compare the {relation} of {all}. Whose figure is the lowest?", "Where is the {relation} smallest: {keys}?", "Which figure for the {relation} is the lowest: that of {keys}?",
        "Take {all}. Which has the lowest {relation}?", "By {relation}, which comes last: {keys}?", "The {relation} of which is smallest, {keys}?",
    ),
    least_replies=("{list}. So the answer is {key}.", "{list}. {key} has the smallest {relation}, {value} {unit}.", "{list}: it is {key}, with {value} {unit}."),
    difference=(
        "What is the difference in {relation} between {keys}?", "By how many {unit} does the {relation} of {high} exceed that of {low}?", "How many {unit} lie between the {relation} of {high} and that of {low}?", "How much greater is the {relation} of {high} than that of {low}?", "Subtract the {relation} of {low} from that of {high}.",
        "The {relation} of {high} is greater than that of {low}. By how many {unit}?", "How many {unit} more does {high} have than {low} in {relation}?", "Compare {keys}: what is the difference in {relation}?",
    ),
    difference_replies=("{list}: the difference is {value} {unit}.", "{list}. The difference comes to {value} {unit}.", "{list}, so it is {value} {unit}."),
    one="{key} ({value} {unit})",
)  # fmt: skip

DIGEST = Digest(
    aspects={
        "house": (("caretaker", "person"), ("telephone number", "number"), ("year of building", "year"), ("number of rooms", "small"), ("colour of the door", "colour"), ("closing day", "day"), ("entry code", "code")),
        "person": (("trade", "trade"), ("home town", "place"), ("membership number", "number"), ("favourite dish", "dish"), ("year of birth", "year"), ("day off", "day")),
        "ship": (("captain", "person"), ("home port", "place"), ("cargo", "goods"), ("radio code", "code"), ("year of launch", "year"), ("colour of the funnel", "colour")),
        "place": (("mayor", "person"), ("market day", "day"), ("main product", "goods"), ("postal code", "number"), ("year of the charter", "year"), ("number of inns", "small")),
    },
    says=RECORD,
    asks=(
        "What does the document say about each of these: {keys}?", "Summarise in a list what is said about {keys}.", "For each of the following, give all that the text says: {keys}.", "Make a short summary by name: {keys}.", "Collect the facts about {keys}, one line for each.",
        "Write one line each about {keys}, from the text.", "I need notes on {keys}. What does the text hold?", "Go through the text and gather what it says about {keys}.", "Give an overview of {keys} from the document.",
    ),
    entry="- {key}: {aspects}",
    aspect="{relation} {value}",
    joint="; ",
)  # fmt: skip

TABLES = Tables(
    sheets=(
        Sheet(("Stock of {section}", "Warehouse list, {section}", "Goods held at {section}"), "house", "goods", "goods", (("sacks", "", 2, 400), ("price", "crowns", 1, 90), ("shelf", "", 1, 60), ("ordered", "", 0, 80), ("spoilt", "", 0, 30))),
        Sheet(("Takings at {section}", "Accounts of {section}", "Weekly figures, {section}"), "house", "day", "day", (("visitors", "", 3, 900), ("takings", "crowns", 10, 2000), ("costs", "crowns", 5, 900), ("tickets returned", "", 0, 40))),
        Sheet(("Tradesmen of {section}", "Register of trades, {section}", "Guild list of {section}"), "place", "trade", "trade", (("masters", "", 1, 30), ("apprentices", "", 1, 60), ("tax", "crowns", 4, 900), ("complaints", "", 0, 25))),
        Sheet(("Ships in the harbour of {section}", "Harbour sheet, {section}", "Arrivals at {section}"), "place", "ship", "ship", (("tons", "", 40, 3000), ("crew", "", 3, 90), ("berth", "", 1, 80), ("dues", "crowns", 5, 700))),
        Sheet(("Results of the games at {section}", "Score sheet, {section}"), "place", "player", "person", (("first round", "points", 1, 99), ("second round", "points", 1, 99), ("third round", "points", 1, 99))),
    ),
    item="{name}: {cells}",
    cell=(
        "In the table “{title}”, what is given under {column} for {row}?", "What does the table “{title}” say for {row} in the column {column}?", "Look at “{title}”: what is the figure for {row} under {column}?", "Which number stands for {row} under {column} in “{title}”?",
        "“{title}”: {row}, {column}?", "Find the row {row} in “{title}” and read the column {column}.", "According to “{title}”, which number belongs to {row} in the column {column}?", "What is the entry for {row} in the column {column} of “{title}”?",
    ),
    cell_replies=("In “{title}”, {row} has {value} under {column}.", "The row {row} has {value} under {column}.", "For {row} the column {column} shows {value}.", "Under {column} the entry for {row} is {value}."),
    most=(
        "In “{title}”, which row has the highest figure under {column}?", "Which entry of “{title}” leads in the column {column}?", "Look at the column {column} of “{title}”. Where is the number highest?", "Which {kind} has the largest number under {column} in the table “{title}”?",
        "“{title}”: which {kind} comes first by {column}?", "What is the row with the maximum in the column {column} of “{title}”?", "In the table “{title}”, for which {kind} is {column} highest?", "Find the largest value under {column} in “{title}”. To which {kind} does it belong?",
    ),
    most_replies=("{row}, with {value}.", "It is {row} with {value} under {column}.", "The highest figure under {column} is {value}, for {row}.", "{row}."),
    least=(
        "In “{title}”, which row has the lowest figure under {column}?", "Which entry of “{title}” is last in the column {column}?", "Look at the column {column} of “{title}”. Where is the number lowest?", "Which {kind} has the smallest number under {column} in the table “{title}”?",
        "“{title}”: which {kind} comes last by {column}?", "What is the row with the minimum in the column {column} of “{title}”?", "In the table “{title}”, for which {kind} is {column} lowest?", "Find the smallest value under {column} in “{title}”. To which {kind} does it belong?",
    ),
    least_replies=("{row}, with {value}.", "It is {row} with {value} under {column}.", "The lowest figure under {column} is {value}, for {row}.", "{row}."),
    total=(
        "In “{title}”, what is the sum under {column} for {rows}?", "Add up the column {column} of “{title}” for {rows}.", "What do {rows} come to together under {column} in the table “{title}”?", "Take {rows} in “{title}”. What is the total under {column}?",
        "“{title}”, column {column}: what is the sum of {rows}?", "How much do {rows} make together under {column}, according to “{title}”?", "What is the total of {column} over {rows} in “{title}”?", "Sum the figures under {column} for {rows}; see the table “{title}”.",
    ),
    total_replies=("{sum} = {value}.", "The sum is {sum} = {value}.", "Together {sum} = {value}.", "{sum} = {value}, so it is {value}."),
    which=(
        "In “{title}”, which {kind} has {value} under {column}?", "Which row of “{title}” shows {value} in the column {column}?", "Where does the table “{title}” have {value} under {column}?", "“{title}”: to which {kind} does the {value} under {column} belong?",
        "Find {value} in the column {column} of “{title}”. Which row is it?", "For which {kind} does “{title}” give {value} under {column}?", "The column {column} of “{title}” contains {value}. In which row?", "Which entry of “{title}” has a {column} figure of {value}?",
    ),
    which_replies=("{value} under {column}: it is the row {row}.", "The {value} under {column} belongs to {row}.", "The column {column} has {value} for {row}."),
)  # fmt: skip

WORDING = Wording(
    words=WORDS,
    intros=("{fact}",) * 14 + ("Note: {fact}", "For the record: {fact}", "In the margin: {fact}", "Added later: {fact}", "By the way: {fact}", "Also: {fact}"),
    joint=" ",
    comma=", ",
    final=" and ",
    choice=" or ",
    numerals=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    lookup=LOOKUP,
    multi_value=MULTI_VALUE,
    hops=HOPS,
    hands=HANDS,
    renames=RENAMES,
    copies=COPIES,
    sorts=(("cell", "cells"), ("register", "registers"), ("field", "fields"), ("slot", "slots"), ("counter", "counters"), ("column", "columns"), ("dial", "dials"), ("box", "boxes")),
    dated=DATED,
    measures=MEASURES,
    digest=DIGEST,
    tables=TABLES,
    brief=("Only the answer, please.", "Answer in as few words as possible.", "Give nothing but the answer.", "No full sentence is needed.", "Just the answer."),
    several="Answer these questions, numbered as they are:\n{questions}",
    unknown=(
        "The document does not say.", "That is not stated in the document.", "The text says nothing about {key}.", "I cannot find {key} in the document.", "There is no information on this in the text.",
        "{key} is not mentioned in the document, so I cannot tell.", "The document does not give an answer to this question.", "This cannot be answered from the document: it does not mention {key}.",
    ),
    frames=(
        "{document}\n\n{question}", "{document}\n\n---\n\nQuestion: {question}", "{document}\n\n{question}", "Here is a text.\n\n{document}\n\nThat was the text. {question}", "{question}\n\n{document}", "{question}\n\nText:\n{document}\n\nOnce more, the question: {question}",
        "I will give you a long document. Please read it closely, I have a question about it.\n\n{document}\n\n{question}", "<document>\n{document}\n</document>\n\n{question}", "Document:\n\"\"\"\n{document}\n\"\"\"\n\n{question}", "Use only what stands in this text.\n\n{document}\n\nQuestion: {question}\nAnswer:",
        "Question: {question}\n\nThe answer is somewhere in here:\n\n{document}", "Context:\n{document}\n\nUsing the context, answer: {question}", "{document}\n\nBased on the text above, answer the question.\n{question}", "{document}\n\nA question about what you have just read: {question}",
    ),
)  # fmt: skip
