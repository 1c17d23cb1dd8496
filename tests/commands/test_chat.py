"""``longalign chat`` through the command line: prompts of training, documents in front, turns that read what is new."""

import io
import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from longalign.__main__ import main
from longalign.chat import answer_ends, encode_prompt, load_tokenizer
from longalign.commands import chat_session, conversation
from longalign.commands.conversation import Conversation
from longalign.commands.interrupt import Terminated
from longalign.model.generate import Generator
from tests.chat.templates import CHATML, OPEN_THOUGHT
from tests.chat.tokenizers_for_tests import byte_level, sentencepiece

GOLDEN = Path(__file__).parent.parent / "golden"
TINY = GOLDEN / "llama_tiny"
SHORT = ["--max_new_tokens=12", "--temperature=0", "--device=cpu"]
DOCUMENT = "The ferry leaves the harbour at six.\n\nThe crew checks the ropes twice. 你好。\n"


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def expected(messages, folder=TINY, chat_format="llama2", tokens: int = 12) -> str:
    """What transformers writes after training's prompt."""
    tokenizer = load_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = torch.tensor([encode_prompt(messages, tokenizer, chat_format)])
    output = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=tokens, do_sample=False)
    return tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True).strip()


@pytest.fixture
def chat(capsys, caplog):
    """Run the command; (stdout, stderr with the log)."""

    def run(*arguments: str, model: Path = TINY, chat_format: str | None = "llama2", status: int = 0):
        named = [f"--model={model}", *([f"--chat_format={chat_format}"] if chat_format else [])]
        capsys.readouterr()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            got = main(["chat", *named, *SHORT, *arguments])
        out, err = capsys.readouterr()
        assert got == status, err
        return out, err + "\n".join(caplog.messages)

    return run


@pytest.fixture
def mistake(chat):
    """Run the command; its one line."""

    def run(*arguments: str, **options) -> str:
        out, err = chat(*arguments, **options, status=2)
        assert out == ""
        lines = [line for line in err.splitlines() if "error:" in line]
        assert len(lines) == 1 and lines[0].startswith("longalign chat: error: ")
        return lines[0]

    return run


@pytest.fixture
def generations(monkeypatch):
    """Every prompt and what came of it."""
    made = []
    generate = Generator.generate

    def spy(self, prompt, *callbacks):
        made.append((prompt, generate(self, prompt, *callbacks)))
        return made[-1][1]

    monkeypatch.setattr(Generator, "generate", spy)
    return made


@pytest.fixture
def document(tmp_path):
    file = tmp_path / "paper.txt"
    file.write_text(DOCUMENT, encoding="utf-8")
    return file


def lines_from(monkeypatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.fixture
def typed(monkeypatch):
    """A terminal in which these lines are typed; exceptions among them are raised."""

    def type_(*lines):
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", terminal)
        left = list(lines)

        def read(_mark: str = "") -> str:
            line = left.pop(0) if left else EOFError()
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", read)

    return type_


def test_an_answer_is_what_transformers_writes_after_the_prompt_of_training(chat):
    out, err = chat("--prompt=What is it?")
    assert out == expected([user("What is it?")]) + "\n"
    assert "chat format llama2" in err and "float32 on cpu" in err and "--max_new_tokens 12" in err


def test_the_format_is_the_recorded_one(chat, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(TINY, folder)
    (folder / "longalign.json").write_text(json.dumps({"chat_format": "llama2"}))
    out, err = chat("--prompt=What is it?", model=folder, chat_format=None)
    assert out == expected([user("What is it?")]) + "\n" and "chat format llama2" in err


def test_a_chatglm3_folder_answers_as_it_is(chat, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # it is converted into the cache
    source, folder = GOLDEN / "chatglm3_tiny", tmp_path / "converted"
    assert main(["convert", f"--source={source}", f"--target={folder}", "--chat_format=chatglm3"]) == 0
    messages = [user("你好，什么是 harbour?")]
    answer = expected(messages, folder, "chatglm3")
    assert chat(f"--prompt={messages[0]['content']}", model=folder, chat_format=None)[0] == answer + "\n"
    assert chat(f"--prompt={messages[0]['content']}", model=source, chat_format="chatglm3")[0] == answer + "\n"


def test_a_document_stands_in_front_of_the_first_question(chat, document, monkeypatch):
    first = user(DOCUMENT.rstrip() + "\n\nWhen?")
    assert chat(f"--file={document}", "--prompt=When?")[0] == expected([first]) + "\n"
    lines_from(monkeypatch, "When?\nWhy?\n")
    answers = expected([first])
    answers += "\n" + expected([first, assistant(answers), user("Why?")]) + "\n"
    assert chat(f"--file={document}")[0] == answers


def test_turns_equal_those_without_a_cache_and_read_only_what_is_new(chat, document, generations, monkeypatch):
    lines_from(monkeypatch, "When?\n\nWhy is it so?\n/new\nWho?\n")
    out, err = chat(f"--file={document}", "--system=Be brief.")
    assert "> " not in err
    system, first = {"role": "system", "content": "Be brief."}, user(DOCUMENT.rstrip() + "\n\nWhen?")
    one = expected([system, first])
    two = expected([system, first, assistant(one), user("Why is it so?")])
    three = expected([system, user(DOCUMENT.rstrip() + "\n\nWho?")])
    assert out == f"{one}\n{two}\n{three}\n"
    (prompt, first_made), (longer, second_made), (other, third_made) = generations
    assert first_made.tokens_kept == 0 and first_made.tokens_read == len(prompt)
    # the answer's text may have other tokens than the ones that were written
    assert second_made.tokens_kept >= len(prompt) and second_made.tokens_kept + second_made.tokens_read == len(longer)
    shared = next(n for n, (a, b) in enumerate(zip(prompt, other, strict=False)) if a != b)
    assert third_made.tokens_kept == shared > len(prompt) / 2


@pytest.mark.parametrize(
    "text", ["1987", "null", "a: b", "[x]", "~", "-1", "-x", "--file", " two\n\nlines ", "{", "'quoted'", "#x"]
)
def test_a_question_is_not_read_as_anything_else(chat, text, generations):
    chat(f"--prompt={text}")
    assert generations[0][0] == encode_prompt([user(text)], load_tokenizer(TINY), "llama2")


def test_too_long_is_said_with_the_numbers_and_before_weights_are_read(mistake, tmp_path, monkeypatch):
    monkeypatch.setattr("longalign.commands.model_loading.load_model", None)
    file = tmp_path / "long.txt"
    file.write_text("one two three four " * 300)
    tokens = len(load_tokenizer(TINY)(file.read_text(), add_special_tokens=False).input_ids)
    line = mistake(f"--file={file}", "--prompt=When?")
    assert f"{tokens} tokens" in line and "1024" in line and "12" in line and "--overflow shorten_document" in line
    assert "1024" in mistake("--prompt=" + "one two " * 600)
    assert "--max_new_tokens is 2000" in mistake("--prompt=When?", "--max_new_tokens=2000")


def test_a_document_that_is_too_long_is_cut_in_its_middle_and_it_is_said(chat, tmp_path, generations):
    file = tmp_path / "long.txt"
    file.write_text("the beginning " + "one two three four " * 300 + "the end")
    tokenizer = load_tokenizer(TINY)
    whole = len(encode_prompt([user(file.read_text() + "\n\nWhen?")], tokenizer, "llama2"))
    _, err = chat(f"--file={file}", "--prompt=When?", "--overflow=shorten_document")
    prompt = generations[0][0]
    assert 1024 - 12 - 16 <= len(prompt) <= 1024 - 12
    assert f"{whole - len(prompt)} of {whole} tokens were cut" in err
    text = tokenizer.decode(prompt)
    assert "the beginning" in text and "[...]" in text and "the end\n\nWhen?" in text


def test_a_cut_document_leaves_room_for_more_turns(chat, tmp_path, generations, monkeypatch):
    file = tmp_path / "long.txt"
    file.write_text("one two three four " * 300)
    lines_from(monkeypatch, "When?\nWhy?\n")
    _, err = chat(f"--file={file}", "--overflow=shorten_document")
    assert err.count("were cut") == 1
    assert generations[1][1].tokens_kept >= len(generations[0][0])


def test_commands_in_a_terminal(chat, typed, document):
    typed(
        "/hlep",
        "/help",
        f"/file {document}",
        "/file nowhere.txt",
        "When?\\",
        "Or not?",
        "",
        KeyboardInterrupt(),
        "/file",
    )
    out, err = chat()
    assert out == expected([user(DOCUMENT.rstrip() + "\n\nWhen?\nOr not?")]) + "\n"
    assert "did you mean /help" in err and "/exit" in err and "nowhere.txt: No such file" in err
    assert "paper.txt: " in err and "no document" in err
    typed("/exit", "never asked")
    assert chat()[0] == ""


def test_a_mistake_in_a_terminal_ends_nothing(chat, typed):
    typed("one two " * 600, "When?")
    out, err = chat()
    assert out == expected([user("When?")]) + "\n" and "error: the prompt has" in err


def test_ctrl_c_stops_an_answer_and_keeps_the_conversation(chat, typed, monkeypatch, generations):
    count, write = [0], chat_session.Session._write

    def interrupted(self, text):
        write(self, text)
        count[0] += bool(text)
        if count[0] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(chat_session.Session, "_write", interrupted)
    typed("When?", "Why?")
    out, err = chat()
    partial = out.splitlines()[0]
    assert "(stopped)" in err and expected([user("When?")]).startswith(partial) and partial
    assert generations[0][0] == encode_prompt(
        [user("When?"), assistant(partial), user("Why?")], load_tokenizer(TINY), "llama2"
    )
    assert generations[0][1].tokens_kept > 0


def test_ctrl_c_before_an_answer_takes_the_question_back(chat, typed, monkeypatch, generations, document):
    reading, shown = [], chat_session.Session._show_reading

    def interrupted(self, done, total):
        shown(self, done, total)
        reading.append(total)
        if len(reading) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(chat_session.Session, "_show_reading", interrupted)
    typed("When?", "Why?")
    _, err = chat(f"--file={document}")
    assert "taken back" in err
    assert generations[0][0] == encode_prompt([user(DOCUMENT.rstrip() + "\n\nWhy?")], load_tokenizer(TINY), "llama2")


def test_ctrl_c_ends_a_single_answer_with_status_130(chat, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(chat_session.Session, "_show_reading", interrupted)
    assert "stopped" in chat("--prompt=When?", status=130)[1]


@pytest.mark.parametrize("when", ["typing", "reading"])
def test_sigterm_ends_a_conversation(chat, typed, monkeypatch, when):
    def stopped(*_):
        raise Terminated

    if when == "reading":
        monkeypatch.setattr(chat_session.Session, "_show_reading", stopped)
    typed(Terminated() if when == "typing" else "When?", "never asked")
    assert chat(status=143)[1].endswith("longalign chat: stopped")


def test_sampling_is_repeated_by_its_seed(chat):
    hot = ["--prompt=When?", "--temperature=2"]
    one, two, other = (chat(*hot, f"--seed={seed}")[0] for seed in (1, 1, 2))
    assert one == two != other


def test_mistakes_are_one_line(mistake, tmp_path, monkeypatch):
    pdf, empty = tmp_path / "paper.pdf", tmp_path / "empty.txt"
    pdf.write_bytes(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3")
    empty.write_text(" \n")
    (tmp_path / "zeros").write_bytes(b"a\0b")
    asked = "--prompt=When?"
    assert "not UTF-8" in mistake(asked, f"--file={pdf}")
    assert "is empty" in mistake(asked, f"--file={empty}")
    assert "zero bytes" in mistake(asked, f"--file={tmp_path / 'zeros'}")
    assert "No such file" in mistake(asked, f"--file={tmp_path / 'none.txt'}")
    assert "Is a directory" in mistake(asked, f"--file={tmp_path}")
    assert "white space" in mistake("--prompt= ")
    assert "temperature" in mistake(asked, "--temperature=-1")
    assert "top_p" in mistake(asked, "--top_p=0")
    assert "max_new_tokens" in mistake(asked, "--max_new_tokens=0")
    assert "device" in mistake(asked, "--device=gpu")
    assert "did you mean 'prompt'" in mistake("--promt=When?")
    assert "--model: folder" in mistake(asked, model=tmp_path / "none")
    assert "stdin is empty" in (lines_from(monkeypatch, "") or mistake())
    assert "unknown command /nwe" in (lines_from(monkeypatch, "/nwe\n") or mistake())


def test_a_model_without_any_format_says_what_to_give(mistake, tmp_path):
    assert "give --chat_format chatglm3 or llama2" in mistake("--prompt=When?", chat_format=None)
    assert "give --chat_format" in mistake("--prompt=When?", chat_format="template")
    assert "needs a tokenizer with [gMASK]" in mistake("--prompt=When?", chat_format="chatglm3")
    folder = tmp_path / "model"
    shutil.copytree(TINY, folder)
    (folder / "longalign.json").write_text('{"chat_format": "chatml"}')
    assert "'chatml'" in mistake("--prompt=When?", model=folder, chat_format=None)


def test_answers_end_where_training_ends_them():
    def ends(tokenizer, chat_format):
        return set(tokenizer.convert_ids_to_tokens(sorted(answer_ends(tokenizer, chat_format))))

    assert ends(byte_level(CHATML), "template") == {"<|im_end|>", "<|endoftext|>"}
    assert ends(sentencepiece(), "llama2") == {"</s>"}
    roles = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}"
    roles += "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    assert ends(byte_level(roles), "template") == {"<|user|>", "<|endoftext|>"}
    assert ends(byte_level(OPEN_THOUGHT), "template") == {"<|endoftext|>"}  # which training refuses


def test_thoughts_are_not_part_of_the_history():
    template = CHATML + "{# <think></think> #}"
    talk = Conversation(byte_level(template), "template", context=None, max_new_tokens=1)
    talk.ask("a")
    talk.answered("<think>\nlong\n</think>\n\nb")
    assert talk.messages[-1] == assistant("b")


def test_the_document_comes_again_after_new(document):
    talk = Conversation(sentencepiece(), "llama2", context=None, max_new_tokens=1)
    talk.load(conversation.read_document(str(document)))
    first = talk.ask("a")
    talk.answered("b")
    talk.forget()
    assert talk.ask("a") == first
    talk.load(None)
    talk.forget()
    assert talk.ask("a") == encode_prompt([user("a")], sentencepiece(), "llama2")


def test_text_that_is_not_utf8_takes_one_line(monkeypatch, capsys):
    assert main(["chat", "--model", str(TINY), "--chat_format=llama2", "--prompt", "\udcff bad"]) == 2
    assert "prompt: not UTF-8 text" in capsys.readouterr().err
    for locale in ({"encoding": "utf-8"}, {"encoding": "ascii", "errors": "surrogateescape"}):  # the latter's is C
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hi\xff\n"), **locale))
        assert main(["chat", "--model", str(TINY), "--chat_format=llama2"]) == 2
        assert "line 1 is not UTF-8 text" in capsys.readouterr().err.splitlines()[-1]
