"""What runs of Snakemake go through: which of them own their folder, and which get the commands of a cluster."""

import os
import time
from types import SimpleNamespace

import pytest

from learner_collusion.errors import UserError
from learner_collusion.plan import guard, owner


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Runs a pretended workflow; returns whether it owned its folder, and its PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.environ["PATH"])

    def run(executor="local", dry=False, lock=True, job=False, dag=None):
        def execute(**named):
            assert named["more"] == 1
            return (tmp_path / ".snakemake/main.json").exists(), os.environ["PATH"]

        workflow = SimpleNamespace(execute=execute, subprocess_exec=job, remote_exec=False, _dag=dag)
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


def test_a_dry_run_says_who_works_there_and_takes_no_lock_for_a_living_process(ran, tmp_path, capsys):
    ran(dry=True)
    assert capsys.readouterr().out == ""
    with owner.owning(tmp_path, print):
        ran(dry=True)
    assert capsys.readouterr().out.startswith(f"Snakemake works in {tmp_path}: process {os.getpid()} on ")


@pytest.mark.parametrize(("executor", "command"), [("slurm", "sbatch"), ("cluster-generic", "submit")])
def test_a_cluster_has_its_commands_first(ran, executor, command):
    first = ran(executor)[1].split(os.pathsep)[0]
    assert os.access(f"{first}/{command}", os.X_OK)


@pytest.mark.parametrize(
    ("executor", "devices", "gpus", "told"),
    [
        ("local", (), (1, 0), True),
        ("local", (), (0, None), False),
        ("local", ("/",), (1,), False),
        ("slurm", (), (1,), False),
    ],
)
def test_jobs_that_need_a_gpu_where_there_is_none_are_named(monkeypatch, executor, devices, gpus, told):
    monkeypatch.setattr(guard, "_DEVICES", devices)
    jobs = [SimpleNamespace(rule=SimpleNamespace(name="train"), resources={"gpu": number}) for number in gpus]
    workflow = SimpleNamespace(_executor_plugin=SimpleNamespace(name=executor))
    workflow.dag = SimpleNamespace(needrun_jobs=lambda: iter(jobs))
    said = guard.without_gpu(workflow)
    assert (
        said.startswith("This machine has no GPU, which train would need: set the device to cpu")
        if told
        else said == ""
    )


def test_files_from_the_future_are_of_now(ran, tmp_path, capsys):
    (tmp_path / "results/datasets").mkdir(parents=True)
    late, past = tmp_path / "results/datasets/a.parquet", tmp_path / "results/b.parquet"
    for path, when in ((late, 1e9), (past, -1e6)):
        path.write_text("x")
        os.utime(path, (time.time() + when, time.time() + when))
    known = past.stat().st_mtime
    ran(dry=True)
    assert late.stat().st_mtime > time.time() + 1e8  # who only looks changes nothing
    ran()
    assert abs(late.stat().st_mtime - time.time()) < 60 and past.stat().st_mtime == known
    assert "results/datasets/a.parquet had a time in the future" in capsys.readouterr().out
    ran()
    assert "future" not in capsys.readouterr().out


def test_a_run_that_leaves_files_of_other_settings_fails_and_a_dry_run_says_so(ran, tmp_path, capsys):
    (tmp_path / "old.yaml").write_text("a: 1")
    made = SimpleNamespace(output=["old.yaml"], input=[], params={"text": "a: 2"})
    waiting = SimpleNamespace(jobs=[made], needrun_jobs=lambda **_: iter([made]))  # as of a run that stopped before it
    assert ran(dag=waiting)[0] is True
    done = SimpleNamespace(jobs=[made], needrun_jobs=lambda **_: iter([]))
    with pytest.raises(UserError, match=r"old\.yaml holds other settings than this run's.*--forcerun old\.yaml$"):
        ran(dag=done)
    ran(dry=True, dag=done)
    assert "old.yaml holds other settings" in capsys.readouterr().out
    made.params["text"] = "a: 1"
    assert ran(dag=done)[0] is True
