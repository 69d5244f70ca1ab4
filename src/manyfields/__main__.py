"""`python -m manyfields` is the same as `manyfields`."""

import sys

from manyfields.commands import main

if __name__ == "__main__":
    sys.exit(main())
