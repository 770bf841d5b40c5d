"""Collect a data set: the command ``anyorder collect``."""

import sys

from anyorder.cli import main

if __name__ == "__main__":
    main(["collect", *sys.argv[1:]])
