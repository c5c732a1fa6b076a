"""The processes of a session, as of a command that a test has started with `start_new_session`."""

import subprocess
import time


def members(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    listed = subprocess.run(["ps", "-o", "pid=,stat=", "-s", str(session)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "Z" not in line.split()[1]]


def all_end(session: int, seconds: float = 30) -> bool:
    """Whether they do within so many seconds."""
    end = time.monotonic() + seconds
    while members(session) and time.monotonic() < end:
        time.sleep(0.1)
    return not members(session)
