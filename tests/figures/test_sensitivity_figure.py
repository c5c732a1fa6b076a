"""The figure of the sensitivity analysis: a cell per variant and claim, whose finding shows without colour."""

import pandas as pd
import pytest
from made_variants import TITLES, write
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from learner_collusion.figures import sensitivity
from learner_collusion.stages.figure import Settings


@pytest.fixture
def settings():
    return Settings("", "", TITLES, None, {}, 0, None)


def test_the_cells_show_finding_effect_and_difference(tmp_path, settings, monkeypatch):
    saved = []
    monkeypatch.setattr(sensitivity, "save", lambda _, figure, output, plotted, foot: saved.append((figure, foot)))
    sensitivity.matrix(settings, write(tmp_path), tmp_path / "f.pdf")
    figure, foot = saved[0]
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "as chosen", "trained less", "another target", "no change", "joint1: 2 choices",
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "Apples",
        "Bananas",
        "Bananas",
        "Apples",
        "Bananas",
        "Apples",
    ]
    texts = {tuple(map(round, text.get_position())): text for text in axes.texts if text.get_position()[1] % 1 == 0}
    shown = {place: text.get_text() for place, text in texts.items()}
    assert shown[0, 0] == "20" and shown[0, 1] == "×5" and shown[1, 1] == "·"  # C1a
    assert shown[5, 4] == "?.12" and shown[3, 0] == "▲.02" and shown[3, 2] == "0"  # C4b; the sign of C3
    assert all(shown[column, 3] == "·" for column in range(6))  # changes nothing
    bold = {place for place, text in texts.items() if text.get_fontweight() == "bold"}
    assert bold == {(0, 1), (3, 2), (5, 4)}
    colours = {to_hex(patch.get_facecolor()) for patch in axes.patches if isinstance(patch, Rectangle)}
    assert len(colours) == 5  # holds, does not hold, undecided, rises, covers 0
    assert "C1a DIV(1) / DIV(0) (> 10)" in foot and "C3 sign ERR(1) - ERR(0)" in foot


def test_the_csv_holds_every_cell_and_the_bytes_are_the_same_again(tmp_path, settings):
    for name in ("one", "two"):
        sensitivity.matrix(settings, write(tmp_path), tmp_path / f"{name}.pdf")
    rows = pd.read_csv(tmp_path / "one.csv")
    assert len(rows) == 5 * 6 and set(rows["finding"]) >= {"holds", "does not hold", "rises"}
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0312, ".031"), (-0.5, "-.5"), (141.2, "141"), (8.25, "8.2"), (0.0, "0"), (1.0, "1"), (-3.2e-5, "0"), (-4.7e-4, "-.00047"), (6.2e-5, ".0001"), (float("nan"), "")],
)  # fmt: skip
def test_effects_are_short(value, text):
    assert sensitivity._short(value) == text
