"""Users' mistakes: an exception, which the command line prints as one line before it exits with status 2."""


class UserError(Exception):
    """A mistake that the user can correct. The message is one line: what was given, what is expected, which key to set.

    Mistakes of our own are assertions instead.
    """


def check_least(key: str, value: float, least: float) -> None:
    """Check that an option's value is `least` or more.

    Raises:
        UserError: it is not; the message names `key`.
    """
    if not value >= least:
        raise UserError(f"{key}: got {value}, expected {least} or more")
