"""How the workflow tests call Snakemake, and read what it plans."""

import functools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
NO_NETWORK = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}  # wherever this runs


def snakemake(*arguments, timeout=1500, clone=ROOT, **environment):
    """Run Snakemake from the root of a clone, without a mirror unless one is given."""
    command = ["timeout", "-k", "5", str(timeout), str(SNAKEMAKE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=clone, env=without_mirror(environment))


def plan(*arguments, clone=ROOT, **environment):
    """What `snakemake -n` gives, in a quarter of the time: from a fork of a process that has imported Snakemake (`planner.py`).

    What Snakemake takes from where it is imported takes `snakemake`: PYTHONPATH, and models beside the place of the call.
    """
    assert "PYTHONPATH" not in environment
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"{folder}/stdout", f"{folder}/stderr"]
        order = [["-n", *map(str, arguments)], str(clone), without_mirror(environment), outputs]
        planner().stdin.write(json.dumps(order) + "\n")
        planner().stdin.flush()
        status = int(planner().stdout.readline())
        texts = [Path(path).read_text() for path in outputs]
    return subprocess.CompletedProcess(order[0], status, *texts)


@functools.cache
def planner() -> subprocess.Popen:
    """The process that plans for all tests of this one; it ends when its standard input does."""
    command = [sys.executable, str(ROOT / "tests/planner.py")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def without_mirror(environment: dict) -> dict[str, str]:
    """The variables of this process but for the mirror, and these."""
    return {k: v for k, v in os.environ.items() if k != "LEARNER_COLLUSION_MIRROR"} | environment


def planned(result) -> dict[str, int]:
    """Jobs by rule, from the table of a dry run."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", result.stdout, re.M)}


def processor_seconds(call):
    """What `call` returns, and the processor time that its child processes took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copy_of_the_clone(folder: Path) -> Path:
    """The files that the workflow reads, where a test may change them; the compiled library comes along."""
    copy = folder / "clone"
    for name in ("Snakefile", "config.yaml"):
        copy.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    for name in ("src", "workflow", "envs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (copy / "profiles").symlink_to("workflow/profiles")
    return copy
