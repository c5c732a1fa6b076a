"""Work divided among processes, and what becomes of them."""

import os
import subprocess
import sys
import time

from conftest import ROOT
from sessions import all_end, members

from learner_collusion.training.processes import in_processes


def test_results_come_from_one_process_or_several():
    assert sorted(in_processes(abs, [-1, 2, -3], 1)) == sorted(in_processes(abs, [-1, 2, -3], 2)) == [1, 2, 3]


def test_those_of_a_killed_command_end(tmp_path):
    code = (
        "import time; from learner_collusion.training.processes import in_processes\n"
        "list(in_processes(time.sleep, [600, 600], 2))"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, start_new_session=True)
    end = time.monotonic() + 100
    while len(members(process.pid)) < 5:  # itself, two helpers of Python, and two that work
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1)
    process.kill()
    process.wait()
    assert all_end(process.pid)
