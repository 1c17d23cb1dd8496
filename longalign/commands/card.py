"""``longalign card RUN_DIR``: a page about a training run: its options, data, curves and results."""

import logging
from pathlib import Path
from typing import Literal

from longalign.commands.parse import call
from longalign.errors import UserError

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args``, the first of which may be the run's folder, and write the card."""
    first = [f"--run={args[0]}", *args[1:]] if args and not args[0].startswith("-") else args
    call(card, name, first)


def card(
    run: str,
    out: str | None = None,
    format: Literal["html", "markdown"] = "html",
    needle: str | list[str] | None = None,
    longbench_chat: str | list[str] | None = None,
) -> None:
    """Write a card of a run, with its state, data, curves, needle tests, options and files: ``longalign card RUN_DIR``.

    Args:
        run: the folder of a ``longalign fit`` (trainer.default_root_dir); it may stand first, without --run.
        out: file to write; by default card.html in the run's folder, and for markdown stdout.
        format: html is one file with pictures; markdown is a short model card, for the README.md of an exported model.
        needle: folders of ``longalign needle``; tests in the run's folder are found without it.
        longbench_chat: folders of ``longalign longbench-chat judge``; those in the run's folder are found without it.
    """
    from longalign.commands.run_card.chats import read_comparisons
    from longalign.commands.run_card.folder import read_folder
    from longalign.commands.run_card.markdown import markdown
    from longalign.commands.run_card.needles import read_tests
    from longalign.commands.run_card.options import default_options, differences
    from longalign.commands.run_card.page import page

    found = read_folder(Path(run).expanduser())
    tests = read_tests(found.needle_tests, _paths(needle))
    comparisons = read_comparisons(found.chat_runs, _paths(longbench_chat))
    changed = differences(found.config, default_options(found.config)) if found.config else []
    if format == "markdown":
        text, target = markdown(found, changed, tests, comparisons), Path(out).expanduser() if out else None
    else:
        target = Path(out).expanduser() if out else found.path / "card.html"
        text = page(found, changed, tests, comparisons, target.parent)
    text = text.encode("utf-8", "replace").decode()  # a name may hold half a surrogate pair
    for line in found.missing:
        log.info("%s", line)
    if target is None:
        print(text, end="")
        return
    _write(target, text)
    print(target)


def _paths(given: str | list[str] | None) -> list[Path]:
    names = [given] if isinstance(given, str) else given or []
    return [Path(name).expanduser() for name in names]


def _write(target: Path, text: str) -> None:
    from longalign.files import write_text

    if target.is_dir():
        raise UserError(f"out: {target} is a folder; give a file, such as {target / 'card.html'}")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
