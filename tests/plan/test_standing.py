"""Files that no job would make anew, and that are not those of this run: copied, restored, or planned otherwise."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from planned_chain import Chain, configured

from learner_collusion.plan.standing import not_as_planned, told
from learner_collusion.records import identity

RAW, PREPARED = "results/datasets/raw/diabetes/diabetes.csv", "results/datasets/diabetes.parquet"


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """The folder of a study whose table is prepared, and the jobs of Snakemake that would make it."""
    monkeypatch.chdir(tmp_path)
    found = Chain(configured())
    found.table("fetch", "prepare")
    return found


def jobs(chain, **planned):
    def job(path, stage, *inputs):
        first, *rest = chain.planned(stage, "diabetes")
        params = {"planned": [planned.get(stage, first), *rest]}
        return SimpleNamespace(output=[path], input=[f"results/settings/{stage}/diabetes.yaml", *inputs], params=params)

    text = {"text": Path("results/settings/fetch/diabetes.yaml").read_text()}
    settings = SimpleNamespace(output=["results/settings/fetch/diabetes.yaml"], input=[], params=text)
    return [settings, job(RAW, "fetch"), job(PREPARED, "prepare", RAW)]


def test_what_was_made_as_planned_is_no_matter(chain):
    assert not_as_planned(jobs(chain)) == ""
    os.remove(PREPARED)  # a job that was not run
    assert not_as_planned(jobs(chain)) == ""


@pytest.mark.parametrize(("place", "what"), [(0, "settings"), (1, "code")])
def test_other_settings_or_code_are_told_and_the_first_file_named_alone(chain, place, what):
    key, _, digests = chain.planned("fetch", "diabetes")[0].partition("=")
    other = digests.split("/")
    other[place] = "0" * len(other[place])
    said = not_as_planned(jobs(chain, fetch=f"{key}={'/'.join(other)}"))
    assert said.startswith(f"{RAW} was made with other {what} than this run's, as after files were copied")
    assert said.endswith(f": run the same command with --forcerun {RAW}") and "\n" not in said


def test_settings_files_are_compared_word_by_word(chain):
    planned = jobs(chain)
    with open("results/settings/fetch/diabetes.yaml", "a") as file:
        file.write("more: 1\n")
    assert not_as_planned(planned).startswith("results/settings/fetch/diabetes.yaml holds other settings")
    os.remove("results/settings/fetch/diabetes.yaml")
    assert not_as_planned(planned).startswith("results/settings/fetch/diabetes.yaml is missing")


def test_a_file_of_another_input_or_in_anothers_place(chain):
    seen = identity.look(RAW).made
    with open(RAW, "a") as file:
        file.write("\n")
    os.remove(RAW + identity.BESIDE)
    identity.write_beside(RAW, SimpleNamespace(at=lambda path: seen))
    said = not_as_planned(jobs(chain))
    assert said.startswith(f"{PREPARED} was made from another {RAW} than the one that lies there now")
    moved = jobs(chain)[2]
    moved.input = ["results/datasets/raw/other/other.csv"]
    assert not_as_planned([moved]).startswith(f"{PREPARED} was made from {RAW}, so it is another file in its place")


def test_an_own_table_that_changed_under_its_old_time(chain):
    with open("mine.csv", "w") as file:
        file.write("1")
    with open(RAW, "w") as file:
        file.write("1")
    made = identity.look(PREPARED).made | {"inputs": {}}
    digests = chain.planned("fetch", "diabetes")[0].rpartition("=")[2].split("/")
    made |= dict(zip(("settings", "code"), digests, strict=True))
    identity.write_beside(RAW, SimpleNamespace(at=lambda path: made), {"where": "mine.csv", "path": "mine.csv"})
    fetch = jobs(chain)[1:2]
    assert not_as_planned(fetch) == ""
    state = os.stat("mine.csv")
    with open("mine.csv", "w") as file:
        file.write("2")
    os.utime("mine.csv", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert not_as_planned(fetch).startswith(f"{RAW} is a copy of mine.csv from before it was changed")


def test_what_cannot_be_read_is_told(chain, tmp_path):
    with open(PREPARED, "r+b") as file:
        file.truncate(100)
    assert not_as_planned(jobs(chain)).startswith(f"{PREPARED} is damaged")
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(ValueError):
        told(str(tmp_path / "a.npz"))


def test_the_end_of_a_file_tells_what_its_reader_checks(chain):
    for path in (RAW, PREPARED):
        assert told(path) == identity.look(path)
