"""The page, the Markdown, the JSON and the picture of a diagnosis say the same."""

import re

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from predictions.made_predictions import diagnosed, numbers, probabilities, save

from learner_collusion import diagnosis
from learner_collusion.bootstrap import Estimate
from learner_collusion.diagnosis import Diagnosis, Sign
from learner_collusion.publishing.diagnosis_page import as_text, reading

WIDTH = 80


def shown(capsys, path, *arguments) -> tuple[dict, str]:
    capsys.readouterr()
    return diagnosed(path, *arguments), capsys.readouterr().out


def test_four_ways_to_see_it(tmp_path, capsys):
    path = tmp_path / "predictions.csv"
    save(numbers(), path)
    found, page = shown(capsys, path)
    text = (tmp_path / "found.md").read_text()
    assert max(map(len, page.split("\nWritten: ")[0].splitlines())) <= WIDTH
    assert " ".join(found["reading"].split()) in " ".join(page.split()) and found["reading"] in text
    assert found["collusion"] is True and found["reading"].startswith(
        "This ensemble colludes: constant biases that cancel"
    )
    assert "below 2.7 %" in found["reading"]
    for value in [found["err"], found["div"], *found["errors"], *found["signs"], *found["codependence"]]:
        number = f"{value['value']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"
        assert number in page and number in text
    assert np.array(found["correlations"]).shape == (3, 3)
    with Image.open(tmp_path / "found.png") as image:
        assert image.width > 1000 and image.info["Description"] == found["reading"]
    assert "](found.png)" in text and "Written:" in page


def test_without_an_output_the_files_are_named_after_the_predictions(tmp_path, monkeypatch):
    from learner_collusion.cli import main

    (tmp_path / "data").mkdir()
    save(probabilities(), tmp_path / "data/nets.csv.gz")
    monkeypatch.chdir(tmp_path)
    assert main(["diagnose", "data/nets.csv.gz", "--draws", "20"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "data", "nets-diagnosis.json", "nets-diagnosis.md", "nets-diagnosis.png",
    ]  # fmt: skip


def test_many_learners_and_long_names(tmp_path, capsys):
    frame = numbers()
    random = np.random.default_rng(0)
    for k in range(40):
        frame[f"a learner with a very long name that goes on and on, number {k}"] = frame["target"] + random.normal(
            size=120
        )
    save(frame, tmp_path / "p.csv")
    found, page = shown(capsys, tmp_path / "p.csv")
    assert max(map(len, page.split("\nWritten: ")[0].splitlines())) <= WIDTH
    assert "best and the worst" in page and len(found["errors"]) == 43
    assert (tmp_path / "found.md").read_text().count("a learner with a very long") >= 40
    assert [one["left_out"] for one in found["codependence"]] == [4, 9, 13, 17, 22, 26, 30, 34, 39]


def test_learners_at_chance_are_called_by_their_names(tmp_path, capsys):
    frame = probabilities()
    frame[[f"b:{name}" for name in ("cat", "dog", "owl")]] = 1 / 3
    save(frame, tmp_path / "p.csv")
    found, page = shown(capsys, tmp_path / "p.csv")
    assert found["at_chance"] == ["b"] and "learner b at chance" in found["reading"]
    assert re.search(r"^  b .*  at chance$", page, re.M)


def test_the_same_input_gives_the_same_files(tmp_path):
    save(numbers(), tmp_path / "p.csv")
    files = []
    for seed in (0, 0, 1):
        diagnosed(tmp_path / "p.csv", "--seed", seed)
        files.append([(tmp_path / f"found.{end}").read_bytes() for end in ("json", "md", "png")])
    assert files[0] == files[1] and files[0][0] != files[2][0]
    assert "NaN" not in files[0][0].decode()


def made(bias, pairwise, chance, collusive, reason="", at_chance=()) -> Diagnosis:
    signs = (
        Sign("bias", "", Estimate(*bias), diagnosis.BIAS_OF_OUTPUTS),
        Sign("pairwise", "", Estimate(*pairwise), 0.0, below=True),
        Sign("chance", "", Estimate(*chance), diagnosis.CHANCE, below=True),
    )
    one = Estimate(1.0, 0.9, 1.1)
    return Diagnosis(100, 2, one, one, one, (one, one), one, one, at_chance, signs, collusive, reason)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((0.5, 0.4, 0.6), (0.2, 0.1, 0.3), (1, 1, 1), True), "constant biases that cancel are 50 % of"),
        (((0.0, 0.0, 0.0), (-0.2, -0.3, -0.1), (1, 1, 1), True), "mean product of two learners' errors is -20 %"),
        (((0.0, 0.0, 0.0), (0.2, 0.1, 0.3), (0, 0, 0.1), True, "", (1,)), "learner b at chance"),
        (
            ((0.0, 0.0, 0.0), (0.2, 0.1, 0.3), (1, 1, 1), False),
            "No sign of collusion: constant biases that cancel are 0 %",
        ),
        (((0.03, 0.01, 0.04), (0.2, 0.1, 0.3), (1, 1, 1), None, "More rows would decide: bias."), "1 % to 4 % of"),
        (
            ((0.03, 0.01, 0.04), (0.2, 0.1, 0.3), (1, 1, 1), None, "9 rows are too few."),
            "Undecided: 9 rows are too few.",
        ),
    ],
)
def test_readings(arguments, words):
    found = made(*arguments)
    text = reading(found, ["b"] if found.at_chance else [])
    assert words in text and text.endswith(".") and text.count(". ") == 0


def test_undecided_ones_print(tmp_path, capsys):
    save(numbers().iloc[:12], tmp_path / "p.csv")
    found, page = shown(capsys, tmp_path / "p.csv")
    assert found["collusion"] is None and "12 rows are too few" in found["reading"]
    assert as_text(found) in page


def test_the_limits_are_those_of_the_documentation():
    table = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    for name in ("BIAS_OF_OUTPUTS", "BIAS_OF_PROBABILITIES", "DIVERSITY", "CHANCE", "MINIMUM_ROWS"):
        assert re.search(rf"\| {name} \| [\w.]+ \| {getattr(diagnosis, name):g} \|", table), name
