"""The exception for users' mistakes, which the command line prints as one line before it exits with status 2."""


class UserError(Exception):
    """A mistake that the user can correct. The message is one line: what was given, what is expected, which key to set.

    Mistakes of our own are assertions instead.
    """
