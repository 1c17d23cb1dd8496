"""A conversation with a model in a terminal or through a pipe.

Answers go to stdout token by token, everything else to stderr.
"""

import io
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from longalign.commands.answer_text import AnswerText
from longalign.commands.conversation import Conversation, read_document
from longalign.commands.interrupt import Terminated
from longalign.errors import UserError
from longalign.model.generate import Generation, Generator

log = logging.getLogger(__name__)

COMMANDS = {
    "/file": "/file PATH  put a document in front of the next question; without PATH, use none from now on",
    "/new": "/new        start a new conversation; a document stays, and is not read again",
    "/help": "/help       show this list",
    "/exit": "/exit       end the program, as Ctrl-D does",
}
HELP = "\n".join(["Ctrl-C stops an answer; \\ at the end of a line continues it on the next one.", *COMMANDS.values()])

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # control characters, which a terminal would obey
_MANY_TOKENS = 2000  # so long prompts take a CPU seconds to read, so progress is shown


class Session:
    """A conversation with a model, on this process's stdin, stdout and stderr."""

    def __init__(self, conversation: Conversation, generator: Generator, tokenizer: Any) -> None:
        self._conversation, self._generator, self._tokenizer = conversation, generator, tokenizer
        self._line_is_busy = False

    def answer(self, prompt: list[int]) -> bool:
        """Print the answer to the last question as it is generated; returns False if Ctrl-C stopped it.

        Of an answer that was stopped, the part so far stays in the conversation. If there is none, the question is
        removed from the conversation.
        """
        text = AnswerText(self._tokenizer)
        try:
            generation = self._generator.generate(
                prompt, lambda token: self._write(text.put(token)), self._show_reading
            )
        except UserError:
            self._conversation.take_back()
            raise
        except KeyboardInterrupt as stop:
            self._write(text.end() + "\n")
            if isinstance(stop, Terminated):
                raise
            if text.text:
                self._conversation.answered(text.text)
            else:
                self._conversation.take_back()
            log.info("(stopped%s)", "" if text.text else "; the question is taken back")
            return False
        self._write(text.end() + "\n")
        self._conversation.answered(text.text)
        _report(generation)
        return True

    def talk(self) -> None:
        """Answer typed questions until the user ends the conversation, or each line of a pipe."""
        if not sys.stdin.isatty():
            self._answer_lines()
            return
        with suppress(ImportError):
            import readline  # gives input() line editing and a history

            readline.set_completer_delims(" \t\n")  # whole paths are completed
            readline.parse_and_bind("tab: complete")
        log.info("/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends")
        for line in _typed_lines():
            if line.strip() == "/exit":
                return
            try:
                self._turn(line)
            except UserError as error:
                log.info("error: %s", error)
            except Terminated:
                raise
            except KeyboardInterrupt:
                self._conversation.take_back()

    def _answer_lines(self) -> None:
        lines = 0
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="strict")  # Python's own lets wrong bytes pass
        try:
            for line in sys.stdin:
                lines += 1
                if line.strip() == "/exit":
                    return
                if line.strip() and not self._turn(line.rstrip("\r\n")):
                    raise KeyboardInterrupt
        except UnicodeDecodeError as error:
            raise UserError(f"stdin: line {lines + 1} is not UTF-8 text") from error
        if lines == 0:
            raise UserError("stdin is empty: no question to answer; give --prompt, or one question a line")

    def _turn(self, line: str) -> bool:
        """Run the command or answer the question of a line; returns False if Ctrl-C stopped the answer."""
        word, _, rest = line.strip().partition(" ")
        if word in COMMANDS:
            self._command(word, rest.strip())
            return True
        if re.fullmatch(r"/\w+", word) and not line.startswith(" "):
            near = get_close_matches(word, COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}"
            raise UserError(f"unknown command {word}; {hint} (with a space in front it is a question)")
        return self.answer(self._conversation.ask(line))

    def _command(self, word: str, rest: str) -> None:
        if word == "/help":
            log.info(HELP)
        elif word == "/new":
            self._conversation.forget()
            log.info("new conversation%s", " about the same document" if self._conversation.has_document else "")
        elif rest:
            show_document(rest, self._conversation.load(read_document(rest)))
        else:
            self._conversation.load(None)
            log.info("no document from now on")

    def _write(self, text: str) -> None:
        if self._line_is_busy and text:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._line_is_busy = False
        if sys.stdout.isatty():
            text = _CONTROL.sub("", text)
        sys.stdout.write(text)
        sys.stdout.flush()

    def _show_reading(self, done: int, total: int) -> None:
        if total >= _MANY_TOKENS and sys.stderr.isatty():
            sys.stderr.write(f"\r\033[Kreading {total:,} tokens{f': {done / total:.0%}' if done else ''} ...")
            sys.stderr.flush()
            self._line_is_busy = True


def show_document(path: str, tokens: int) -> None:
    """Log which document was loaded, and its length."""
    log.info("%s: %s tokens, in front of the next question", path, f"{tokens:,}")


def _typed_lines() -> Iterator[str]:
    """Lines typed in a terminal, without empty ones, until Ctrl-D. A backslash at the end of a line continues it."""
    begun = ""
    while True:
        try:
            line = begun + _input("... " if begun else "> ")
        except Terminated:
            raise
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            begun = ""
            continue
        except EOFError:
            sys.stderr.write("\n")
            return
        begun = line[:-1] + "\n" if line.endswith("\\") else ""
        if not begun and line.strip():
            yield line


def _input(mark: str) -> str:
    if sys.stdout.isatty():
        return input(mark)  # readline must know the mark, or it overwrites it
    sys.stderr.write(mark)
    sys.stderr.flush()
    return input()


def _report(generation: Generation) -> None:
    if not generation.ended:
        log.info("(the answer was ended by --max_new_tokens %d)", len(generation.ids))
    if not sys.stderr.isatty():
        return
    kept = f", {generation.tokens_kept:,} more were in memory" if generation.tokens_kept else ""
    steps = len(generation.ids) + generation.ended - 1  # reading the prompt gives the first token
    rate = f" at {steps / generation.write_s:.1f} tokens/s" if steps > 0 and generation.write_s > 0 else ""
    log.info(
        "(read %s tokens in %.1f s%s; wrote %s%s)",
        f"{generation.tokens_read:,}",
        generation.read_s,
        kept,
        f"{len(generation.ids):,}",
        rate,
    )
