"""Each training process on a machine with several GPUs has one to itself."""

import os
import subprocess
import sys

from conftest import ROOT


def test_each_process_holds_a_different_gpu(tmp_path):
    """Two processes beside each other get different ones; a third finds none free; a dead one's is free again."""
    code = (
        "import sys; from pathlib import Path; from learner_collusion.training.device import lock_free_gpu\n"
        f"print(lock_free_gpu(['a', 'b'], Path({str(tmp_path)!r})), flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return process, process.stdout.readline().strip()

    first, second = start(), start()
    assert (first[1], second[1]) == ("0", "1") and start()[1] == "None"
    first[0].kill()
    first[0].wait()
    third = start()
    assert third[1] == "0"
    for process, _ in (second, third):
        process.kill()
        process.wait()
