"""The exceptions whose messages are written for users."""


class AnyOrderError(Exception):
    """A mistake in what the user asked or gave. The message says what was expected, what was found and what to do next.

    The command line prints only this message and exits with status 2. Any other exception that escapes is a bug.
    """


class Interrupted(AnyOrderError):
    """The user or the scheduler asked to stop; the work so far is saved, and the message says how to continue."""
