"""The exceptions whose messages are meant for the person at the keyboard."""


class AnyOrderError(Exception):
    """A mistake in what was asked or given: what was expected, what was found, what to do next.

    The command line prints the message alone and exits with status 2; anything else that escapes is a bug.
    """


class Interrupted(AnyOrderError):
    """The user or the scheduler asked to stop; what was done is saved, and the message says how to continue."""
