"""`python -m tests.http.peak SECONDS COMMAND...` runs a command, and prints a JSON line of what it took.

Its own process is small: who is started by a large one has that one's peak from its first moment on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading


def main(seconds: str, *command: str) -> None:
    """Its output goes to our standard error; after so many seconds it is killed."""
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        timer = threading.Timer(float(seconds), process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    told = {"code": process.returncode, "megabytes": usage.ru_maxrss / 1024}
    print(json.dumps(told | {"cpu": usage.ru_utime + usage.ru_stime}))  # noqa: T201 - for the test


if __name__ == "__main__":
    main(*sys.argv[1:])
