"""The one exception whose message is meant for the person at the keyboard."""


class AnyOrderError(Exception):
    """A mistake in what was asked or given: what was expected, what was found, what to do next.

    The command line prints the message alone and exits with status 2; anything else that escapes is a bug.
    """
