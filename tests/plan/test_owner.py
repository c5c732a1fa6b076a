"""One main process a folder: the dead are told from the living, and what they left behind is cleaned up."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from learner_collusion.errors import UserError
from learner_collusion.plan import owner

# Owns the folder that it is given, starts a process of its own, says so, and waits until its input ends.
MAIN = """
import subprocess, sys
from pathlib import Path
from learner_collusion.errors import UserError
from learner_collusion.plan.owner import owning
try:
    with owning(Path(sys.argv[1]), lambda line: print(line, flush=True)):
        child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
        print("owning", flush=True)
        sys.stdin.read()
        child.kill()
except UserError as error:
    print(error, flush=True)
"""


def start(folder) -> subprocess.Popen:
    command = [sys.executable, "-c", MAIN, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(owner, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(owner, "BEAT_SECONDS", 0.1)


@pytest.fixture
def said():
    return []


def written(folder, **changed):
    """A record as another process has written it."""
    record = folder / ".snakemake/main.json"
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps({"owner": asdict(replace(owner.this_process(), **changed)), "beat": 0}))
    return record


def test_after_a_kill_the_next_one_goes_on(tmp_path, said):
    main = start(tmp_path)
    assert main.stdout.readline() == "owning\n"
    (tmp_path / ".snakemake/locks").mkdir()
    key = owner.read(tmp_path / ".snakemake/main.json").key
    end = time.monotonic() + 20
    while len(owner.orphans(key)) != 1:  # the new process has its own environment only once it has begun
        assert time.monotonic() < end
        time.sleep(0.02)
    main.kill()
    main.wait()
    with owner.owning(tmp_path, said.append):
        assert not (tmp_path / ".snakemake/locks").exists() and not owner.orphans(key)
        assert owner.read(tmp_path / ".snakemake/main.json").pid == os.getpid()
    assert len(said) == 1 and "was killed: 1 of its processes ended, its lock removed." in said[0]
    assert not (tmp_path / ".snakemake/main.json").exists()


# Owns the folder that it is given, and is interrupted so that it leaves a lock, or a job, or nothing.
INTERRUPTED = """
import subprocess, sys
from pathlib import Path
from learner_collusion.plan.owner import owning
with owning(Path(sys.argv[1]), print):
    if sys.argv[2] == "lock":
        Path(sys.argv[1], ".snakemake/locks").mkdir()
        Path(sys.argv[1], ".snakemake/locks/0.input.lock").touch()
    elif sys.argv[2] == "job":
        print(subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("left", ["lock", "job", "nothing"])
def test_an_interruption_leaves_neither_lock_nor_job(tmp_path, said, left):
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path), left]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode and "KeyboardInterrupt" in ended.stderr
    assert not (tmp_path / ".snakemake/main.json").exists() and not (tmp_path / ".snakemake/locks").exists()
    if left == "job":
        job = Path("/proc", ended.stdout.strip(), "stat")
        assert not job.exists() or job.read_text().rpartition(")")[2].split()[0] in "ZX"
    with owner.owning(tmp_path, said.append):
        assert not said


def test_a_living_one_is_named(tmp_path, said):
    main = start(tmp_path)
    assert main.stdout.readline() == "owning\n"
    (tmp_path / ".snakemake/locks").mkdir()
    with (
        pytest.raises(UserError, match=rf"process {main.pid} on {platform.node()}.*Wait until it ends"),
        owner.owning(tmp_path, said.append),
    ):
        pass
    assert not said and (tmp_path / ".snakemake/locks").exists()
    main.communicate("")
    with owner.owning(tmp_path, said.append):
        assert not said  # it ended by itself, and left nothing to clean up


def test_a_process_id_that_was_used_again_deceives_nobody(tmp_path, said):
    written(tmp_path, started="1")
    with owner.owning(tmp_path, said.append):
        assert "was killed" in said[0]


def test_a_silent_one_elsewhere_is_dead(tmp_path, said, quick):
    written(tmp_path, machine="elsewhere", host="node7", slurm_job="17")
    with owner.owning(tmp_path, said.append):
        assert "on node7, SLURM job 17, since" in said[0] and "watching" in said[0] and "was killed" in said[1]


def test_a_beating_one_elsewhere_lives(tmp_path, said, quick):
    record = written(tmp_path, machine="elsewhere", host="node7")
    there, ended = owner.read(record), threading.Event()
    heart = threading.Thread(target=owner._beat, args=(record, there, ended, said.append))
    heart.start()
    with pytest.raises(UserError, match="on node7"), owner.owning(tmp_path, said.append):
        pass
    ended.set()
    heart.join()
    assert owner.read(record) == there


def test_one_elsewhere_that_ends_while_it_is_watched(tmp_path, said, quick):
    record = written(tmp_path, machine="elsewhere")
    threading.Timer(0.2, record.unlink).start()
    with owner.owning(tmp_path, said.append):
        assert owner.read(record).pid == os.getpid()


def test_of_many_at_once_one_works(tmp_path):
    mains = [start(tmp_path) for _ in range(5)]
    lines = [main.stdout.readline() for main in mains]
    assert lines.count("owning\n") == 1
    assert sum("already works in" in line for line in lines) == 4
    for main in mains:
        main.communicate("")


def test_one_that_was_silent_for_long_gives_way(tmp_path, said, quick, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, kind: sent.append((pid, kind)))
    with owner.owning(tmp_path, said.append):
        record = written(tmp_path, machine="elsewhere", host="node7")
        deadline = time.monotonic() + 20
        while not sent and time.monotonic() < deadline:
            time.sleep(0.05)
    assert sent == [(os.getpid(), signal.SIGINT)] and "on node7" in said[0]
    assert record.exists()  # the other one's


def test_where_files_cannot_be_locked(tmp_path, said, monkeypatch):
    monkeypatch.setattr(owner.fcntl, "lockf", lambda *_: (_ for _ in ()).throw(OSError("no locks available")))
    with owner.owning(tmp_path, said.append):
        assert owner.read(tmp_path / ".snakemake/main.json").pid == os.getpid()
