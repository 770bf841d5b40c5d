"""The exceptions whose messages are written for users."""

MOST_CHARACTERS = 1200
"""A message that quotes more than it explains is cut to about this length."""


def shortened(message: str) -> str:
    """The message; a long one without its middle, so that what is wrong and what to do about it stay."""
    if len(message) <= MOST_CHARACTERS:
        return message
    tail = MOST_CHARACTERS // 3
    return f"{message[: MOST_CHARACTERS - tail]} [...] {message[-tail:]}"


class AnyOrderError(Exception):
    """A mistake in what the user asked or gave. The message says what was expected, what was found and what to do next.

    The command line prints only this message and exits with status 2. Any other exception that escapes is a bug.
    """

    def __str__(self) -> str:
        return shortened(super().__str__())


class NothingUsable(AnyOrderError):
    """A split of a data set that exists, but of which nothing can be used. Training goes on without such a validation split."""


class Interrupted(AnyOrderError):
    """The user or the scheduler asked to stop; the work so far is saved, and the message says how to continue."""
