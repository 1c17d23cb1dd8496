"""The command line: it finds the command before anything heavy is imported, and reports mistakes in one line."""

import difflib
import importlib
import logging
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TextIO

from longalign.commands.interrupt import status_of, terminable

COMMANDS = {
    "fit": ("longalign.commands.fit", "train on packs of long and short conversations"),
    "validate": ("longalign.commands.fit", "compute the loss on the held-out conversations"),
    "plan": ("longalign.commands.plan", "show lengths, packs, steps and balance of a config's data"),
    "data inspect": ("longalign.commands.data_inspect", "show a pack: boundaries, targets, weights, text"),
    "data import": ("longalign.commands.data_import", "turn a published data set into rows, with a report"),
    "data generate": ("longalign.commands.data_generate", "write long tasks with known answers, or short chats"),
    "data synthesize": (
        "longalign.commands.data_synthesize",
        "let a model behind an API write questions and answers about documents",
    ),
    "data prepare": ("longalign.commands.data_prepare", "tokenise a config's data ahead of training"),
    "data answer": ("longalign.commands.data_answer", "let a model answer questions, to train on its answers"),
    "convert": ("longalign.commands.convert", "turn ChatGLM3's own format into a folder for transformers, or back"),
    "export": ("longalign.commands.export", "turn a training checkpoint into a Hugging Face folder"),
    "card": ("longalign.commands.card", "describe a training run and its results on one HTML page"),
    "needle": ("longalign.commands.needle", "test what a model or a server finds in long texts, by length and depth"),
    "needle rebuild": (
        "longalign.commands.needle_rebuild",
        "write the prompt of one row of a needle test's results, byte for byte",
    ),
    "chat": ("longalign.commands.chat", "talk to a model in its own format, about long documents too"),
    "longbench-chat predict": (
        "longalign.commands.longbench_chat_predict",
        "let a model answer questions on texts",
    ),
    "longbench-chat judge": ("longalign.commands.longbench_chat", "let a judge model rate answers"),
    "longbench-chat compare": (
        "longalign.commands.longbench_chat",
        "show the ratings of models side by side, with intervals",
    ),
}

GROUPS = {name.split()[0] for name in COMMANDS if " " in name}
ALLOCATOR_OPTIONS = {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"}  # if the user sets one of them, we set none
FIRST_RANK_S = 15  # how long another rank waits for the first one to report a mistake before it reports its own


def main(argv: list[str] | None = None) -> int:
    """Run ``longalign COMMAND ...``; returns the exit status (see `guard`)."""
    args = sys.argv[1:] if argv is None else argv
    if not args or args[0] in ("-h", "--help"):
        print(usage())
        return 0 if args else 2
    if args[0] == "--version":
        from longalign import __version__

        print(__version__)
        return 0
    name = " ".join(args[:2]) if " ".join(args[:2]) in COMMANDS else args[0]
    if name not in COMMANDS:
        if args[0] in GROUPS and args[1:2] in ([], ["-h"], ["--help"]):
            print(usage(args[0]))
            return 0 if args[1:] else 2
        return _fail("longalign", _unknown(" ".join(args[:2]) if args[0] in GROUPS else args[0]))
    return guard(name, _run, args[len(name.split()) :])


def _run(name: str, args: list[str]) -> None:
    """Import the command, which takes seconds for some of them, and run it."""
    with terminable():
        importlib.import_module(COMMANDS[name][0]).run(name, args)


def guard(name: str, run: Callable[[str, list[str]], None], args: list[str]) -> int:
    """Call ``run(name, args)``. Returns the exit status: 0, 2 after a user's mistake, 130 after Ctrl-C, 143 after
    SIGTERM where it raises (`terminable`), 141 where the reader of stdout has gone, as ``head`` does.

    A mistake and a stop print one line; with LONGALIGN_DEBUG=1 in the environment, a traceback.
    """
    from longalign.errors import UserError

    try:
        _set_up_logging()
        if not ALLOCATOR_OPTIONS & os.environ.keys():
            os.environ["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"  # else packs of all sizes fragment GPU memory
        run(name, args)
        sys.stdout.flush()
    except UserError as error:
        if os.environ.get("LONGALIGN_DEBUG") == "1":
            raise
        return _fail(f"longalign {name}", str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 141
        if os.environ.get("LONGALIGN_DEBUG") == "1" or error.errno is None:
            raise
        return _fail(f"longalign {name}", f"{error.strerror}: {error.filename}" if error.filename else str(error))
    except KeyboardInterrupt as stop:
        if os.environ.get("LONGALIGN_DEBUG") == "1":
            raise
        logging.getLogger(__name__).info("longalign %s: stopped%s", name, f" {stop}" if str(stop) else "")
        return status_of(stop)
    return 0


def _nobody_reads() -> bool:
    """Whether the other end of stdout is closed; then what is still to be written goes nowhere."""
    stdout = sys.stdout.fileno()
    poll = select.poll()
    poll.register(stdout, 0)  # errors are always told
    if closed := bool(poll.poll(0)):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
    return closed


def usage(group: str = "") -> str:
    """The list of all commands, or of those whose name begins with ``group``."""
    rows = "\n".join(f"  {name:<22} {text}" for name, (_, text) in COMMANDS.items() if name.startswith(group))
    return f"usage: longalign COMMAND [options]\n\n{rows}\n\nlongalign COMMAND --help lists a command's options."


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; expected one of: {', '.join(COMMANDS)}"
    return f"unknown command '{name}'{hint}"


def _fail(program: str, message: str) -> int:
    """Print a mistake in one line; returns 2.

    Most mistakes are met by all ranks at once. The first rank prints its line and ends, whereupon the launcher ends;
    another rank waits for that and then says nothing. Only if the launcher is still there after ``FIRST_RANK_S`` is
    the mistake this rank's own, and printed with its number.
    """
    from longalign.launch import PARENT, this_launch

    launch, parent = this_launch(), os.environ.get(PARENT)
    if not launch.is_first:
        end = time.monotonic() + FIRST_RANK_S
        while time.monotonic() < end:
            if parent is not None and os.getppid() != int(parent):
                return 2
            time.sleep(0.1)
        program += f" (rank {launch.rank})"
    print(f"{program}: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


class _StderrHandler(logging.StreamHandler):
    """A handler that looks up ``sys.stderr`` at each line, because a progress bar replaces it to stay at the bottom."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


def _set_up_logging() -> None:
    from longalign.launch import this_launch

    level = logging.INFO if this_launch().is_first else logging.WARNING
    logging.basicConfig(format="%(message)s", level=level, handlers=[_StderrHandler()])
    for noisy in ("httpx", "httpx2", "datasets", "filelock", "fsspec", "torch"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for noisy in ("torchao", "torch.utils._pytree"):  # their warnings are about kernels that longalign does not use
        logging.getLogger(noisy).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
