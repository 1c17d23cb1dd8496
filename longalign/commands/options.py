"""The options that a command has in addition to all keys of a config of ``fit``."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from longalign.errors import UserError


class OwnOptions(argparse.ArgumentParser):
    """``own, rest = OwnOptions(name, text).parse_known_args(args)``; ``rest`` is for ``config.read_config``.

    Nothing heavy is imported for it, so ``--help`` is fast. A mistake raises UserError.
    """

    def __init__(self, name: str, description: str) -> None:
        super().__init__(
            prog=f"longalign {name}",
            usage=f"longalign {name} --config FILE [options] [--KEY VALUE ...]",
            description=description,
            epilog="KEY is any key of `longalign fit`: --data.long FILE, --data.strategy packing, ...",
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def at_least(least: int) -> Callable[[str], int]:
    """A type for ``add_argument``: an integer that is `least` or more."""

    def integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"got {value}, expected {least} or more")
        return value

    return integer
