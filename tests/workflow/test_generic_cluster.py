"""The workflow under Snakemake's generic cluster executor, with stand-ins for the commands of PBS."""

import importlib.util
import os
import subprocess

import pytest
from workflows import ROOT, snakemake

TARGET = "results/tabular/diabetes/best.parquet"
COMMANDS = {
    # refuses at first; then starts the script that is its last argument, and kills the first tuning without a trace
    "qsub": """
echo "$@" >> calls; [ $(wc -l < calls) -le 1 ] && exit 1
for script; do :; done
job=$(wc -l < calls)
(setsid sh "$script" > $job.out 2>&1 < /dev/null & process=$!
 case "$*" in *"-N tune_dataset"*) [ -e killed ] || { touch killed; sleep 1; kill -9 -$process; } ;; esac
 wait $process; echo $? > $job.status) > /dev/null 2>&1 &
echo $job.server""",
    # no answer at first; then as `qstat -xf` of OpenPBS
    "qstat": """
[ -e silent ] || { touch silent; echo "cannot connect to server" >&2; exit 1; }
job=${2%.server}
if [ -e $job.status ]; then printf '    job_state = F\\n    Exit_status = %s\\n' $(cat $job.status); else echo '    job_state = R'; fi""",
    "qdel": "exit 0",
}


@pytest.fixture
def pbs(tmp_path):
    """The folder of the stand-ins; they keep their state there, and `qsub` runs jobs in the folder that it is called from."""
    for name, text in COMMANDS.items():
        inside = text.replace("calls", f"{tmp_path}/calls").replace("killed", f"{tmp_path}/killed")
        inside = inside.replace("silent", f"{tmp_path}/silent").replace("$job.", f"{tmp_path}/$job.")
        inside = inside.replace(f"echo {tmp_path}/$job.server", "echo $job.server")
        (tmp_path / name).write_text(f"#!/bin/bash\n{inside}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_under_a_stand_in_for_pbs(pbs):
    if importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None:
        pytest.skip("snakemake-executor-plugin-cluster-generic is not installed")
    common = ("--configfile", "workflow/presets/ci.yaml", "--directory")
    path = f"{pbs}:{os.environ['PATH']}"
    result = snakemake("--profile", "workflow/profiles/cluster", "--latency-wait", "10", "--max-status-checks-per-second", "5",
                       "--seconds-between-status-checks", "2", *common, pbs / "pbs", "--", TARGET, PATH=path)  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-3000:]
    calls = (pbs / "calls").read_text().splitlines()
    assert "refused; again in 1 seconds" in output and "Trying to restart job" in output
    tuned = [call for call in calls if "-N tune_dataset" in call]
    assert "mem=2000mb:ngpus=0 -l walltime=7200" in tuned[0] and "mem=4000mb:ngpus=0 -l walltime=14400" in tuned[1]
    local = snakemake("--cores", "2", *common, pbs / "local", "--", TARGET)
    assert local.returncode == 0, local.stderr[-3000:]
    assert (pbs / "pbs" / TARGET).read_bytes() == (pbs / "local" / TARGET).read_bytes()


@pytest.mark.parametrize(("said", "code", "state"), [
    ("job_state = R", 0, "running"), ("job_state = F\n    Exit_status = 0", 0, "success"),
    ("Exit_status = 0\n    job_state = F", 0, "success"), ("job_state = F\n    Exit_status = 271", 0, "failed"),
    ("qstat: Unknown Job Id 7.server", 153, "failed"), ("cannot connect to server", 111, "running"),
])  # fmt: skip
def test_the_state_of_a_job(tmp_path, said, code, state):
    (tmp_path / "qstat").write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    (tmp_path / "qstat").chmod(0o755)
    command = [ROOT / "workflow/cluster/status", "7.server"]
    answer = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True)
    assert answer.stdout == f"{state}\n"
