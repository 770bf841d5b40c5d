"""What a command says on stderr."""


def without_notes(stderr):
    """All but the notes that say which data set a checkpoint leads to."""
    return "".join(line for line in stderr.splitlines(keepends=True) if not line.startswith("reading the data set "))
