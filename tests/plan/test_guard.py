"""What runs of Snakemake go through: which of them own their folder, and which get the commands of a cluster."""

import os
from types import SimpleNamespace

import pytest

from learner_collusion.errors import UserError
from learner_collusion.plan import guard


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Runs a pretended workflow; returns whether it owned its folder, and its PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.environ["PATH"])

    def run(executor="local", dry=False, lock=True, job=False):
        def execute(**named):
            assert named["more"] == 1
            return (tmp_path / ".snakemake/main.json").exists(), os.environ["PATH"]

        workflow = SimpleNamespace(execute=execute, subprocess_exec=job, remote_exec=False)
        workflow.execution_settings = SimpleNamespace(lock=lock)
        plugin = SimpleNamespace(name=executor, common_settings=SimpleNamespace(dryrun_exec=dry))
        return guard.guarded(workflow, print, UserError)(executor_plugin=plugin, more=1)

    return run


def test_a_run_owns_its_folder_while_it_lasts(ran, tmp_path):
    assert ran() == (True, os.environ["PATH"]) and not (tmp_path / ".snakemake/main.json").exists()


@pytest.mark.parametrize("kind", [{"dry": True}, {"lock": False}, {"job": True}])
def test_dry_runs_jobs_and_nolock_do_not(ran, tmp_path, kind):
    (tmp_path / ".snakemake").mkdir()
    assert ran(**kind)[0] is False


@pytest.mark.parametrize(("executor", "command"), [("slurm", "sbatch"), ("cluster-generic", "submit")])
def test_a_cluster_has_its_commands_first(ran, executor, command):
    first = ran(executor)[1].split(os.pathsep)[0]
    assert os.access(f"{first}/{command}", os.X_OK)
