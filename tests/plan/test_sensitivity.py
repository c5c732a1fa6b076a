"""The variants of the sensitivity analysis: what they change, what they refuse, and from which stage on they are made anew."""

import copy

import pytest

from learner_collusion.errors import UserError
from learner_collusion.plan import configuration, sensitivity, settings
from learner_collusion.plan.configuration import overlay
from learner_collusion.stages.sensitivity import Settings


def with_variants(config, *variants, joint=0, datasets=None) -> dict:
    """The configuration with these variants, given as (name, change)."""
    entries = [{"name": name, "shows": f"{name} changed", "change": change} for name, change in variants]
    changed = overlay(
        config, {"sensitivity": {"joint": joint, "variants": entries}, "parts": ["tabular", "sensitivity"]}
    )
    return overlay(changed, {"tabular": {"datasets": datasets}}) if datasets else changed


REFIT = ("refit", {"tabular": {"training": {"refit_on_train_and_validation": True}}})
JOINTLY = ("jointly", {"tabular": {"tuning": {"beta": 1}}})
HALF = ("half", {"tabular": {"tuning": {"beta": 0.5}}})
PER = ("per", {"tabular": {"codependence": {"per": "ensemble"}}})
LOG = ("log", {"tables": {"abalone": {"log_target": True}}})


def first(config, name: str) -> dict:
    return settings.take(config, config, "sensitivity", name)["first"]


def test_a_variant_is_laid_over_the_configuration_and_the_rest_stays(config):
    changed = with_variants(config, JOINTLY, LOG)
    found = settings.take(changed, config, "sensitivity", "jointly")
    assert found["tune"] == settings.take(config, config, "tune") | {
        "tuning": config["tabular"]["tuning"] | {"beta": 1}
    }
    assert found["train_tabular"] == settings.take(config, config, "train_tabular")
    assert found["prepare"] == {}
    logged = settings.take(changed, config, "sensitivity", "log")
    assert logged["prepare"]["abalone"]["log_target"] is True and list(logged["prepare"]) == ["abalone"]
    judged = settings.take(changed, config, "aggregate", "sensitivity")
    assert judged["claims"] == settings.take(changed, config, "claims", "tabular")
    assert judged["variants"][0] == {"name": "jointly", "shows": "jointly changed", "joint": False}
    assert config["tabular"]["tuning"]["beta"] == 0 and config["tables"]["abalone"]["log_target"] is False


def test_only_what_a_change_concerns_is_made_anew(config):
    changed = with_variants(config, REFIT, JOINTLY, PER, LOG, ("seed", {"seed": 1}))
    every = config["tabular"]["datasets"]
    assert first(changed, "refit") == dict.fromkeys(every, "train_tabular")
    assert first(changed, "jointly") == first(changed, "seed") == dict.fromkeys(every, "tune")
    assert first(changed, "per") == dict.fromkeys(every, "evaluate")
    assert first(changed, "log") == dict.fromkeys(every) | {"abalone": "prepare"}


def test_every_variant_of_the_paper_changes_something_and_is_read_by_its_stage(config):
    configuration.check({**config, "parts": ["tabular", "sensitivity"]})
    known = sensitivity.variants(config)
    assert len(known) == len(config["sensitivity"]["variants"]) + config["sensitivity"]["joint"]
    for name, variant in known.items():
        found = settings.take(config, config, "sensitivity", name)
        assert any(found["first"].values()) and variant.shows, name
        assert settings.convert(found, Settings).variant == name


def test_a_variant_of_other_data_sets_is_left_out(config):
    changed = with_variants(config, LOG, REFIT, JOINTLY, joint=2, datasets=["facebook"])
    assert list(sensitivity.variants(changed)) == ["refit", "jointly", "joint1", "joint2"]
    assert list(sensitivity.variants(with_variants(config, LOG, REFIT, joint=2, datasets=["facebook"]))) == ["refit"]


def test_joint_variants_are_drawn_by_the_seed_and_change_no_key_twice(config):
    changed = with_variants(config, REFIT, JOINTLY, HALF, PER, LOG, joint=60)
    joint = [variant for variant in sensitivity.variants(changed).values() if variant.joint]
    assert len(joint) == 60 and joint == [v for v in sensitivity.variants(copy.deepcopy(changed)).values() if v.joint]
    other = [v for v in sensitivity.variants(changed | {"seed": 1}).values() if v.joint]
    assert [v.change for v in joint] != [v.change for v in other]
    singles = dict((REFIT, JOINTLY, HALF, PER, LOG))
    taken = [variant.shows.split(", ") for variant in joint if variant.change]
    assert all(not {"jointly", "half"} <= set(names) for names in taken)
    for variant, names in zip([v for v in joint if v.change], taken, strict=True):
        expected: dict = {}
        for name in names:
            expected = overlay(expected, singles[name])
        assert variant.change == expected
    counts = {name: sum(name in names for names in taken) for name in singles}
    assert all(15 <= counts[name] <= 45 for name in ("refit", "per", "log"))  # of 60, one half
    assert all(8 <= counts[name] <= 37 for name in ("jointly", "half"))  # three eighths, as they exclude each other


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        ([("typo", {"tabular": {"tuning": {"bta": 1}}})], "variant 'typo'.*unknown key 'tabular.tuning.bta': did you mean 'beta'"),
        ([("typo", {"tables": {"abalone": {"taget": "Sex"}}})], "unknown key 'tables.abalone.taget': did you mean 'target'"),
        ([("value", {"tabular": {"tuning": {"objective": "loss"}}})], "variant 'value'.*objective is wrong"),
        ([("other", {"images": {"missing": "fail"}})], "unknown key 'sensitivity.variants.0.change.images'"),
        ([("many", {"tabular": {"tuning": {"initial_points": 21}}})], "variant 'many'.*more than its 20 trials"),
        ([REFIT, REFIT], "the name 'refit' twice: rename it"),
        ([("joint2", {"seed": 3})], "the name 'joint2' that is kept for joint changes"),
        ([("Upper", {"seed": 3})], "sensitivity.variants.0.name is wrong"),
    ],
)  # fmt: skip
def test_a_wrong_variant_is_refused_in_one_sentence(config, variants, words):
    with pytest.raises(UserError, match=words) as caught:
        configuration.check(with_variants(config, *variants))
    assert "\n" not in str(caught.value)


def test_variants_cost_nothing_where_the_part_is_not_made(config, monkeypatch):
    monkeypatch.setattr(sensitivity, "variants", lambda config: pytest.fail("read without need"))
    assert "sensitivity" not in config["parts"]
    configuration.check(config)


def test_an_unknown_variant_is_told(config):
    with pytest.raises(UserError, match="variant 'refti' is not one of the configuration: choose from seed, refit, "):
        settings.take(config, config, "sensitivity", "refti")
