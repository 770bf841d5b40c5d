"""Train a model: the command ``anyorder train``."""

import sys

from anyorder.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
