"""How far a run is, by logs as Snakemake writes them: what is done, runs, waits and failed, and how long it will take."""

import os
import time

from hypothesis import given
from hypothesis import strategies as st

from learner_collusion.publishing import progress

START = 1_800_000_000  # seconds since 1970


def stamp(seconds: float) -> str:
    return f"[{time.asctime(time.localtime(START + seconds))}]"


def stats(**counts: int) -> list[str]:
    lines = ["Job stats:", "job         count", "--------  -------"]
    return [*lines, *(f"{rule:10}{count:7}" for rule, count in counts.items()), f"total {sum(counts.values())}", ""]


def begins(number: int, rule: str, at: float, *, indent: str = "", **fields: str) -> list[str]:
    lines = [stamp(at), f"{'local' * (rule == 'all')}rule {rule}:"]
    lines += [f"    {name}: {fields[name]}" for name in ("input", "log") if name in fields]
    lines += [f"    jobid: {number}", "    reason: Missing output files: x"]
    lines += [f"    {name}: {fields[name]}" for name in ("wildcards",) if name in fields]
    return [indent + line for line in lines]


def ends(number: int, at: float, done: int = 0, total: int = 0) -> list[str]:
    progressed = [f"{done} of {total} steps ({100 * done // total}%) done"] if total else []
    return [stamp(at), f"Finished jobid: {number} (Rule: x)", *progressed]


def fails(number: int, rule: str, at: float) -> list[str]:
    return [
        stamp(at),
        f"Error in rule {rule}:",
        "    message: None",
        f"    jobid: {number}",
        "    log: a.log (check log)",
    ]


def test_what_is_done_runs_waits_and_failed():
    lines = stats(train=6, all=1) + begins(1, "train", 0, wildcards="run=0", log="results/a.log", input="s.yaml, t.npz")
    run = progress.read(lines)
    assert progress.counted(run) == "0 of 7 jobs done, 1 running, 6 waiting"
    job = run.running[1]
    assert (str(job), job.logs, job.inputs) == ("train (run=0)", ["results/a.log"], ["s.yaml", "t.npz"])
    lines += begins(2, "train", 5) + ends(1, 60, 1, 7) + begins(3, "train", 60) + fails(2, "train", 70)
    run = progress.read(lines)
    assert progress.counted(run) == "1 of 7 jobs done, 1 running, 4 waiting, 1 failed"
    assert run.durations == {"train": [60]} and list(run.failed) == [2]
    run = progress.read([*lines, "Trying to restart job 2."])
    assert progress.counted(run) == "1 of 7 jobs done, 1 running, 5 waiting"
    run = progress.read([*lines, "Complete log(s): x"])
    assert run.ended and not run.running and list(run.failed) == [2]


def test_jobs_of_a_group_and_numbers_of_a_scheduler():
    lines = stats(train=3, all=1)
    lines += [f"{stamp(0)} Group job g-1 (jobs in lexicogr. order):"]
    lines += begins(1, "train", 0, indent="    ") + begins(2, "train", 0, indent="    ")
    lines += ["Job g-1 has been submitted with SLURM jobid 71 (log: x)."]
    lines += [*begins(3, "train", 0), "Submitted job 3 with external jobid '72.server'."]
    run = progress.read(lines)
    assert sorted(run.running) == [1, 2, 3] and run.most == 3
    assert [run.running[number].submitted for number in (1, 2, 3)] == ["71", "71", "72.server"]
    failed = [stamp(9), "    message: x", "    jobs:", "        rule train:", "            jobid: 1", "        rule train:",
              "            jobid: 2"]  # fmt: skip
    run = progress.read(lines + failed)
    assert sorted(run.failed) == [1, 2] and sorted(run.running) == [3]
    run = progress.read([*lines, *failed, "Trying to restart job 8c0b-group."])
    assert not run.failed and run.waiting == 3


@given(st.integers(1, 40), st.integers(1, 6), st.integers(2, 5000))
def test_equal_jobs_in_lanes_take_as_long_as_those_before(count, lanes, seconds):
    """After the first round of a study of equal jobs, the rest takes as many rounds as there are."""
    lines, first = stats(train=count, all=1), min(lanes, count)
    for number in range(first):
        lines += begins(number, "train", 0)
    for number in range(first):
        lines += ends(number, seconds, number + 1, count + 1)
    run = progress.read(lines)
    left = progress.left(run, run.now, {})
    assert abs(left.seconds - (count - first) * seconds / first) < 1e-6 * seconds and left.unknown == []


def test_the_time_left_is_a_bound_where_kinds_of_jobs_are_unknown():
    lines = stats(fetch=2, train=2, all=1) + begins(1, "fetch", 0)
    assert progress.left(progress.read(lines), START + 4, {}) is None
    lines += ends(1, 10, 1, 5) + begins(2, "fetch", 10) + begins(3, "train", 10)
    run = progress.read(lines)
    left = progress.left(run, START + 14, {})
    assert left == progress.Left(6, ["train"]) and progress.remaining(left) == "at least 6 s left"
    half = {3: progress.Training("epoch 5 of 10", 0.5)}  # by its epochs a training tells, too
    left = progress.left(run, START + 30, half)
    assert left.unknown == [] and left.seconds == (20 + 40) / 2
    late = progress.left(run, START + 500, half)  # beyond the mean of its kind a job may end at any time
    assert late.seconds == (490 + 980) / 2


def test_the_epoch_of_a_training_and_the_runs_of_a_table(tmp_path):
    run = progress.read(
        begins(1, "train", 0, log="a.log") + begins(2, "tune", 0, log="b.log", input="s.yaml, t.parquet")
        + begins(3, "x", 0, log="none.log")
    )  # fmt: skip
    (tmp_path / "a.log").write_text("epoch 1 of 80: ERR\nepoch 2 of 80, batch 30: ERR train 0.1\n")
    (tmp_path / "b.log").write_text("diabetes, run 1: 20 trials\ndiabetes, run 0: 20 trials\n")
    (tmp_path / "s.yaml").write_text("seed: 0\nruns: 10\n")
    for name in ("a.log", "b.log"):
        os.utime(tmp_path / name, (START + 5, START + 5))
    assert progress.trainings(run, tmp_path) == {
        1: progress.Training("epoch 2 of 80, batch 30", 1 / 80),
        2: progress.Training("2 of 10 runs", 0.2),
    }
    for name in ("a.log", "b.log"):  # of an earlier attempt
        os.utime(tmp_path / name, (START - 60, START - 60))
    assert progress.trainings(run, tmp_path) == {}


def test_spans_are_read_easily():
    shown = {0.4: "0 s", 59: "59 s", 3540: "59 min", 3599: "1 h", 12_000: "3 h 20 min", 86_400 * 3: "3 days"}
    assert {seconds: progress.span(seconds) for seconds in shown} == shown
