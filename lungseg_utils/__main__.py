"""`python -m lungseg_utils` is the command `lungseg`."""

import sys

from lungseg_utils.command import main

if __name__ == "__main__":
    sys.exit(main())
