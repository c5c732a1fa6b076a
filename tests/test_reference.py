"""docs/reference.py: the generated pages are those of the present schema and docstrings, and their examples give what they show."""

import doctest
import importlib.util

import pytest
from conftest import ROOT

import learner_collusion
from learner_collusion.plan import configuration

spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


@pytest.mark.parametrize("path", list(reference.pages()), ids=lambda path: path.name)
def test_a_page_is_the_generated_one(path):
    assert path.read_text(encoding="utf-8") == reference.pages()[path], "run `python docs/reference.py`"


def rows() -> dict[str, list[str]]:
    """The cells of the configuration's keys."""
    lines = [line for line in reference.configuration_page().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {key.strip("`"): rest for key, *rest in cells}


def test_each_key_of_the_paper_is_explained_and_has_its_value(config):
    known = rows()
    assert all(what for *_, what in known.values())
    for part in ("datasets", "theory", "claims"):
        for key, value in config[part].items():
            assert known[f"{part}.{key}"][1] == f"`{'null' if value is None else value}`"
    assert known["tabular.tuning.grid.layers"][:2] == ["list of whole numbers, each from 1 to 100", "`[1, 2, 3]`"]
    assert known["images.protocols.NAME.epochs"][1] == f"`{config['images']['protocols']['sgd']['epochs']}`"
    assert (
        known["images.protocols.NAME.milestones"][2] == "epochs after which the learning rate is multiplied by `decay`"
    )


def test_no_key_of_the_schema_is_left_out():
    """Counted apart from the generator: each name among the properties of the schema stands at the end of some key."""

    def names(schema) -> set[str]:
        if isinstance(schema, dict):
            own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
            return own.union(*map(names, schema.values()))
        return set().union(*map(names, schema)) if isinstance(schema, list) else set()

    parts = {key for key, entry in configuration.schema()["properties"].items() if entry.get("type") == "object"}
    assert names(configuration.schema()) <= {part for key in rows() for part in key.split(".")} | parts


def test_each_public_function_is_described():
    page = reference.api_page()
    for name in learner_collusion.__all__:
        assert f"\n### {name}\n" in page
        assert (getattr(learner_collusion, name).__doc__ or "").split("\n")[0] in page


@pytest.mark.parametrize("name", sorted({*learner_collusion._CORE.values(), "theory", "gat"}))
def test_the_examples_give_what_they_show(name):
    module = importlib.import_module(f"learner_collusion.{name}")
    names = {"torch": importlib.import_module("torch")}
    assert doctest.testmod(module, extraglobs=names).failed == 0
