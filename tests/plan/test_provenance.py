"""The fingerprint of a stage changes with the code that the stage reaches, and with nothing else."""

import dataclasses
import os
import shutil

import pytest

from learner_collusion.errors import UserError
from learner_collusion.models import registry
from learner_collusion.plan import provenance

# What the rules ask for, by a name for the tests.
STAGES = {
    "fetch a table": ("stages.fetch:fetch_table", "stages.fetch:run!"),
    "fetch images": ("stages.fetch:fetch_images", "data.cifar:fetch"),
    "prepare a table": ("stages.prepare:prepare_table",),
    "prepare images": ("stages.prepare:prepare_images", "data.cifar:read"),
    "tune": ("stages.tune",),
    "train_tabular": ("stages.train_tabular",),
    "evaluate": ("stages.evaluate",),
    "train a ResNet": ("stages.train_images", "models.cifar:resnet18"),
    "train a CNN": ("stages.train_images", "models.cifar:cnn"),
    "train DenseNet on pictures": ("stages.train_imagenet", "models.imagenet:densenet121"),
    "prepare pictures": ("stages.prepare:prepare_pictures", "stages.prepare:run!"),
    "figure 2": ("stages.figure", "figures.tabular:diversity"),
    "figure 3": ("stages.figure", "figures.tabular:debiased"),
    "figure 6": ("stages.figure", "figures.imagenet:practical"),
    "tabular claims": ("stages.claims:judge_tabular", "claims.tabular", "stages.claims:run!"),
    "ImageNet claims": ("stages.claims:judge_imagenet", "claims.imagenet", "stages.claims:run!"),
    "image claims": ("stages.claims:judge_images", "claims.images", "stages.claims:run!"),
}
CELLS = {"train a ResNet", "train a CNN"}
PICTURES = {"train DenseNet on pictures"}
SWEEP = {"tune", "train_tabular"}
FIGURES = {"figure 2", "figure 3", "figure 6"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose files may be changed."""
    copy = tmp_path / "learner_collusion"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def read_anew() -> None:
    for name in ("fingerprint", "_cache", "_piece", "_module", "_exists"):
        getattr(provenance, name).cache_clear()


def fingerprints() -> dict[str, str]:
    read_anew()
    return {name: provenance.fingerprint(*roots) for name, roots in STAGES.items()}


def stale_after(change) -> set[str]:
    before = fingerprints()
    change()
    after = fingerprints()
    return {name for name in STAGES if before[name] != after[name]}


def edit(path, old, new):
    text = path.read_text()
    assert old in text, f"{path.name} no longer holds {old!r}: mend this test"
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("records/tabular.py", '\nEXTRA = pa.schema([("x", pa.int32())])\n'),
        ("records/images.py", "\n\ndef another_query(records):\n    return records\n"),
        (
            "models/cifar.py",
            "\n\ndef tiny(classes, width=1):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))\n",
        ),
        ("models/registry.py", '\nMODELS["tiny"] = Model("cifar:tiny", "Tiny")\n'),
        ("data/registry.py", '\nIMAGE_SOURCES["mine"] = "mine"\n'),
        ("data/mine.py", '"""A reader."""\n\n\ndef read(dataset, settings, files):\n    return None\n'),
        ("figures/registry.py", '\nFIGURES["fig19_mine"] = Figure("mine:draw", "tabular", "mine", "Mine.")\n'),
        ("figures/tabular.py", "\n\ndef mine(settings, records, output):\n    pass\n"),
        ("claims/catalogue/__init__.py", '\nCLAIMS += (Claim("C99", "tabular", "Mine", "Nowhere", "ratio"),)\n'),
        ("training/protocol.py", "\n\ndef unused():\n    pass\n"),
        ("seeds.py", "\n\ndef unused():\n    pass\n"),
    ],
)
def test_an_addition_makes_nothing_stale(package, file, text):
    def add():
        path = package / file
        path.write_text((path.read_text() if path.exists() else "") + text)

    assert stale_after(add) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("native/engine/kernel.h", "(T)0.999 * square[p]", "(T)0.99 * square[p]", SWEEP),
        (
            "native/convolution/kernel.h",
            "best = best <= 0 ? Lanes{} : best;",
            "best = best <= 1 ? Lanes{} : best;",
            CELLS | PICTURES,
        ),
        ("models/mlp.py", "1 / np.sqrt(inputs)", "2 / np.sqrt(inputs)", SWEEP),
        ("measures.py", "total.T / draws", "total.T / len(draws)", {"evaluate"}),
        ("stages/tune.py", "DIVERGED = 10.0", "DIVERGED = 20.0", {"tune"}),
        ("stages/evaluate.py", "1e-9 * max", "1e-8 * max", {"evaluate"}),
        ("training/tuning.py", 'base_estimator="GP"', 'base_estimator="RF"', {"tune"}),
        ("models/cifar.py", "def resnet18(", "def resnet18(*_, ", {"train a ResNet"}),
        ("figures/style.py", '"pdf.fonttype": 42', '"pdf.fonttype": 3', FIGURES),
        (
            "stages/claims.py",
            "if len(records) > 1:",
            "if len(records) > 2:",
            {"tabular claims", "image claims", "ImageNet claims"},
        ),
        ("models/imagenet.py", "def densenet121(", "def densenet121(*_, ", PICTURES),
        ("models/imagenet.py", "def shufflenet_x0_5(", "def shufflenet_x0_5(*_, ", set()),
        ("claims/imagenet.py", "if mean != 0", "if mean > 0", {"ImageNet claims"}),
        ("stages/fetch.py", "fetch, own = of_kind(", "fetch, own = dict() or of_kind(", {"fetch a table"}),
        ("data/svhn.py", "def read(", "def read(*_, ", set()),
        ("data/cifar.py", "def read(", "def read(*_, ", {"prepare images"}),
    ],
)
def test_a_change_makes_stale_what_reaches_it(package, file, old, new, stale):
    assert stale_after(lambda: edit(package / file, old, new)) == stale


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("decomposition.py", '"""Decompose the loss', '"""Take apart the loss'),
        ("native/engine/kernel.h", "// Adam (Kingma", "// The optimiser (Kingma"),
        ("stages/tune.py", "# objective value of a trial", "# value of a trial"),
        ("cli.py", "argparse.ArgumentParser(", "argparse.ArgumentParser( "),
    ],
)
def test_comments_docstrings_and_the_command_line_make_nothing_stale(package, file, old, new):
    assert stale_after(lambda: edit(package / file, old, new)) == set()


def test_what_is_reached():
    """Through names, attributes of modules, imports inside functions, and imported names of imported names."""
    reached = provenance._piece("stages.evaluate", "_metrics_of_run")[1]
    assert ("measures", "measure") in reached and ("seeds", "generator") in reached
    assert ("records.parquet", "write") in provenance._piece("stages.evaluate", "evaluate")[1]


# A module `other` with the functions f and g, and what `user:run` may say of them.
OTHER = "def f(x):\n    return x\n\n\ndef g(x):\n    return -x\n"


def of_code(package, text, other=OTHER):
    (package / "other.py").write_text(other)
    (package / "user.py").write_text(text)
    read_anew()
    return provenance.fingerprint("user:run")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # what a name stands for
        ("from .other import f as a, g as b", "from .other import f as b, g as a"),
        ("from math import sin as a, cos as b", "from math import sin as b, cos as a"),
        ("import math as a\nb = a", "import cmath as a\nb = a"),
        ("import os.path as a\nb = a", "import os as a\nb = a"),
    ],
)
def test_what_names_stand_for_counts(package, before, after):
    run = "\n\n\ndef run(x):\n    return a(b(x))\n"
    assert of_code(package, before + run) != of_code(package, after + run)


@pytest.mark.parametrize(
    "text",
    [
        "from learner_collusion.other import f\n\n\ndef run(x):\n    return f(x)\n",
        "import learner_collusion.other\n\n\ndef run(x):\n    return learner_collusion.other.f(x)\n",
        "import learner_collusion.other as o\n\n\ndef run(x):\n    return o.f(x)\n",
        "from learner_collusion import other\n\n\ndef run(x):\n    return other.f(x)\n",
        "from .other import *\n\n\ndef run(x):\n    return f(x)\n",
        "def run(x):\n    from learner_collusion.other import f\n    return f(x)\n",
        "def run(x):\n    from .other import f as h\n    return [h for h in (h(x),)]\n",
        # read outside of the scope that binds the name
        "from .other import f\n\n\ndef run(x, f=f(1)):\n    return f\n",
        "from .other import f\n\n\ndef run(x):\n    return (lambda f=f: f)(), x\n",
        "from .other import f\n\n\ndef run(x):\n    return [f for f in f(x)]\n",
        "from .other import f\n\n\ndef run(x):\n    return [f for f in x], f(x)\n",
        "from .other import f\n\n\ndef run(x):\n    def inner(f):\n        return f\n    return inner(f(x))\n",
        "from .other import f\n\n\n@f\ndef run(f):\n    return f\n",
        "from .other import f\n\n\ndef run(x):\n    global f\n    f = f(x)\n",
        "from .other import f\n\n\nclass run:\n    f = 1\n    def method(self):\n        return f(self)\n",
    ],
)
def test_what_is_read_of_another_module(package, text):
    """A change of f counts, one of g does not (but where all names are imported)."""
    first = of_code(package, text)
    assert first != of_code(package, text, OTHER.replace("return x", "return x + 1"))
    assert "import *" in text or first == of_code(package, text, OTHER.replace("return -x", "return 1 - x"))


@pytest.mark.parametrize(
    "body",
    [
        "f = x\n    return f",
        "return [f for f in x]",
        "return {f: 1 for f in x}",
        "return (lambda f: f)(x)",
        "for f in x:\n        pass\n    return f",
        "try:\n        return x\n    except OSError as f:\n        return f",
        "match x:\n        case [f, *_]:\n            return f",
        "return [y for y in x if (f := y)], f",
    ],
)
def test_a_local_name_is_not_that_of_the_module(package, body):
    text = f"from .other import f\n\n\ndef run(x):\n    {body}\n"
    assert of_code(package, text) == of_code(package, text, OTHER.replace("return x", "return x + 1"))


def test_flags_of_the_compiler_count(package):
    assert stale_after(lambda: edit(package / "native/flags.toml", "-O3", "-O2")) == SWEEP | CELLS | PICTURES
    assert stale_after(lambda: edit(package / "native/flags.toml", "# One file", "# A file")) == set()


def test_a_library_older_than_its_sources_is_told(package):
    library = package / "native/_native.test.so"
    assert provenance.outdated_library() is None  # nothing was built
    library.write_text("")
    os.utime(library, (1, 1))
    assert provenance.outdated_library() is None  # installed: no setup.py two folders up
    source = package.parent / "clone/src/learner_collusion"
    source.parent.mkdir(parents=True)
    package.rename(source)
    (source.parents[1] / "setup.py").write_text("")
    provenance.PACKAGE = source
    told = provenance.outdated_library()
    assert told.endswith("`pip install -e .`.") and "\n" not in told
    library = source / "native/_native.test.so"
    os.utime(library)
    assert provenance.outdated_library() is None
    os.utime(source / "native/flags.toml", (2**32, 2**32))
    assert "older than flags.toml" in provenance.outdated_library()


def test_the_keys_that_a_model_is_given_count(monkeypatch):
    before = registry.builder_code("cnn"), registry.builder_code("vgg")
    monkeypatch.setitem(registry.MODELS, "cnn", dataclasses.replace(registry.MODELS["cnn"], options=("variant",)))
    assert provenance.fingerprint(*before[0]) != provenance.fingerprint(*registry.builder_code("cnn"))
    assert before[1] == registry.builder_code("vgg")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A current folder with a package of the user's."""
    (tmp_path / "mine").mkdir()
    files = {
        "mine/__init__.py": "raise ImportError('read, not imported')",
        "mine/nets.py": "import json\nfrom .layers import block\nfrom helper import scale\n\nclass Net: pass\n",
        "mine/layers.py": "block = 1\n",
        "mine/unrelated.py": "other = 1\n",
        "helper.py": "scale = 1\n",
        "alone.py": "def net(classes, width):\n    return None\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_model(model):
    provenance.fingerprint.cache_clear()
    return provenance.fingerprint(*registry.builder_code(model))


@pytest.mark.parametrize(
    ("model", "file", "counts"),
    [
        ("mine.nets.Net", "mine/nets.py", True),
        ("mine.nets.Net", "mine/__init__.py", True),
        ("mine.nets.Net", "mine/layers.py", True),
        ("mine.nets.Net", "helper.py", True),
        ("mine.nets.Net", "mine/unrelated.py", False),
        ("alone.net", "alone.py", True),
        ("alone.net", "helper.py", False),
    ],
)
def test_a_model_of_the_users_counts_with_what_it_imports_of_hers(elsewhere, model, file, counts):
    before = of_model(model)
    with open(elsewhere / file, "a") as text:
        text.write("\n# a comment\n")
    assert of_model(model) == before
    with open(elsewhere / file, "a") as text:
        text.write("\nCHANGED = 1\n")
    assert (of_model(model) != before) == counts


def test_a_model_that_is_not_found_is_told(elsewhere):
    for model in ("mine.nothing.Net", "nowhere.Net"):
        with pytest.raises(UserError, match="there is no module") as caught:
            of_model(model)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stages/tune.py", "DIVERGED = 10.0", "DIVERGED = 20.0"),
        ("stages/evaluate.py", "1e-9 * max", "1e-8 * max"),
        ("data/splits.py", "FEWEST_ROWS = 5", "FEWEST_ROWS = 6"),
        ("native/engine/kernel.h", "(T)0.999 * square[p]", "(T)0.99 * square[p]"),
    ],
)
def test_a_variant_is_stale_when_a_stage_that_it_makes_anew_is(package, file, old, new):
    read_anew()
    before = provenance.fingerprint("stages.sensitivity")
    edit(package / file, old, new)
    read_anew()
    assert provenance.fingerprint("stages.sensitivity") != before


def test_a_change_of_a_claim_judges_the_variants_again_and_makes_none_anew(package):
    roots = (("stages.sensitivity",), ("stages.aggregate:sensitivity", "stages.aggregate:run!"))
    read_anew()
    before = [provenance.fingerprint(*root) for root in roots]
    edit(package / "claims/intervals.py", "(1 - confidence) / 2", "(1 - confidence) / 3")
    read_anew()
    after = [provenance.fingerprint(*root) for root in roots]
    assert before[0] == after[0] and before[1] != after[1]
