"""Running a typed function as a command: its signature gives the options, its docstring the help."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import jsonargparse

from longalign.commands.messages import explained
from longalign.errors import UserError, check_least

_KEYS = re.compile(
    r"\b(?:model\.(model|attention|config_overrides)|data\.(tokenizer|chat_format)|(?:documents|text)\.(text_column))\b"
)
"""Keys of ``fit`` in error messages of shared code, for which other commands have an option of the same name."""


class PlainHelp(jsonargparse.ArgumentParser):
    """A parser whose ``--help`` shows `code` where docstrings have it in double backticks."""

    def format_help(self, *args: Any, **kwargs: Any) -> str:
        return super().format_help(*args, **kwargs).replace("``", "`")


def call(function: Callable[..., Any], name: str, args: list[str]) -> Any:
    """Call ``function`` with the options in ``args`` (or in ``--config FILE``); returns what it returns.

    A yes-or-no option without a value is a yes: ``--plan`` is ``--plan true``.

    name: of the command, for ``--help``.

    Raises:
        UserError: an option is unknown (the message has the nearest one), missing or of a wrong type; or as
            ``function``.
    """
    args = _with_yes(args, inspect.signature(function).parameters)
    parser = PlainHelp(
        prog=f"longalign {name}",
        exit_on_error=False,
        allow_abbrev=False,
        description=inspect.cleandoc(function.__doc__ or "").partition("\n\nArgs:")[0],
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_function_arguments(function, as_group=False)
    with explained(lambda: [action.dest for action in parser._actions], args):
        config = parser.parse_args(args)
    options = parser.instantiate(config).as_dict()
    options.pop("config", None)
    try:
        return function(**options)
    except UserError as error:
        raise UserError(with_own_options(str(error), inspect.signature(function).parameters)) from error


def check_positive(**options: int | None) -> None:
    """Check that each option that is given is 1 or more.

    Raises:
        UserError: one is not; the message names it.
    """
    for name, value in options.items():
        if value is not None:
            check_least(name, value, 1)


def new_file(out: str, suffixes: tuple[str, ...]) -> Path:
    """The file that an option `out` names, which must not exist.

    Raises:
        UserError: it exists, or ends in none of `suffixes`.
    """
    target = Path(out).expanduser()
    if not target.name.endswith(suffixes):
        raise UserError(f"out: got {out}, expected a file that ends in {', '.join(suffixes)}")
    if target.exists():
        raise UserError(f"out: {out} exists already; give a new file")
    return target


def check_temperature(temperature: float | None) -> None:
    """Check a sampling temperature; None leaves it to the model or the server.

    Raises:
        UserError: it is below 0.
    """
    if temperature is not None and not temperature >= 0:
        raise UserError(f"temperature: got {temperature}, expected 0 (greedy) or more")


def _with_yes(args: list[str], parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Write ``=true`` behind each option of type bool that has no value."""
    flags = {f"--{name}" for name, parameter in parameters.items() if parameter.annotation is bool}
    followed_by = [*args, "--"][1:]
    return [
        f"{word}=true" if word in flags and following.startswith("--") else word
        for word, following in zip(args, followed_by, strict=True)
    ]


def with_own_options(text: str, names: Collection[str]) -> str:
    """Replace keys of ``fit`` in an error message by the command's own options, those in ``names``."""

    def own(match: re.Match[str]) -> str:
        name = next(filter(None, match.groups()))
        return f"--{name}" if name in names else match.group()

    text = _KEYS.sub(own, text)
    return text.replace("model.model or --tokenizer", "--tokenizer").replace("--model or data.tokenizer", "--model")
