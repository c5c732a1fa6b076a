"""The end page of a run: at most 80 columns, a verdict in words for every claim, sentences from the numbers."""

import io

import pandas as pd
import pytest
from made_results import means, records, write_results
from rich.console import Console

from learner_collusion.claims.verdict import FAILS, HOLDS, NO_VERDICT, REPORTED, UNDECIDED
from learner_collusion.errors import UserError
from learner_collusion.publishing import claims, summary
from learner_collusion.records.claims import CLAIMS

NOTE = "Fidelity 'ci', not the paper's: " + "; ".join(f"setting {i} 1 instead of 2" for i in range(30)) + "."


def shown(folder, **options) -> list[str]:
    file = io.StringIO()
    summary.show(folder, Console(file=file, **options))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [None, 60, 80, 200])
def test_no_line_is_wider_than_80_columns(tmp_path, monkeypatch, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    write_results(tmp_path / "results", NOTE)
    lines = shown(tmp_path / "results", width=width)
    assert len(lines) > 15 and max(map(len, lines)) <= min(width or 80, 80)


def test_every_claim_has_its_value_interval_and_verdict(tmp_path):
    write_results(tmp_path / "results")
    lines = shown(tmp_path / "results", width=80)
    text = "\n".join(line.rstrip() for line in lines)
    assert "C1a  Diversity explodes as beta goes to 1: DIV(1) / DIV(0)" in text and text.count("C1a") == 1
    [abalone] = [line.split() for line in lines if line.strip().startswith("Abalone") and FAILS in line]
    assert abalone == ["Abalone", "-1.23e-05", "-2.35e-05", "to", "-1.23e-05", "does", "not", "hold"]
    for verdict in (HOLDS, UNDECIDED, REPORTED):
        assert any(line.rstrip().endswith(f"  {verdict}") for line in lines), verdict


def test_verdicts_are_coloured_on_a_terminal(tmp_path):
    write_results(tmp_path / "results")
    text = "\n".join(shown(tmp_path / "results", width=80, force_terminal=True, color_system="standard"))
    assert "\x1b[32mholds" in text and "\x1b[1;31mdoes not hold" in text and "\x1b[33mundecided" in text


def test_other_parts_are_one_line_each(tmp_path):
    write_results(tmp_path / "results")
    lines = shown(tmp_path / "results", width=80)
    assert "Theory (Sections 4 and 5, Appendices C to F): 3 of 3 identities hold." in lines
    text = " ".join(" ".join(lines).split())
    assert (
        "Figures 5, 6 and 10-18): 1 holds, 0 do not hold, 1 undecided." in text
        and "C15" not in text
        and "C9" not in text
    )


def test_reduced_fidelity_is_marked_and_does_not_fill_the_page(tmp_path):
    write_results(tmp_path / "results", NOTE)
    text = "\n".join(shown(tmp_path / "results", width=80))
    assert text.count("Fidelity 'ci', not the paper's") == 3 and "setting 29" not in text


@pytest.mark.parametrize(
    ("note", "warned"), [("A study of its own, 'houses', by the paper's protocol.", False), (NOTE, True)]
)
def test_a_study_of_its_own_is_labelled_without_a_warning(tmp_path, note, warned):
    write_results(tmp_path / "results", note)
    text = "\n".join(shown(tmp_path / "results", width=80, force_terminal=True, color_system="standard"))
    assert note[:40] in text and (f"\x1b[31m{note[:20]}" in text) is warned


def test_it_says_what_to_open_first_and_where_the_rest_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_results(tmp_path / "results")
    lines = [line.rstrip() for line in shown("results", width=80)]
    assert "Open first: results/figures/fig2_diversity.png" in lines
    assert "Claims:     results/claims.md" in lines and not any(line.startswith("Tables:") for line in lines)
    (tmp_path / "results/figures/fig2_diversity.png").unlink()
    (tmp_path / "results/figures/fig15_cnn.png").write_text("x")
    (tmp_path / "results/tables").mkdir()
    lines = [line.rstrip() for line in shown("results", width=80)]
    assert "Open first: results/figures/fig15_cnn.png" in lines and "Tables:     results/tables" in lines


def test_results_of_images_alone(tmp_path):
    write_results(tmp_path)
    (tmp_path / "records/tabular.parquet").unlink()
    claims.combine([tmp_path / "claims/images.parquet"], tmp_path / "claims.md", tmp_path / "claims.parquet")
    text = "\n".join(shown(tmp_path, width=80))
    assert "1 holds" in text and "Tabular" not in text and "At beta" not in text


def test_unfinished_results_are_told(tmp_path):
    with pytest.raises(UserError, match=r"claims\.parquet does not exist"):
        shown(tmp_path)


def test_two_sentences_from_the_numbers_of_one_data_set():
    first, second = summary.findings(records(abalone=means(21, 0.5, 0.02)))
    assert first == (
        "At beta = 1, joint training, diversity is 21 times that of independent training, and dropping 20% of the learners "
        "raises the test error by 50%, against 5.0% at beta = 0."
    )
    assert second == (
        "The test error of the full ensemble itself changes by +2.0% from beta = 0 to beta = 1, in so few runs that no "
        "interval says whether that is more than chance."
    )


def judged(**datasets: dict) -> pd.DataFrame:
    """The rows that the sentences ask for: {data set: {id: verdict, or the interval of a difference}}."""
    rows = [
        {"id": id, "dataset": name} | ({"verdict": found} if isinstance(found, str) else dict(zip(("low", "high"), found, strict=True)))
        for name, claims in datasets.items() for id, found in claims.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=CLAIMS.names)


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        ((-0.04, 0.02), "does not change beyond what the runs vary from beta = 0 to beta = 1 (+2.0%, interval -4.0% to +2.0%)."),
        ((0.01, 0.03), "changes by +2.0% from beta = 0 to beta = 1 (interval +1.0% to +3.0%)."),
    ],
)  # fmt: skip
def test_a_change_of_the_error_is_one_where_its_interval_excludes_0(interval, told):
    found = judged(abalone={"C1a": HOLDS, "C5a": HOLDS, "C3": interval})
    first, second = summary.findings(records(abalone=means(21, 0.5, 0.02)), found)
    assert second == f"The test error of the full ensemble itself {told}" and "(" not in first


def test_of_several_data_sets_it_counts_those_whose_error_changes():
    some = records(a=means(21, 0.5, -0.004), b=means(117.4, 0.05, 0.3))
    holds = {"C1a": HOLDS, "C5a": HOLDS}
    one = judged(a=holds | {"C3": (-1, 1)}, b=holds | {"C3": (0.1, 0.5)})
    none = judged(a=holds | {"C3": (-1, 1)}, b=holds | {"C3": (-0.1, 0.5)})
    assert summary.findings(some, one)[1].endswith("beyond what the runs vary on 1 of 2 data sets.")
    assert "does not change beyond what the runs vary" in summary.findings(some, none)[1]


@pytest.mark.parametrize(("verdict", "told"), [(UNDECIDED, "undecided"), (FAILS, "no"), (NO_VERDICT, "no verdict")])
def test_what_a_claim_leaves_undecided_is_no_fact(verdict, told):
    some = records(abalone=means(21, 0.5, 0.02))
    [first, _] = summary.findings(some, judged(abalone={"C1a": HOLDS, "C5a": verdict}))
    assert "in these runs raised the test error by 50%" in first
    assert first.endswith(f"at beta = 0 (whether it costs more than five times as much as between 0 and 1: {told}).")
    [first, _] = summary.findings(some, judged(abalone={"C1a": verdict, "C5a": HOLDS}))
    assert f"independent training (whether it is more than ten times that: {told}), and" in first
    both = records(a=means(21, 0.5, 0), b=means(21, 0.5, 0))
    [first, _] = summary.findings(both, judged(a={"C1a": HOLDS, "C5a": HOLDS}, b={"C1a": HOLDS, "C5a": verdict}))
    assert "(whether it costs more than five times as much as between 0 and 1: it does on 1 of 2 data sets)" in first


def test_two_sentences_from_the_numbers_of_several_data_sets():
    first, second = summary.findings(records(a=means(21, 0.5, -0.004), b=means(117.4, 0.05, 0.3), c=means(50, 0.1, 0)))
    assert "is 21 to 117 times that of independent training over 3 data sets" in first
    assert "by 5.0 to 50%, against 0.50 to 5.0% at beta = 0" in first
    assert "changes by -0.40 to +30% from" in second


def test_a_run_that_diverged_does_not_count():
    """The means at beta 0 and 1 are those of the same runs; without any complete run the sentence says so."""
    frame = records(abalone=means(21, 0.5, 0.02))
    there = frame["run"].eq(1) & frame["beta"].eq(1)
    some = summary.findings(frame.assign(value=frame["value"].mask(there)))
    assert some == summary.findings(frame[frame["run"].eq(0)])
    [none] = summary.findings(frame.assign(value=frame["value"].mask(frame["beta"].eq(1))))
    assert "training diverged" in none and "nan" not in none


def test_without_drop_rates_the_sentence_leaves_them_out():
    found = records(a=means(21, 0.5, 0))
    first, second = summary.findings(found[~found["metric"].str.startswith("increase")])
    assert first.endswith("independent training.") and "changes by 0% from" in second
