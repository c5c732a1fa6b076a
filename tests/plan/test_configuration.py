"""Configurations: what is refused, in which words, and what counts as smaller than the paper."""

import copy
import importlib
import os

import pytest
import yaml
from conftest import ROOT

from learner_collusion.claims import catalogue
from learner_collusion.data.registry import MIRROR_VARIABLE
from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import configuration, parts, settings, tables
from learner_collusion.plan.configuration import overlay
from learner_collusion.publishing.registry import TABLES

# an entry of images.datasets
DIGITS = {
    "title": "x",
    "source": "digits",
    "classes": 10,
    "train": 1,
    "test": 1,
    "content_sha256": None,
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
}


def test_the_papers_configuration_is_valid(config):
    configuration.check(config)
    assert all(
        configuration.note(config, config, part) == "" for part in ("tabular", "theory", "claims", "illustration")
    )


@pytest.mark.parametrize("preset", sorted(p.name for p in (ROOT / "workflow/presets").glob("*.yaml")))
def test_presets_use_known_keys(config, preset):
    top = yaml.safe_load((ROOT / "workflow/presets" / preset).read_text())
    configuration.check(overlay(copy.deepcopy(config), top))


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ({"tabluar": {}}, "unknown key 'tabluar': did you mean 'tabular'"),
        ({"tabular": {"run": 3}}, "unknown key 'tabular.run': did you mean 'runs'"),
        ({"tabular": {"betas": [0, 1.2]}}, r"tabular.betas.1 is 1.2, but beta must lie in \[0, 1\].*Theorem 5.1"),
        ({"tabular": {"runs": 0}}, "tabular.runs is wrong"),
        (
            {"tabular": {"tuning": {"grid": {"learning_rate": [0.01, 0]}}}},
            "tabular.tuning.grid.learning_rate.1 is wrong: it is 0, but must be at least 1e-12",
        ),
        ({"tabular": {"tuning": {"grid": {"learning_rate": [-0.1]}}}}, "learning_rate.0 .* must be at least 1e-12"),
        (
            {"tabular": {"betas": [0, 0.3, 0.3000001, 1]}},
            "tabular.betas holds 0.3 and 0.3000001, which are the same to six",
        ),
        (
            {"tabular": {"codependence": {"drop_rates": [0.2, 0.20000001]}}},
            "codependence.drop_rates holds 0.2 and 0.20000001",
        ),
        (
            {"images": {"experiments": {"cnn": {"betas": [0, 1e-9, 1.0000001e-9, 1]}}}},
            "cnn.betas holds 1e-09 and 1.0000001e-09",
        ),
        (
            {"images": {"protocols": {"sgd": {"learning_rate": 0}}}},
            "protocols.sgd.learning_rate .* must be at least 1e-12",
        ),
        ({"illustration": {"learning_rate": 0}}, "illustration.learning_rate .* must be at least 1e-12"),
        ({"tabular": {"tuning": {"grid": {"learners": [1]}}}}, "grid.learners.0 .* is 1, but must be at least 2"),
        ({"images": {"experiments": {"cnn": {"learners": [1]}}}}, "cnn.learners.0 .* is 1, but must be at least 2"),
        ({"tabular": {"datasets": ["abalon"]}}, "'abalon', which is not declared"),
        ({"tabular": {"betas": [0, 0.5]}}, "must hold 0 and 1"),
        ({"tabular": {"tuning": {"initial_points": 30}}}, "more than its 20 trials"),
        ({"seed": None}, "seed is wrong"),
        (
            {"images": {"datasets": {"abalone": DIGITS}}},
            "'abalone' under tables and under images",
        ),
        ({"images": {"enabled": ["practicl"]}}, "images.enabled names 'practicl': choose from practical"),
        ({"images": {"experiments": {"cnn": {"drop_rates": [0, 0.2]}}}}, "cnn.drop_rates must hold one value"),
        (
            {"images": {"experiments": {"practical": {"models": ["alexnet"]}}}},
            "models.0 is wrong: The model 'alexnet' is unknown: choose one of resnet18, .* or give the dotted path of a class",
        ),
        ({"images": {"experiments": {"practical": {"models": ["..net"]}}}}, "The model '..net' is unknown"),
        ({"illustration": {"learning_rate": "1e-3"}}, "learning_rate is '1e-3', which YAML reads as text: .* 1.0e-03"),
        ({"parts": ["theory", "cifar"]}, "parts.1 is wrong"),
        ({"imagnet": {}}, "unknown key 'imagnet': did you mean 'imagenet'"),
        (
            {"imagenet": {"dataset": "imagewoof"}},
            "imagenet.dataset names 'imagewoof': choose from imagenet, imagenette",
        ),
        ({"imagenet": {"enabled": ["resnet18"]}}, "imagenet.enabled names 'resnet18': choose from imagenet_resnet18"),
        ({"imagenet": {"betas": [0, 0.5]}}, "imagenet.betas must hold 0 and 1"),
        ({"imagenet": {"protocol": {"sise": 64}}}, "unknown key 'imagenet.protocol.sise': did you mean 'size'"),
        ({"imagenet": {"models": {"imagenet_resnet18": {"size": "big"}}}}, "imagenet_resnet18.size is wrong"),
        ({"imagenet": {"models": {"imagenet_resnet99": {"learners": 3}}}}, "imagenet.models is wrong"),
        (
            {"imagenet": {"datasets": {"imagenet": {"file": "a.tar"}}}},
            "needs one of folder, file and drawn, and has folder and file",
        ),
        (
            {"imagenet": {"hardware": {"gpus_per_job": 3}}},
            "batch_size of 128, which 3 GPUs and accumulate 1 cannot share evenly",
        ),
        (
            {"images": {"datasets": {"imagenette": DIGITS}}},
            "'imagenette' under images.datasets and under imagenet.datasets",
        ),
        *(
            ({"tabular": {"tuning": {"grid": {"learning_rate": [rate]}}}}, "learning_rate.0 .* must be at most 100")
            for rate in (1e30, 101)
        ),
        ({"images": {"protocols": {"sgd": {"learning_rate": 1e30}}}}, "sgd.learning_rate .* must be at most 100"),
        ({"imagenet": {"protocol": {"learning_rate": 1e30}}}, "protocol.learning_rate .* must be at most 100"),
        ({"tabular": {"split": {"test": 0.9999}}}, "split.test .* must be at most 0.9"),
        ({"images": {"protocols": {"sgd": {"validation": 0.9999}}}}, "sgd.validation .* must be at most 0.9"),
        ({"tabular": {"codependence": {"drop_rates": [1.0]}}}, "drop_rates.0 .* must be below 1"),
        ({"images": {"experiments": {"dropout": {"drop_rates": [0, 1]}}}}, "drop_rates.1 .* must be below 1"),
        ({"tables": {"abalone": {"sha256": []}}}, r"abalone.sha256 is wrong: \[\] should be non-empty"),
        ({"tables": {"abalone": {"title": " "}}}, "abalone.title is wrong"),
        ({"claims": {"bootstrap": 1}}, "unknown key 'claims.bootstrap'"),
        ({"images": {"datasets": {"cifar10": {"classes": 3}}}}, "cifar10.classes is 3, but its source has 10"),
        ({"images": {"datasets": {"digits": {"source": "cifar"}}}}, "source cifar, which has cifar10 and cifar100"),
        ({"imagenet": {"models": {"imagenet_resnet18": {"learners": 1}}}}, "resnet18.learners .* at least 2"),
        ({"imagenet": {"protocol": {"scale": [1.0, 0.08]}}}, "give the smaller share first"),
        ({"imagenet": {"protocol": {"evaluation_size": 100}}}, "evaluation_size of 100, below its size 224"),
        ({"datasets": {"timeout": 1e300}}, "timeout .* must be at most 86400"),
        (
            {"tabular": {"tuning": {"grid": {"hidden_units": [10000], "layers": [100]}}}},
            r"ensembles of 2.0e\+11 weights \(20 learners of 100 layers with 10000 hidden_units\)",
        ),
        (
            {
                "tabular": {
                    "tuning": {
                        "grid": {
                            "hidden_units": list(range(1, 1001)),
                            "learning_rate": [n / 1e6 for n in range(1, 1001)],
                            "learners": list(range(2, 400)),
                        }
                    }
                }
            },
            r"grid has .*e\+10 points",
        ),
        (
            {"parts": ["sensitivity"], "sensitivity": {"variants": [{"name": "a", "shows": "b", "change": {}}]}},
            "change is wrong",
        ),
        (
            {
                "parts": ["sensitivity"],
                "sensitivity": {"variants": [{"name": "a", "shows": "b", "change": {"tables": {"z": {"drop": []}}}}]},
            },
            "variant 'a' of sensitivity.variants changes the table 'z', which is not declared",
        ),
        ({"images": {"protocols": {"mine": {"base": "adagrad"}}}}, "mine.base names 'adagrad': choose another"),
        (
            {"images": {"protocols": {"sgd": {"learner_options": {"channels": 8}}}}},
            "images.protocols.sgd.learner_options needs a model that is a dotted path of a class",
        ),
        (
            {"imagenet": {"models": {"imagenet_resnet18": {"learner_options": {"channels": 8}}}}},
            "imagenet.models.imagenet_resnet18.learner_options needs a model",
        ),
        (
            {"imagenet": {"protocol": {"learner_options": {"depth": 8}}}},
            "imagenet.protocol.learner_options needs a model",
        ),
        (
            {"images": {"protocols": {"sgd": {"learner_options": {"channels": [8]}}}}},
            "learner_options.channels is wrong",
        ),
        ({"images": {"protocols": {"mine": {"width": 1}}}}, "protocols.mine lacks 'optimiser': add it, or name"),
    ],
)
def test_mistakes_are_told_in_one_sentence(config, top, words):
    wrong = overlay(copy.deepcopy(config), top)
    with pytest.raises(UserError, match=words) as caught:
        configuration.check(wrong)
    assert "\n" not in str(caught.value)


def with_value(config, path, value):
    changed = copy.deepcopy(config)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return changed


def numbers(schema, path=()):
    """The path of each schema of a number, and the schema."""
    if isinstance(schema, dict):
        if {"integer", "number"} & set([kind] if isinstance(kind := schema.get("type", ""), str) else kind):
            yield path, schema
        for key, inside in schema.items():
            yield from numbers(inside, (*path, key))


# What a class of the user's is built with, and a word of a table, may be any number; a change is checked as what it makes.
USERS = ("options", "learner_options", "grid", "missing", "change")


def test_no_number_is_without_bounds(config):
    """A slip of the keyboard, such as 10**12 epochs, is a sentence and no job that hangs or eats the memory."""
    found = list(numbers(configuration.schema()))
    assert len(found) > 60
    for path, schema in found:
        bounds = [{"minimum", "exclusiveMinimum"} & set(schema), {"maximum", "exclusiveMaximum"} & set(schema)]
        assert all(bounds) or set(USERS) & set(path), path
    for path in (
        ("tabular", "runs"),
        ("tabular", "training", "max_epochs"),
        ("tabular", "tuning", "grid", "layers", 0),
    ):
        with pytest.raises(UserError, match=rf"{'.'.join(map(str, path))} is wrong: it is 10+, but must be at most"):
            configuration.check(with_value(config, path, 10**12))


def test_a_missing_key(config):
    wrong = copy.deepcopy(config)
    del wrong["tabular"]["runs"]
    with pytest.raises(UserError, match="lacks a key: 'runs'"):
        configuration.check(wrong)


def test_note_names_every_difference(config):
    small = copy.deepcopy(config) | {"fidelity": "ci"}
    small["tabular"]["runs"] = 2
    small["tabular"]["tuning"]["trials"] = 3
    note = configuration.note(small, config, "tabular")
    assert note == "Fidelity 'ci', not the paper's: runs 2 instead of 10; trials 3 instead of 20."


def test_a_study_of_other_tables_is_no_reduced_paper(config):
    """Whatever else is changed; the shipped table alone is a preset, and other parts are compared as always."""
    mine = {"file": "/houses.csv", "target": "price"}
    own = overlay(
        config, {"fidelity": "mine", "tables": {"houses": mine}, "tabular": {"datasets": ["houses", "abalone"]}}
    )
    own = tables.complete(own, config, [], ".")
    assert (
        configuration.note(own, config, "tabular", "claims") == "A study of its own, 'mine', by the paper's protocol."
    )
    drawn = settings.take(own, config, "figure", "fig2_diversity")
    assert drawn["mark"] == "" and drawn["study"] == drawn["note"] == configuration.note(own, config, "tabular")
    small = overlay(own, {"tabular": {"runs": 3, "tuning": {"trials": 12}}, "theory": {"cases": 5}})
    note = "A study of its own, 'mine', by the paper's protocol but for: runs 3 instead of 10; trials 12 instead of 20."
    assert configuration.note(small, config, "tabular") == configuration.note(small, config, "sensitivity") == note
    drawn = settings.take(small, config, "figure", "fig2_diversity")
    assert drawn["note"] == note
    assert drawn["study"].endswith("by the paper's protocol but for what report.html lists.")
    assert configuration.note(small, config, "theory") == "Fidelity 'mine', not the paper's: cases 5 instead of 1000."
    assert "study" not in settings.take(small, config, "figure", "fig6_practical")
    shipped = overlay(config, {"fidelity": "demo", "tabular": {"datasets": ["diabetes"]}})
    assert configuration.note(shipped, config, "tabular").startswith(
        "Fidelity 'demo', not the paper's: datasets diabetes"
    )
    # of the tables, those of the paper are judged in its words
    assert settings.take(own, config, "claims", "tabular")["paper"] == {"tabular": ["abalone"]}


def test_a_protocol_may_take_a_subset_of_its_own(config):
    small = copy.deepcopy(config) | {"fidelity": "ci"}
    small["images"]["subset"] = {"train": 3000, "test": None}
    small["images"]["protocols"]["cnn"]["subset"] = {"train": 500, "test": None}
    small["images"]["protocols"]["vgg"]["augmentation"]["flip"] = False
    configuration.check(small)
    assert configuration.note(small, config, "images.vgg").endswith(
        " train 3000 instead of all; flip off instead of on."
    )
    assert configuration.protocol(small, "sgd")["subset"] == small["images"]["subset"]
    assert (
        configuration.note(small, config, "images.cnn") == "Fidelity 'ci', not the paper's: train 500 instead of all."
    )
    both = configuration.note(small, config, "images.practical", "images.cnn")
    assert both == "Fidelity 'ci', not the paper's: sgd: train 3000 instead of all; cnn: train 500 instead of all."


def test_another_precision_is_named_once(config):
    small = copy.deepcopy(config) | {"fidelity": "half"}
    small["images"]["hardware"] |= {"precision": "bf16", "compile": True}
    assert configuration.differences(small, config, "images.practical", "images.cnn") == [
        "precision bf16 instead of fp32"
    ]
    assert configuration.differences(small, config, "tabular") == []


def test_a_protocol_that_the_paper_does_not_have_is_compared_with_the_one_in_its_place(config):
    own = copy.deepcopy(config) | {"fidelity": "mine"}
    own["images"]["protocols"]["short"] = own["images"]["protocols"]["sgd"] | {"epochs": 3}
    own["images"]["experiments"]["practical"]["protocol"] = "short"
    configuration.check(own)
    assert configuration.differences(own, config, "images.practical") == [
        "epochs 3 instead of 80",
        "protocol short instead of sgd",
    ]


def test_a_protocol_takes_what_it_lacks_from_its_base(config):
    changed = overlay(config, {"images": {"protocols": {"narrow": {"base": "cnn", "width": 0.5}}}})
    configuration.check(changed)
    expected = configuration.protocol(config, "cnn") | {"width": 0.5}
    assert configuration.protocol(changed, "narrow") == expected


def test_an_experiment_and_a_model_of_ones_own_need_no_change_to_the_schema(config):
    mine = config["images"]["experiments"]["practical"] | {"models": ["my_package.nets.MyNet"]}
    configuration.check(overlay(config, {"images": {"experiments": {"mine": mine}, "enabled": ["mine"]}}))


def test_the_parts_are_those_of_the_catalogue_the_judges_and_the_aggregation():
    from learner_collusion.stages import aggregate, claims

    assert list(parts.JUDGED) == [part for part in catalogue.PARTS if part in parts.PARTS]
    assert {figure.part for figure in FIGURES.values()} | {table.part for table in TABLES.values()} <= set(parts.PARTS)
    assert all(callable(getattr(claims, f"judge_{part}")) for part in parts.JUDGED)
    assert all(callable(getattr(aggregate, part)) for part in parts.RECORDED)
    for part in parts.RECORDED:
        module, _, name = parts.PARTS[part].records.partition(":")
        assert hasattr(importlib.import_module(f"learner_collusion.records.{module}"), name)


@pytest.mark.parametrize(
    ("configured", "variable", "expected"),
    [
        (None, None, None),
        (None, "copies", "start/copies"),
        ("mine", None, "start/mine"),
        ("mine", "/other", "start/mine"),
        ("/mine", "copies", "/mine"),
    ],
)
def test_the_mirror_is_the_configurations_else_the_environments(
    config, tmp_path, monkeypatch, configured, variable, expected
):
    monkeypatch.setenv(MIRROR_VARIABLE, variable or "")
    configuration.use_mirror(overlay(config, {"datasets": {"mirror": configured}}), tmp_path / "start")
    assert os.environ[MIRROR_VARIABLE] == ("" if expected is None else str(tmp_path / expected))


@pytest.mark.parametrize("text", ["[]", "5", "false", "''"])
def test_a_file_that_is_no_mapping_is_told_even_where_it_is_empty(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match="is a YAML list or text, but a configuration is a mapping of keys"):
        configuration.load_all([configuration.PAPER, tmp_path / "mine.yaml"])
    (tmp_path / "mine.yaml").write_text("# nothing yet")
    assert configuration.load_all([configuration.PAPER, tmp_path / "mine.yaml"])
