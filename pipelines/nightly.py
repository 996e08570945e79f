"""The night, for a scheduler that runs Python: what `conversync nightly` does, with its exit code."""

import sys

from conversync.cli.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["nightly"]
    main()
