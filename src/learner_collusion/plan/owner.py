"""One main process of Snakemake a folder: which one works here, and whether it still lives.

Snakemake locks a folder, and a killed one leaves its lock behind. So a main process also writes who it is to
`.snakemake/main.json`. The next one goes on where that process is dead, and says who it is where it lives:

- On the same machine (boot and process namespace) the process id and its start time tell, so a reused id deceives nobody.
- From elsewhere (another node, a container) its heartbeat tells: the record changes while its process lives. No clock is
  compared; the record is watched.

Two that start at once take turns by a file lock while they look. On a file system without such locks the one whose record
is overwritten ends at its next heartbeat. What a dead main process left running on this machine is ended: it bears the
record's key in its environment.
"""

import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import UserError
from ..files import write_text

BEAT_SECONDS = 10.0
SILENT_SECONDS = 60.0  # a record that nobody rewrote for so long is a dead process's
GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL for what a dead main process left behind
VARIABLE = "LEARNER_COLLUSION_MAIN"  # the key of the main process, in the environment of its jobs

Say = Callable[[str], None]


@dataclass(frozen=True)
class Owner:
    """A main process: `machine` is one boot and process namespace, `started` in ticks since that boot."""

    host: str
    machine: str
    pid: int
    started: str
    since: str  # for people
    slurm_job: str | None

    @property
    def key(self) -> str:
        return f"{self.machine}/{self.pid}/{self.started}"

    def __str__(self) -> str:
        job = f", SLURM job {self.slurm_job}" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.since}"


@contextlib.contextmanager
def owning(folder: Path, say: Say, cancel: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Be the one main process of `folder` until the end of the block.

    At its end nothing of it runs, and its lock is gone. Where the last one was killed, its lock is removed, what it left running is
    ended, and `say` is told. `cancel` does so for jobs elsewhere, and returns how many there were. Errors: UserError where another one lives.
    """
    record = folder / ".snakemake/main.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    mine = this_process()
    with _turn(record.with_suffix(".turn")):
        last = read(record)
        if last is not None and alive(last, record, say):
            raise UserError(
                f"Snakemake already works in {folder}: {last}. Wait until it ends, or stop it (kill {last.pid} on {last.host}); "
                "or give this one a folder of its own with --directory."
            )
        _write(record, mine, 0)
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(record, mine, ended, say), daemon=True)
    beat.start()
    try:
        _clean_up(folder, last, say, cancel)
        os.environ[VARIABLE] = mine.key
        yield
    finally:
        ended.set()
        beat.join()
        os.environ.pop(VARIABLE, None)
        if read(record) == mine:
            # Snakemake leaves its lock and jobs where it is interrupted twice, and a job that was killed its workers. The record
            # goes last: who is killed meanwhile leaves the rest to the next one.
            _end(mine.key)
            shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
            record.unlink(missing_ok=True)


def this_process() -> Owner:
    """The record of this process."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    pid = os.getpid()
    return Owner(platform.node(), _machine(), pid, _started(pid) or "", since, os.environ.get("SLURM_JOB_ID"))


def read(record: Path) -> Owner | None:
    """The process that a record names; None where there is none that can be read."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return Owner(**content["owner"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def here(folder: Path) -> Owner | None:
    """The main process of this machine that works in a folder."""
    found = read(folder / ".snakemake/main.json")
    return found if found and lives_here(found) else None


def lives_here(owner: Owner) -> bool | None:
    """Whether a process of this machine lives; None for one of another machine."""
    return owner.started == _started(owner.pid) if owner.machine == _machine() else None


def alive(owner: Owner, record: Path, say: Say) -> bool:
    """Whether the process that wrote `record` lives; takes up to `SILENT_SECONDS` where that is on another machine."""
    if (here := lives_here(owner)) is not None:
        return here
    say(f"The last run here was {owner}: watching for {SILENT_SECONDS:.0f} seconds whether it still lives.")
    before, end = _text(record), time.monotonic() + SILENT_SECONDS
    while time.monotonic() < end:
        time.sleep(min(1.0, SILENT_SECONDS / 10))
        if (now := _text(record)) != before:
            return now is not None  # its process ended just now, and removed it
    return False


def orphans(key: str) -> list[int]:
    """The processes on this machine that the main process of this key started, those that cannot be read left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{VARIABLE}={key}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _clean_up(folder: Path, last: Owner | None, say: Say, cancel: Callable[[], int]) -> None:
    """Remove the lock of a dead main process, and end what it left running."""
    done = [f"{jobs} of its jobs cancelled"] if (jobs := cancel()) else []
    if last is not None:
        if processes := _end(last.key):
            done.append(f"{processes} of its processes ended")
        shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
        done.append("its lock removed")
    if done:
        say(f"The last run here{f' ({last}) was killed' if last else ''}: {', '.join(done)}.")


def _end(key: str) -> int:
    """End the orphans of a main process, first kindly; how many there were."""
    first = orphans(key)
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for pid in orphans(key):
            with contextlib.suppress(OSError):
                os.kill(pid, kind)
        end = time.monotonic() + GRACE_SECONDS
        while orphans(key) and time.monotonic() < end:
            time.sleep(0.1)
    return len(first)


def _beat(record: Path, mine: Owner, ended: threading.Event, say: Say) -> None:
    """Rewrite the record now and then; end this process where the folder has become another one's."""
    number = 0
    while not ended.wait(BEAT_SECONDS):
        number += 1
        owner = read(record)
        if owner not in (mine, None):
            say(
                f"Snakemake was started in this folder anew ({owner}), as this process was silent for long: this one ends."
            )
            os.kill(os.getpid(), signal.SIGINT)
            return
        with contextlib.suppress(OSError):  # a full disk: the next beat may find room
            _write(record, mine, number)


def _write(record: Path, owner: Owner, beat: int) -> None:
    write_text(record, json.dumps({"owner": asdict(owner), "beat": beat}))


def _text(record: Path) -> str | None:
    """What a record holds; opened anew, so that a network file system asks its server."""
    with contextlib.suppress(OSError):
        return record.read_text(encoding="utf-8")
    return None


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """The block after those of other processes, where the file system has locks."""
    with open(path, "a", encoding="utf-8") as file:
        with contextlib.suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _machine() -> str:
    """This boot of this machine, and the namespace of its process ids."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + " " + os.readlink("/proc/self/ns/pid")
    except OSError:
        return platform.node()


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the boot; None where there is none, or one that is only not yet reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
