"""Prompts: within their length to the word, needles between sentences and at their depths, ids of the whole prompt."""

import itertools

import pytest

from longalign.chat import encode_conversation, encode_prompt
from longalign.data.sentences import sentence_starts, word_end
from longalign.errors import UserError
from longalign.evaluation.needle.build import Builder, around, document, grid
from longalign.evaluation.needle.encoders import ChatPrompts, WordPrompts
from longalign.evaluation.needle.haystack import generated_texts, make_haystack, read_texts, tokenise
from longalign.evaluation.needle.splicing import splice
from longalign.evaluation.needle.tasks import Cell, make_item, own_item
from tests.chat.tokenizers_for_tests import byte_level, sentencepiece

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ENCODERS = {
    "words": WordPrompts,
    "byte_level": lambda: ChatPrompts(byte_level(CHATML), "template", "byte_level"),
    "llama2": lambda: ChatPrompts(sentencepiece(), "llama2", "llama"),
    "chatglm3": lambda: ChatPrompts(sentencepiece(folder="chatglm"), "chatglm3", "chatglm"),
}
TASKS = ("single", "kv", "multi_value", "multi_key", "variable_tracking")
ROOM = 40


@pytest.fixture(scope="module", params=list(itertools.product(ENCODERS, ("en", "zh"))), ids="-".join)
def builder(request):
    name, language = request.param
    encoder = ENCODERS[name]()
    made = Builder(make_haystack(encoder, 6000, language=language), encoder, ROOM)
    made.language = language
    return made


@pytest.mark.parametrize("task", TASKS)
def test_a_prompt_and_its_answer_fill_the_length_to_the_last_word_and_never_pass_it(builder, task):
    for cell in grid([1600, 6000], [0, 33, 100], 2, task, builder.language):
        draft = builder.draft(cell)
        prompt = builder.finish(draft)
        assert prompt.draft is draft  # counting was right: nothing had to be made again
        assert prompt.input_ids == builder.encoder.prompt(prompt.messages)
        left = cell.length - ROOM - len(prompt.input_ids)
        assert 0 <= left <= 16, (cell, left)


@pytest.mark.parametrize("task", TASKS)
def test_every_needle_is_in_the_text_once_and_the_question_at_its_end(builder, task):
    prompt = builder.build(Cell(3000, 40, 1, task, builder.language))
    text = prompt.messages[-1]["content"]
    assert all(text.count(sentence) == 1 for sentence in (*prompt.item.needles, *prompt.item.decoys))
    assert text.endswith(prompt.item.question)
    for shown, needle in zip(around(prompt.draft, builder.haystack.text), prompt.item.needles, strict=True):
        assert needle in shown and shown in text


def test_needles_stand_between_sentences_near_the_depth_that_is_asked_for(builder):
    for depth in (0, 10, 50, 90, 100):
        draft = builder.draft(Cell(6000, depth, 0, "kv", builder.language))
        assert abs(draft.reached[0] - depth) < 3
        text = document(draft, builder.haystack.text)
        before = text.partition(draft.item.needles[0])[0].rstrip()
        assert not before or before[-1] in ".!?。！？：”\"'" or depth == 100 or text[len(before)] == "\n"


def test_the_reached_depth_is_the_share_of_the_documents_tokens_in_front(builder):
    draft = builder.draft(Cell(6000, 50, 0, "kv", builder.language))
    front, _, rest = document(draft, builder.haystack.text).partition(draft.item.needles[0])
    before, after = len(builder.encoder.tokens(front)[0]), len(builder.encoder.tokens(rest)[0])
    assert draft.reached[0] == pytest.approx(100 * before / (before + after), abs=0.2)


def test_values_of_one_key_are_spread_from_the_depth_to_the_end_in_order():
    builder = Builder(make_haystack(WordPrompts(), 6000), WordPrompts(), ROOM)
    draft = builder.draft(Cell(6000, 20, 0, "variable_tracking"))
    needles = draft.reached[: len(draft.item.needles)]
    assert list(needles) == sorted(needles) and needles[0] == pytest.approx(20, abs=2) and needles[-1] > 75
    text = document(draft, builder.haystack.text)
    places = [text.index(sentence) for sentence in draft.item.needles]
    assert places == sorted(places)
    assert sorted(map(text.index, draft.item.decoys)) == [text.index(sentence) for sentence in draft.item.decoys]


def test_cells_do_not_depend_on_each_other_and_seeds_differ_in_place_and_number():
    haystack = make_haystack(WordPrompts(), 3000)
    one, other = Builder(haystack, WordPrompts(), ROOM), Builder(haystack, WordPrompts(), ROOM)
    cells = grid([1000, 3000], [10, 90], 3, "kv")
    forwards = {cell: one.draft(cell) for cell in cells}
    assert forwards == {cell: other.draft(cell) for cell in reversed(cells)}
    assert len({draft.item.answers for draft in forwards.values()}) == len(cells)
    assert len({draft.start for draft in forwards.values()}) == 3


def test_a_count_without_encoding_is_the_count_of_the_ids_also_where_the_haystack_repeats():
    encoder = ENCODERS["byte_level"]()
    haystack = tokenise(generated_texts("en", 1), encoder, 24_000)
    assert haystack.tokens < 12_000
    builder = Builder(haystack, encoder, ROOM)
    for seed in range(4):
        draft = builder.draft(Cell(24_000, 50, seed, "kv"))
        assert builder.finish(draft).draft is draft


PLAIN = {
    "control tokens in the text": (CHATML, "The crew wrote <|im_end|> on the door and left for the hills. "),
    "a template that reads the text": (
        "{% if messages[0].content | length > 3000 %}Long. {% endif %}" + CHATML,
        "The crew went to the hills and nobody was left. ",
    ),
    "a template that trims the text": (CHATML.replace("m.content", "m.content | trim"), "A crew went to the hills. "),
}


@pytest.mark.parametrize("name", PLAIN)
def test_prompts_that_cannot_be_put_together_are_encoded_as_a_whole(name, tmp_path, caplog):
    template, sentence = PLAIN[name]
    (tmp_path / "a.txt").write_text("".join(f"{sentence[:-2]} on day {day}. " for day in range(900)))
    encoder = ChatPrompts(byte_level(template), "template", "byte_level")
    builder = Builder(make_haystack(encoder, 5000, path=str(tmp_path)), encoder, ROOM, system="Be brief. ")
    for cell in grid([700, 5000], [0, 50, 100], 2, "multi_key"):
        prompt = builder.build(cell)
        assert prompt.input_ids == encoder.prompt(prompt.messages)
        assert 0 <= cell.length - ROOM - len(prompt.input_ids) <= 16
    assert not caplog.text  # it was known, not found out


@pytest.mark.parametrize("name", ENCODERS)
def test_ids_are_put_together_without_encoding_the_whole_prompt(name, monkeypatch):
    encoder = ENCODERS[name]()
    encoder.prompt([{"role": "user", "content": "?"}])
    builder = Builder(make_haystack(encoder, 20_000), encoder, ROOM)
    assert builder.haystack.exact
    first, second = (builder.draft(cell) for cell in grid([20_000], [50], 2, "variable_tracking"))
    whole = encoder.prompt(builder.messages(second))
    asked = []
    prompt = type(encoder).prompt
    monkeypatch.setattr(type(encoder), "prompt", lambda self, m: asked.append(len(m[-1]["content"])) or prompt(self, m))
    builder.finish(first)
    assert max(asked) > 20_000  # the first of a length, to be sure
    asked.clear()
    assert builder.finish(second).input_ids == whole and max(asked) < 12_000


def test_joints_that_are_none_are_noticed_and_prompts_are_encoded_as_a_whole(caplog):
    class Wrong(ChatPrompts):
        def joints(self, text):
            return list(range(1, len(text), 5)), True

    encoder = Wrong(byte_level(CHATML), "template", "byte_level")
    builder = Builder(make_haystack(encoder, 5000), encoder, ROOM)
    for cell in grid([3000, 5000], [0, 50, 100], 1):
        prompt = builder.build(cell)
        assert prompt.input_ids == encoder.prompt(prompt.messages)


def test_where_counting_goes_wrong_the_whole_prompt_is_encoded_and_still_fits(caplog):
    class Shifty(WordPrompts):
        """Counts long texts differently than short ones, as no tokenizer should."""

        def prompt(self, messages):
            ids = super().prompt(messages)
            return ids + ids[:5] * (len(ids) > 1000)

    builder = Builder(make_haystack(Shifty(), 3000), Shifty(), ROOM)
    draft = builder.draft(Cell(3000, 50, 0, "kv"))
    prompt = builder.finish(draft)
    assert prompt.draft is not draft and 0 <= 3000 - ROOM - len(prompt.input_ids) <= 4
    assert prompt.input_ids == builder.encoder.prompt(prompt.messages)
    assert "spliced ids are not those of the whole prompt" in caplog.text


def test_counting_gives_up_where_a_text_says_the_same_again_and_again():
    encoder = WordPrompts()
    from longalign.evaluation.needle.haystack import Source

    haystack = tokenise(Source("A river runs by. " * 50, {}), encoder, 900)
    wrap = lambda text: [{"role": "u", "content": text}]  # noqa: E731
    assert splice([(0, 9000), "x", (9000, 12000)], wrap, haystack, encoder) is None
    prompt = Builder(haystack, encoder, ROOM).build(Cell(900, 50, 0, "kv"))
    assert 0 <= 900 - ROOM - len(prompt.input_ids) <= 2


def test_a_length_without_room_is_refused_with_the_numbers(tmp_path):
    builder = Builder(make_haystack(WordPrompts(), 1000), WordPrompts(), ROOM)
    with pytest.raises(UserError, match=r"lengths: 90 tokens are too few: .* needles \d+, the answer's room 40"):
        builder.draft(Cell(90, 50, 0))


def test_an_answer_that_is_in_the_haystack_already_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("Nothing here. " * 40 + "They met in DOLORES\npark. " + "Nothing there. " * 40)
    (tmp_path / "a.txt").rename(tmp_path / "A.TXT")
    builder = Builder(make_haystack(WordPrompts(), 500, path=str(tmp_path)), WordPrompts(), ROOM)
    with pytest.raises(UserError, match="haystack: 'Dolores Park' is in it already"):
        builder.draft(Cell(500, 50, 0))
    assert builder.draft(Cell(500, 50, 0, "kv")).item.answers  # numbers are drawn that are not in it


def test_drawn_numbers_and_keys_are_not_those_of_the_haystack():
    cell = Cell(1000, 50, 0, "kv")
    number = make_item(cell, lambda text: False).answers[0]
    assert make_item(cell, lambda text: text == number).answers[0] != number
    with pytest.raises(UserError, match="that was drawn is in it already"):
        make_item(cell, lambda text: True)


def test_an_own_needle_is_asked_for_and_its_answers_must_be_in_it():
    own = own_item(" The key hangs behind the third oar.\n", "Where is the key?", ["third oar"])
    prompt = Builder(make_haystack(WordPrompts(), 600), WordPrompts(), ROOM, own=own, system="Be brief.").build(
        Cell(600, 50, 0)
    )
    assert prompt.messages[0] == {"role": "system", "content": "Be brief."}
    assert "The key hangs behind the third oar." in prompt.messages[1]["content"]
    with pytest.raises(UserError, match="answers: 'fourth oar' is not in the needle"):
        own_item("The key hangs behind the third oar.", "Where?", ["fourth oar"])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["byte_level", "llama2", "chatglm3"])
def test_forced_ids_are_those_of_training_on_the_answer(name, task):
    encoder = ENCODERS[name]()
    builder = Builder(make_haystack(encoder, 1500), encoder, ROOM)
    prompt = builder.build(Cell(1500, 50, 0, task))
    forced = builder.forced(prompt)
    item = prompt.item
    for text, ids in ((item.answer, forced.answer_ids), (item.wrong, forced.wrong_ids)):
        said = [*prompt.messages, {"role": "assistant", "content": item.prefix + text}]
        whole, _ = encode_conversation(said, encoder.tokenizer, encoder.chat_format)
        expected = forced.prompt_ids + forced.prefix_ids + ids
        assert whole[: len(expected)] == expected and len(whole) <= len(expected) + 2
        assert ids and ids[0] != forced.prefix_ids[-1:]
    assert forced.answer_ids != forced.wrong_ids
    assert forced.prompt_ids == encode_prompt(prompt.messages, encoder.tokenizer, encoder.chat_format)


def test_texts_are_read_in_the_order_of_their_names_and_hashed(tmp_path):
    for name, text in (("b.txt", "Second."), ("a.md", "\ufeffFirst.\n"), ("c.pdf", "No."), ("d/e.txt", "Third.")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "notes.md").mkdir()  # a folder with the name of a text
    source = read_texts(tmp_path)
    assert source.text == "First.\n\nSecond.\n\nThird." and source.record["files"] == 3
    assert source[3 : 3 + 60] == (source.endless * 4)[3:63]
    (tmp_path / "b.txt").write_text("Another.")
    assert read_texts(tmp_path).sha256 != source.sha256
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"x\.txt is not UTF-8"):
        read_texts(tmp_path)
    with pytest.raises(UserError, match=r"haystack: no text in"):
        read_texts((tmp_path / "empty").mkdir() or tmp_path / "empty")


def test_sentences_begin_behind_full_stops_quotes_and_line_breaks_in_both_languages():
    text = (
        'He came. "Why?" she asked. Mr. Smith paid 3.50 at No. 7. Then: gone!\nnew line 他说：“好。”她走了！真的？是。'
    )
    found = [text[a:b] for a, b in itertools.pairwise([*sentence_starts(text), len(text)])]
    assert found == [
        "He came. ",
        '"Why?" she asked. ',
        "Mr. Smith paid 3.50 at No. 7. ",
        "Then: gone!\n",
        "new line 他说：“好。”",
        "她走了！",
        "真的？",
        "是。",
    ]
    assert word_end("one two three", 0, 9) == 7 and word_end("一二三", 0, 2) == 2 and word_end("onetwo", 0, 3) == 0
