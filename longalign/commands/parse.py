"""Typed functions as commands: the signature is the list of options, its docstring the help."""

import inspect
import re
from collections.abc import Callable, Collection
from typing import Any

import jsonargparse

from longalign.commands.messages import explained
from longalign.errors import UserError

_KEYS = re.compile(
    r"\b(?:model\.(model|attention|config_overrides)|data\.(tokenizer|chat_format)|documents\.(text_column))\b"
)
"""What shared code calls after the keys of fit, where other commands have options of the same names."""


def call(function: Callable[..., Any], name: str, args: list[str]) -> Any:
    """Call ``function`` with the options in ``args`` (or in ``--config FILE``); returns what it returns.

    name: of the command, for ``--help``.

    Raises:
        UserError: an unknown option (with the nearest one), a wrong type, a missing one; or what ``function`` raises.
    """
    parser = jsonargparse.ArgumentParser(
        prog=f"longalign {name}",
        exit_on_error=False,
        allow_abbrev=False,
        description=(function.__doc__ or "").split("\n\n")[0],
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_function_arguments(function)
    with explained(lambda: [action.dest for action in parser._actions], args):
        config = parser.parse_args(args)
    options = parser.instantiate(config).as_dict()
    options.pop("config", None)
    try:
        return function(**options)
    except UserError as error:
        raise UserError(with_own_options(str(error), inspect.signature(function).parameters)) from error


def with_own_options(text: str, names: Collection[str]) -> str:
    """``text`` with the keys of fit in it as the options ``names`` of another command."""

    def own(match: re.Match[str]) -> str:
        name = next(filter(None, match.groups()))
        return f"--{name}" if name in names else match.group()

    text = _KEYS.sub(own, text)
    return text.replace("model.model or --tokenizer", "--tokenizer").replace("--model or data.tokenizer", "--model")
