"""Score a checkpoint and let it act: the command ``anyorder evaluate``."""

import sys

from anyorder.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
