"""English templates of `lookup` and `multi_value`, tasks about keys and their values; data only."""

# ruff: noqa: E501 -- a sentence stays on its line

from longalign.data.synthetic.tasks.wording import Kind

RECORD = (
    "The {relation} of {key} is {value}.",
    "{key}, {relation}: {value}.",
    "{value} is the {relation} of {key}.",
    "As {relation} of {key}, {value} was entered.",
    "For {key} the list gives {value} as {relation}.",
    "Whoever asks for the {relation} of {key} is told: {value}.",
    "The clerk has noted {value} as the {relation} of {key}.",
    "It is now certain that the {relation} of {key} is {value}.",
    "Under “{relation}”, the entry for {key} says {value}.",
    "Do not forget the {relation} of {key}: {value}.",
    "The {relation} of {key}, {value}, was read out twice.",
    "Asked about the {relation} of {key}, the porter said {value} without looking it up.",
    "On the card of {key} one finds {value} as {relation}.",
)
_RECORD_ASKS = (
    "What is the {relation} of {key}?",
    "Which {relation} does the text give for {key}?",
    "Can you tell me the {relation} of {key}?",
    "I need the {relation} of {key}. What does the text say?",
    "Please find the {relation} of {key} in the text.",
    "Look up the {relation} of {key}.",
    "According to the document, what is the {relation} of {key}?",
    "{key}: what is the {relation}?",
    "What does the document give as the {relation} of {key}?",
    "Somewhere in the text stands the {relation} of {key}. What is it?",
)
# replies name the key first, and then the value, which follows it in many statements: it is found best this way
_RECORD_REPLIES = (
    "The {relation} of {key} is {value}.",
    "According to the text, the {relation} of {key} is {value}.",
    "The document says that the {relation} of {key} is {value}.",
    "{key} has the {relation} {value}.",
    "For {key}, the {relation} is {value}.",
)
_BACKWARDS = (
    "Which entry has the {relation} {value}?",
    "To what or whom does the {relation} {value} belong?",
    "The {relation} {value}: what or whom does it belong to?",
    "What or who has the {relation} {value}?",
)

LOOKUP = (
    Kind(
        ("thing",), ("number", "number", "code"), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("inventory number", "catalogue number", "lot number", "insurance number", "stock number", "accession number", "serial number", "repair number"),
        _BACKWARDS,
    ),
    Kind(
        ("thing",), ("number", "number", "number", "word"), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("shelf number", "hook number", "tag number", "claim number", "rental number", "storage number", "parcel number", "batch number", "order number", "key number", "deposit number", "voucher number"),
        _BACKWARDS,
    ),
    Kind(
        ("thing", "person", "house", "place", "ship"), ("number",), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("file number", "reference number", "case number", "control number", "index number", "list number", "entry number", "page number"),
        _BACKWARDS,
    ),
    Kind(
        ("person",), ("number", "number", "code"), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("membership number", "badge number", "passport number", "account number", "library card number", "payroll number", "licence number", "ticket number"),
        _BACKWARDS,
    ),
    Kind(
        ("ship",), ("number", "code", "code"), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("registration number", "hull number", "radio code", "berth number", "insurance number", "tonnage certificate number"), _BACKWARDS,
    ),
    Kind(
        ("house",), ("number",), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("telephone number", "postbox number", "parcel number", "tax number", "meter number", "permit number"), _BACKWARDS,
    ),
    Kind(
        ("house", "place", "person"), ("word", "token"), RECORD, _RECORD_ASKS, _RECORD_REPLIES,
        ("password", "watchword", "access code", "passphrase", "code word", "secret word", "call sign"), _BACKWARDS,
    ),
    Kind(
        ("house",), ("person",), RECORD,
        (
            "Who is the {relation} of {key}?", "What is the name of the {relation} of {key}?", "Give the name of the {relation} of {key}.",
            "Whom does the document name as the {relation} of {key}?", "I am looking for the {relation} of {key}. Who is it?",
            "Which person is the {relation} of {key}?", "According to the text, who is the {relation} of {key}?",
            "{key}: who is the {relation} there?", "Do you know the name of the {relation} of {key}?",
        ),
        ("The {relation} of {key} is {value}.", "According to the text, the {relation} of {key} is {value}.", "For {key}, the text names as {relation} {value}."),
        ("treasurer", "warden", "secretary", "librarian", "architect", "caretaker", "cook", "gardener", "bookkeeper", "night porter"),
    ),
    Kind(
        ("house", "ship"), ("date",), RECORD,
        (
            "What is the {relation} of {key}?", "On what day falls the {relation} of {key}?", "Which day does the text give as the {relation} of {key}?",
            "Find the {relation} of {key}.", "{key}: what is the {relation}?", "Tell me the {relation} of {key}, please.",
            "According to the document, what is the {relation} of {key}?", "Look up the {relation} of {key} in the text.",
        ),
        ("The {relation} of {key} is {value}.", "For {key}, the document gives as {relation} {value}."),
        ("opening date", "date of the last inspection", "insurance date", "date of sale", "date of the next review"),
    ),
    Kind(
        ("thing",), ("spot",),
        (
            "{key} is kept {value}.", "{key} can be found {value}.", "One will find {key} {value}.", "For the winter {key} was put away {value}.",
            "{key} stands {value}, where nobody looks for it.", "They have hidden {key} {value}.", "If anybody needs {key}: it is {value}.",
            "After much searching {key} turned up {value}.", "{key} has its place {value}.", "Since the move {key} has been {value}.",
        ),
        (
            "Where is {key}?", "Where is {key} kept?", "Where can {key} be found?", "In what place is {key}?", "Where should I look for {key}?",
            "According to the text, where is {key}?", "{key}: where is it?", "Please tell me where {key} is kept.", "I cannot find {key}. Where is it?",
        ),
        ("{key} is {value}.", "According to the text, {key} is {value}.", "You will find {key} {value}."),
    ),
    Kind(
        ("person",), ("sentence",),
        (
            "{key} used to say: “{value}”", "Over the desk of {key} hung the words: “{value}”", "The motto of {key} is: “{value}”",
            "In the album {key} wrote: “{value}”", "“{value}” That was the answer of {key} to everything.", "{key} ended every speech with the words “{value}”",
            "On the last page {key} had underlined one line: “{value}”", "As {key} put it: “{value}”", "“{value}” Those are the words of {key}.",
        ),
        (
            "What are the words of {key}?", "What did {key} say or write?", "Quote {key}.", "Which saying comes from {key}?", "Give the words of {key} exactly as they stand in the text.",
            "What sentence is ascribed to {key}?", "Repeat word for word what {key} said or wrote.", "What words of {key} does the document report?", "Copy out the saying of {key}.",
        ),
        ("The words of {key} are: “{value}”", "{key}: “{value}”"),
        backwards=("From whom are the words “{value}”?", "Who said or wrote: “{value}”", "Whose words are these: “{value}”"),
    ),
    Kind(
        ("house", "thing"), ("sentence",),
        (
            "On a plate at {key} one reads: “{value}”", "Somebody has carved into {key}: “{value}”", "{key} bears the inscription “{value}”",
            "The inscription of {key} says: “{value}”", "“{value}”, that is what is written on {key}.", "In faded letters {key} tells the visitor: “{value}”",
            "A brush has left these words on {key}: “{value}”", "The text on {key} is short: “{value}”", "Everybody knows the line on {key}: “{value}”",
        ),
        (
            "What is written on {key}?", "What does the inscription of {key} say?", "Which words can be read on {key}?", "Quote the inscription of {key}.",
            "What words does {key} bear?", "Copy the line that stands on {key}.", "{key}: what is the inscription?", "What does one read on {key}?", "Give the inscription of {key} word for word.",
        ),
        ("On {key} one reads: “{value}”", "The inscription of {key} says: “{value}”"),
        backwards=("What bears the inscription “{value}”?", "Where is it written: “{value}”",),
    ),
    Kind(
        ("place",), ("outing",),
        (
            "Anyone who comes to {key} should {value}.", "If you ever get to {key}, {value}.", "Travellers to {key} are advised above all to {value}.",
            "In {key} there is one thing that nobody should miss: to {value}.", "My uncle's rule for {key} was simple: {value}.",
            "A visit to {key} is complete only for those who {value}.", "People in {key} tell every stranger to {value}.",
            "There is no better way to get to know {key} than to {value}.", "The secret of {key}, they say, is to {value}.", "Of all that one can do in {key}, the finest is to {value}.",
        ),
        (
            "What should a visitor to {key} do?", "What does the text recommend to people who come to {key}?", "What is the advice for {key}?", "Which advice does the document give about {key}?",
            "I am going to {key}. What should I do there?", "What should one not miss in {key}?", "According to the text, what does one do in {key}?", "How does one get the most out of {key}?", "What is recommended for a stay in {key}?",
        ),
        ("In {key} one should {value}.", "The advice for {key} is to {value}.", "According to the text, in {key} one should {value}.", "A visitor to {key} should {value}."),
    ),
)  # fmt: skip

_EACH = (
    "One {relation} of {key} is {value}.",
    "{key} was given the {relation} {value}.",
    "{value} is {a_relation} of {key}, too.",
    "Add {value} to the {relations} of {key}.",
    "Among the {relations} of {key} is {value}.",
    "On file for {key}: {relation} {value}.",
    "The {relations} of {key} include {value}.",
    "Under {key} the {relation} {value} is listed.",
    "To {key} belongs the {relation} {value}.",
    "{key} also answers for the {relation} {value}.",
    "Another slip for {key} shows the {relation} {value}.",
)
_EACH_ASKS = (
    "What are the {relations} of {key}?",
    "Which {relations} does the document give for {key}?",
    "Name the {count} {relations} of {key}.",
    "Give every {relation} of {key} that is mentioned, in the order of the text.",
    "The text mentions {count} {relations} of {key}. Which?",
    "Collect the {relations} of {key}.",
    "Go through the whole text and write down each {relation} of {key}.",
    "I need the complete list of {relations} of {key}.",
    "Which {count} {relations} belong to {key}?",
    "Find all {relations} of {key}.",
)
_EACH_REPLIES = (
    "The {relations} of {key} are {values}.",
    "For {key} the text gives {values}.",
    "These are the {relations} of {key}: {values}.",
    "The document mentions {count} {relations} of {key}: {values}.",
    "{key}: {values}.",
    "The {relations} of {key}, in the order of the text: {values}.",
)

MULTI_VALUE = (
    Kind(("house", "person"), ("number", "number", "code"), _EACH, _EACH_ASKS, _EACH_REPLIES,
         ("permit number", "order number", "invoice number", "case number", "account number", "telephone number", "raffle number", "contract number")),
    Kind(("ship",), ("number", "code"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("container number", "waybill number", "berth number", "seal number", "customs number")),
    Kind(("thing",), ("number", "code", "token"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("part number", "repair number", "label number", "stock number", "key code", "test mark", "shelf number", "hook number", "claim number", "order number")),
    Kind(("house", "place"), ("word", "token"), _EACH, _EACH_ASKS, _EACH_REPLIES, ("password", "code word", "watchword", "access code")),
    Kind(
        ("house",), ("person",),
        (
            "{value} is one of the {relations} of {key}.", "One {relation} of {key} is {value}.", "Among the {relations} of {key} is {value}.", "{key} has taken on {value} as {relation}.",
            "The {relations} of {key} include {value}.", "{value} was chosen as {relation} of {key}, beside others.", "On the list of {relations} of {key} stands {value}.", "{value} belongs to the {relations} of {key}.", "{key} counts {value} among its {relations}.",
        ),
        (*_EACH_ASKS[1:8], "Who are the {relations} of {key}?", "Find all {relations} of {key}."),
        _EACH_REPLIES, ("trustee", "watchman", "founder", "lodger", "apprentice", "donor"),
    ),
)  # fmt: skip
