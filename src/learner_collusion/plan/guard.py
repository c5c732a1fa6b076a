"""What every run of Snakemake goes through here: one main process a folder, patience with schedulers, no files from the future, and at
the end those files that were asked for."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from . import slurm
from .owner import here, owning
from .standing import not_as_planned

# Of an executor: the folder with the commands that it uses.
COMMANDS = {"slurm": slurm.COMMANDS, "cluster-generic": slurm.COMMANDS.with_name("cluster")}


def guarded(workflow, say: Callable[[str], None], failure: type[Exception]) -> Callable:
    """The `execute` of a Snakemake workflow as its main process calls it: in a folder that is its own alone, and on a cluster
    with the commands of `COMMANDS` on the PATH. Jobs run as they are, `--nolock` where others may be; a dry run looks at no lock, and
    says who works there. Errors: `failure` where another main process lives, or files at the end are not those that were asked for.

    Snakemake looks at its lock within `execute`, and tells only there what kind of run this is.
    """
    execute = workflow.execute

    def execute_alone(*arguments, executor_plugin, **named):
        def run(complain: Callable[[str], None]):
            result = execute(*arguments, executor_plugin=executor_plugin, **named)
            if wrong := not_as_planned(_finished(workflow)):
                complain(wrong)
            return result

        def fail(sentence: str) -> None:
            raise failure(sentence)

        if workflow.subprocess_exec or workflow.remote_exec:
            return execute(*arguments, executor_plugin=executor_plugin, **named)
        if executor_plugin.common_settings.dryrun_exec:
            # Snakemake would take the lock of a dead one for a living one's
            workflow.execution_settings.lock = False
            if living := here(Path.cwd()):
                say(f"Snakemake works in {Path.cwd()}: {living}.")
            return run(say)
        if not workflow.execution_settings.lock:
            return run(fail)
        if commands := COMMANDS.get(executor_plugin.name):
            os.environ["PATH"] = os.pathsep.join([str(commands), os.environ["PATH"]])
        try:
            with owning(Path.cwd(), say, slurm.cancel_left):
                set_back(Path("results"), say)
                return run(fail)
        except UserError as error:
            raise failure(str(error)) from None

    return execute_alone


def _finished(workflow) -> list:
    """The jobs of the plan that had nothing to do; none where the workflow has made no plan, as to list its rules."""
    dag = getattr(workflow, "_dag", None)
    if dag is None:
        return []
    # those that ran are left out: they made what they should, and a dry run only says so
    ran = set(map(id, dag.needrun_jobs(exclude_finished=False)))
    return [job for job in dag.jobs if id(job) not in ran]


_SKEW = 5.0  # seconds by which clocks of machines may differ


def set_back(folder: Path, say: Callable[[str], None]) -> None:
    """Give files from the future the time of now. Snakemake fails a job whose outputs are older than its inputs, and would do so
    until that future: after a clock was set, or where files were copied with their times. What was made from them is made anew."""
    now, found = time.time(), []
    for place, _, names in os.walk(folder):
        for path in (os.path.join(place, name) for name in names):
            with contextlib.suppress(OSError):  # gone, or not ours
                if os.stat(path).st_mtime > now + _SKEW:
                    os.utime(path, (now, now))
                    found.append(path)
    if found:
        more = f" and {len(found) - 1:,} more" * (len(found) > 1)
        say(f"{found[0]}{more} had a time in the future, as after a clock was set: it is now.")


# What a driver makes: NVIDIA's, the same within WSL, AMD's.
_DEVICES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def has_gpu() -> bool:
    """Whether a driver has made the device of a GPU here; whether PyTorch can use it a job will tell."""
    return any(map(os.path.exists, _DEVICES))


def without_gpu(workflow) -> str:
    """A sentence where jobs that need a GPU would run on this machine, which has none; else empty. Called when it is known which jobs
    run, and before the first one."""
    if workflow._executor_plugin.name != "local" or has_gpu():
        return ""
    names = sorted({job.rule.name for job in workflow.dag.needrun_jobs() if job.resources.get("gpu")})
    if not names:
        return ""
    return (
        f"This machine has no GPU, which {' and '.join(names)} would need: set the device to cpu "
        "(tabular.device, images.hardware.device or imagenet.hardware.device in the configuration), or run it elsewhere."
    )
