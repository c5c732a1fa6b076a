"""Which image claims the preset `laptop` can decide: the power calculation, and that the preset is what it says."""

import dataclasses
import importlib.util
import json
import re

import numpy as np
import pytest
from conftest import ROOT, words
from scipy import stats

from learner_collusion.claims.catalogue import CLAIMS
from learner_collusion.claims.verdict import FAILS, HOLDS
from learner_collusion.publishing import gallery

SPEC = importlib.util.spec_from_file_location("power", ROOT / "benchmarks/power.py")
calculation = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(calculation)
CLAIM = next(claim for claim in CLAIMS if claim.statistic == "loss_from_zero_to_one")


def row(values, claim=CLAIM, experiment="practical", rank=1, images=1000):
    return calculation.Row("laptop", claim, experiment, "cifar10", "resnet18", 5, rank, images, np.array(values, float))


def with_statistic(statistic, **others):
    return dataclasses.replace(CLAIM, statistic=statistic, **others)


def plain(values, spread, runs, threshold=0.0):
    """Power of a one-sided Student t interval of 97.5 %, from the noncentral t distribution."""
    found = (np.mean(values) - threshold) / spread * np.sqrt(runs)
    return stats.nct.sf(stats.t.isf(0.025, runs - 1), runs - 1, found)


@pytest.mark.parametrize("runs", [5, 6, 10])
@pytest.mark.parametrize("mean", [0.5, 1.0, 2.0])
def test_a_plain_difference_has_the_power_of_the_noncentral_t(runs, mean):
    one = row([[[mean]], [[mean]]], with_statistic("learner_loss"))
    expected = plain([mean], 1.0, runs)
    error = 4 * np.sqrt(expected * (1 - expected) / calculation.SIMULATIONS) + 1e-3
    assert calculation.power(one, one.values.mean(0), 1.0, runs) == pytest.approx(expected, abs=error)


def test_a_claim_that_fails_has_the_power_of_the_other_side():
    up, down = (row([[[sign]], [[sign]]], with_statistic("learner_loss")) for sign in (1.0, -1.0))
    assert calculation.side(up) == HOLDS and calculation.side(down) == FAILS
    powers = [calculation.power(one, one.values.mean(0), 1.0, 6) for one in (up, down)]
    assert powers[0] == pytest.approx(powers[1], abs=0.04)


def test_the_smallest_of_two_differences_is_harder_to_tell_than_one():
    two = row([[[1.0, 1.0]], [[1.0, 1.0]]], with_statistic("worst_at_one"))
    one, both = plain([1.0], 1.0, 6), calculation.power(two, two.values.mean(0), 1.0, 6)
    assert one**2 < both < one  # they share the noise of beta 1, so more often than two that are independent


@pytest.mark.parametrize(("statistic", "shape"), [("worst_at_one", (1, 3)), ("best_between", (2, 2)), ("peak", (1, 1))])
def test_the_spread_of_differences_is_found_whatever_they_share(random, statistic, shape):
    """A level's noise is 1 and a run's is 9: differences have a standard deviation of the square root of 2."""
    m, k = shape
    runs = 3000
    run = 9 * random.normal(size=(runs, 1, 1))
    if statistic == "best_between":
        ends, inner = (run + random.normal(size=(runs, *size)) for size in ((1, k), (m, 1)))
        values, expected = ends - inner + 5, np.sqrt(2)
    elif statistic == "worst_at_one":
        values, expected = (
            (run + random.normal(size=(runs, 1, k))) - (run + random.normal(size=(runs, 1, 1))),
            np.sqrt(2),
        )
    else:
        values, expected = 3 * random.normal(size=(runs, m, k)), 3
    one = row(values, with_statistic(statistic, options={"metric": "err"}))
    [(spread, freedom)] = calculation.spreads([one]).values()
    assert spread == pytest.approx(expected, rel=0.05)
    assert freedom == (runs - 1) * {"worst_at_one": 3, "best_between": 3, "peak": 1}[statistic]


def test_the_pessimistic_effect_lies_nearer_to_the_threshold():
    for values, claim in (
        ([[[0.1]], [[0.3]]], CLAIM),
        ([[[-0.1]], [[-0.3]]], CLAIM),
        ([[[0.1]], [[0.2]]], dataclasses.replace(CLAIM, above=None, below=1 / 3)),
        ([[[0.010]], [[0.016]]], dataclasses.replace(CLAIM, above=-0.02, below=0.02)),
    ):
        one = row(values, claim)
        bound = min(calculation.thresholds(claim).values(), key=lambda b: abs(b - one.values.mean()))
        doubtful = calculation.pessimistic(one, 0.01, 4)
        shift = stats.t.ppf(calculation.PESSIMISM, 4) * 0.01 / np.sqrt(2)
        assert abs(doubtful - bound) == pytest.approx(abs(one.values.mean() - bound) - shift)


def test_more_test_images_shrink_the_spread_of_accuracies_alone():
    accuracy, loss = (
        row([[[1.0]], [[2.0]]], with_statistic("worst_at_one", options={"metric": m})) for m in ("accuracy", "err")
    )
    assert calculation.on_images(accuracy, 0.02, 4000) == pytest.approx(0.01)
    assert calculation.on_images(loss, 0.02, 4000) == 0.02


def test_every_row_of_the_preset_can_be_decided_in_three_hours():
    """Five runs or more; a power of 80 % for the effect of two runs; six core hours; and nothing that was left out would do."""
    rows, known = calculation.pilot()
    spreads, chosen = calculation.spreads(rows), calculation.of_preset()
    assert min(panel.runs for panel in chosen.values()) >= 5
    sizes = {panel[0]: size for panel, size in chosen.items()}
    usual = max(size.images for size in chosen.values())
    found: dict[tuple, list[float]] = {}
    for one in (one for one in rows if one.gallery == "laptop"):
        spread, _ = spreads[one.group]
        size = sizes.get(one.experiment, calculation.Panel(6, usual, 0))
        found.setdefault(one.panel, []).append(
            calculation.power(one, one.values.mean(0), calculation.on_images(one, spread, size.images), size.runs)
        )
    decidable = {panel for panel, powers in found.items() if min(powers) >= calculation.ENOUGH}
    assert decidable == set(chosen)
    hours = re.search(r"\*\*([\d.]+)\*\*", list(calculation.cost_rows())[-1])[1]
    assert float(hours) <= 6 and known["seconds"]


def test_the_tables_of_the_documentation():
    """Again from the pilot: what the page says is what the functions give."""
    page = (ROOT / "docs/statistics.md").read_text(encoding="utf-8").split(calculation.BETWEEN)[1]
    of_each = [
        make(gallery)
        for make in (calculation.power_rows, calculation.outcome_rows)
        for gallery in calculation.GALLERIES
    ]
    for rows in (*of_each, calculation.cost_rows()):
        assert "\n".join(rows) in page


def test_the_spread_of_accuracies_was_taken_for_that_of_test_images():
    """How often two runs disagree about an image would alone give a larger spread than the pilot has, on as many images. On four times
    as many the spread is the same, so it is not that."""
    rows, known = calculation.pilot()
    text = words("docs/statistics.md")
    [group] = {one.group for one in rows if one.panel == ("practical", "cifar10", "resnet18", 5) and "worst" in one.claim.statistic
               and one.claim.options["metric"] == "accuracy"}  # fmt: skip
    spread, share = calculation.spreads(rows)[group][0], known["disagreement"]["share"]
    alone = np.sqrt(share / 1000)
    assert spread < alone and f"deviation of {alone:.3f} where" in text and f"the pilot's is {spread:.3f}" in text
    assert f"disagree about {100 * share:.0f} % of {known['disagreement']['images']:,} test images" in text
    found = calculation.as_rows(calculation.take_pilot([ROOT / "docs/gallery/laptop"]))
    measured, freedom = calculation.spreads(found)[group]
    assert f"on 4,000 images it is {measured:.3f} ({freedom} degrees of freedom), on 1,000 it was {spread:.3f}" in text
    assert measured > 0.75 * spread
    rows = [line.split(" | ") for line in list(calculation.outcome_rows("laptop"))[2:]]
    low = [int(row[6]) for row in rows if int(row[6]) < 80]
    assert len(low) == 3 and f"a power of {min(low)} to {max(low)} %" in text
    assert sum(row[7] == "undecided" for row in rows) == 1 and sum(row[7] != row[8].strip(" |") for row in rows) == 1


def test_what_the_page_says_of_the_pilot_and_of_what_the_runs_gave():
    """On how many test images; in how many rows the spread was larger than expected; whose runs 0 and 1 are; what goes without them."""
    text = words("docs/statistics.md")
    before = calculation.pilot()[0]
    sizes = {(one.gallery, one.experiment == "curves"): set() for one in before}
    for one in before:
        sizes[one.gallery, one.experiment == "curves"].add(one.images)
    assert sizes.pop(("laptop_cifar100", False)) == {2000} and set.union(*sizes.values()) == {1000}
    assert "two runs of each panel and 1,000 test images" in text and "2,000 test images but for its curves" in text
    more, changed = {}, {}
    for name in calculation.GALLERIES:
        rows = [line.strip("| ").split(" | ") for line in list(calculation.outcome_rows(name))[2:]]
        more[name] = sum(found > wanted for _, _, wanted, found, _ in calculation.outcomes(name)), len(rows)
        changed[name] = [(row[1], row[6], row[8]) for row in rows if row[7] != row[8]]
    assert (
        "in {} of {} rows of `laptop` and in {} of {} of `laptop_cifar100`".format(
            *more["laptop"], *more["laptop_cifar100"]
        )
        in text
    )
    assert (
        changed["laptop"] == [("C12, worst at one, accuracy", "70", "undecided")] and "C12 with averaged scores" in text
    )
    assert changed["laptop_cifar100"] == [("C6, end of gap", "100", "undecided")] and "C6, which had 100 %" in text
    found = calculation.as_rows(calculation.take_pilot([ROOT / "docs/gallery/laptop_cifar100"]))
    known = {(one.claim.text, one.panel): one.values for one in before if one.gallery == "laptop_cifar100"}
    same = {one.panel[0]: [] for one in found}
    for one in found:
        same[one.panel[0]].append(np.array_equal(one.values[:2], known[one.claim.text, one.panel]))
    assert all(same["curves"]) and not any(same["practical"])


def test_the_time_of_the_presets_cells_is_that_of_its_gallery():
    [stage] = [row for row in gallery.times(ROOT / "docs/gallery/laptop") if row["stage"] == "train_images"]
    text = words("docs/statistics.md")
    assert f"{stage['jobs']} of the 108 cells took {float(stage['wall_seconds']) / 3600:.1f} hours of wall time" in text


def test_a_gallery_gives_the_pilot(tmp_path):
    """The numbers of the claims page, before they are judged."""
    pilot = calculation.take_pilot([str(ROOT / "docs/gallery/laptop_dropout")])
    assert {one["id"] for one in pilot} == {"C14"} and all(len(one["values"]) == 5 for one in pilot)
    [div] = [one for one in pilot if one["text"] == "Dropping learners in training lowers diversity"]
    claims = (ROOT / "docs/gallery/laptop_dropout/claims/images.md").read_text(encoding="utf-8")
    assert f"| {np.mean(div['values']):.3g} |" in claims
    assert json.loads(json.dumps(pilot)) == pilot
