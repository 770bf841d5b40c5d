"""``python -m anyorder`` is the command ``anyorder``."""

from anyorder.cli import main

if __name__ == "__main__":
    main()
