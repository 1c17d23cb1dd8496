"""The one exception that the command line turns into one line and exit status 2."""


class UserError(Exception):
    """A mistake that the user can mend. Its message is one line: what was given, what is expected, which key to set."""
