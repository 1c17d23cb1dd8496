"""Typed functions as commands: the signature is the list of options, its docstring the help."""

from collections.abc import Callable
from typing import Any

import jsonargparse

from longalign.commands.messages import explained


def call(function: Callable[..., Any], name: str, args: list[str]) -> Any:
    """Call ``function`` with the options in ``args`` (or in ``--config FILE``); returns what it returns.

    name: of the command, for ``--help``.

    Raises:
        UserError: an unknown option (with the nearest one), a wrong type, a missing one.
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
    return function(**options)
