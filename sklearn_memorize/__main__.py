"""Run the guided demonstration: `python -m sklearn_memorize --help`."""

import sys

from ._demo import main

if __name__ == "__main__":
    sys.exit(main())
