"""Errors that a user can mend; the command line prints their message alone, without a traceback."""


class UserError(Exception):
    """Bad input. The message says what was expected, what came, where, and what to do, in
    one line.
    """


class Unavailable(UserError):
    """Something that this machine lacks or cannot reach: weights, a program, a package index."""
