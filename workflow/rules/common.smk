# Helpers of all rules: the checked configuration, each stage's part of it, and the fingerprint of each stage's code.
#
# Requires: config.yaml (with the presets laid over it)
# Produces: nothing; a configuration that is wrong ends here, in one sentence
import itertools
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from learner_collusion import configuration
from learner_collusion.errors import UserError
from learner_collusion.provenance import fingerprint

# Jobs use the interpreter that runs Snakemake (unless a conda environment comes before it) and the code of this clone.
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    ),
    PYTHONPATH=str(ROOT / "src"),
)


def checked(config):
    """The configuration and the paper's, or one sentence on what is wrong."""
    try:
        configuration.check(config, ROOT / "workflow/schemas/config.schema.yaml")
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return config, configuration.load(ROOT / "config.yaml")


CONFIG, PAPER = checked(config)
TABULAR = CONFIG["tabular"]
TABLES = {name: CONFIG["tables"][name] for name in TABULAR["datasets"]}
TITLES = {name: CONFIG["tables"][name]["title"] for name in TABULAR["datasets"]}
RUNS = range(TABULAR["runs"])

IMAGES = CONFIG["images"]
HARDWARE = {name: str(value) for name, value in IMAGES["hardware"].items()}
PARTS = CONFIG["parts"]

# The figures that read image records: the experiment, what draws them, and how.
IMAGE_FIGURES = {
    "fig5_generalization_gap": ("curves", "gap", {}),
    "fig6_practical": ("practical", "practical", {"imagenet": True}),
    "fig10_loss_curves": ("curves", "losses", {}),
    "fig11_train_decomposition": ("curves", "parts", {"split": "train"}),
    "fig12_test_decomposition": ("curves", "parts", {"split": "test"}),
    "fig13_larger_ensembles": ("larger", "practical", {}),
    "fig14_score_averaging": ("score", "practical", {}),
    "fig15_cnn": ("cnn", "both_metrics", {}),
    "fig16_vgg_svhn": ("vgg", "both_metrics", {}),
    "fig17_ensemble_loss": ("practical", "practical", {"metric": "err"}),
    "fig18_learner_dropout": ("dropout", "dropout", {}),
}
THEORY_FIGURES = ["fig1_collusion", "fig7_summary", "fig8_gat_gamma", "fig9_gat_alpha"]
TABULAR_FIGURES = ["fig2_diversity", "fig3_debiased", "fig4_codependence"]

MADE_IMAGE_FIGURES = [
    name
    for name, (experiment, _, _) in IMAGE_FIGURES.items()
    if experiment in IMAGES["make"]
]
IMAGE_TABLES = ["table3_cnn", "table4_vgg"]

# What `all` makes of each part of the paper.
FIGURES = (
    THEORY_FIGURES * ("theory" in PARTS)
    + TABULAR_FIGURES * ("tabular" in PARTS)
    + MADE_IMAGE_FIGURES * ("images" in PARTS)
)
TABLE_NAMES = ["table2_losses"] * ("theory" in PARTS) + IMAGE_TABLES * (
    "images" in PARTS
)

# Where the raw files are copied from if their origin does not answer: an environment variable and no parameter, so that
# another mirror makes nothing stale. A relative folder counts from the root of this clone.
MIRROR = CONFIG["datasets"]["mirror"] or os.environ.get("LEARNER_COLLUSION_MIRROR")
if MIRROR:
    os.environ.update(LEARNER_COLLUSION_MIRROR=str((ROOT / MIRROR).resolve()))


wildcard_constraints:
    dataset="|".join(CONFIG["tables"]),
    run=r"\d+",
    images="|".join(IMAGES["datasets"]),
    experiment="|".join(IMAGES["experiments"]),
    image_figure="|".join(IMAGE_FIGURES),
    protocol="|".join(IMAGES["protocols"]),
    model="[a-z0-9]+",
    learners=r"\d+",
    averaging="probability|score",
    dropped=r"[0-9.]+",
    beta=r"[0-9.]+",


def as_json(settings):
    """A stage's settings as one word of a command line, the same for the same settings."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def part(*keys, **others):
    """The keys of the tabular configuration that a stage uses, with the seed, as JSON."""
    return as_json(
        {"seed": CONFIG["seed"], **{key: TABULAR[key] for key in keys}, **others}
    )


def fetch_settings(wildcards):
    """Where a raw file is and what it must be."""
    table, network = CONFIG["tables"][wildcards.dataset], CONFIG["datasets"]
    places = {key: table[key] for key in ("url", "file", "sha256")}
    return as_json(
        {**places, "retries": network["retries"], "timeout": network["timeout"]}
    )


def prepare_settings(wildcards):
    """How a table is parsed and what it must hold."""
    table = CONFIG["tables"][wildcards.dataset]
    used = {
        key: value
        for key, value in table.items()
        if key not in ("title", "url", "sha256")
    }
    return as_json({"table": used, "missing": TABULAR["preprocessing"]["missing"]})


def raw_file(wildcards):
    """The raw file of a data set."""
    return f"results/datasets/raw/{wildcards.dataset}/{CONFIG['tables'][wildcards.dataset]['file']}"


def note(*parts):
    """The line that marks reduced fidelity, empty at the paper's settings."""
    return configuration.note(CONFIG, PAPER, *parts)


def gpus(wildcards):
    """GPUs that a training job asks for."""
    return 0 if TABULAR["device"] == "cpu" else 1


def image_settings(wildcards):
    """What an image data set must be, and how it may be had."""
    known, network = IMAGES["datasets"][wildcards.images], CONFIG["datasets"]
    keys = ("source", "classes", "train", "test", "content")
    settings = {key: known[key] for key in keys} | {
        "md5": known.get("md5", {}),
        "missing": IMAGES["missing"],
    }
    return as_json(
        {**settings, "retries": network["retries"], "timeout": network["timeout"]}
    )


def cells(*names):
    """The histories of the cells of some experiments; cells that they share come once."""
    found = {}
    for name in names:
        e = IMAGES["experiments"][name]
        pattern = "results/images/{p}/{d}/{m}/m{l}-{a}/drop{x:g}/beta{b:g}/run{r}/history.parquet"
        for d, m, l, x, b, r in itertools.product(
            e["datasets"],
            e["models"],
            e["learners"],
            e["dropped"],
            e["betas"],
            range(e["runs"]),
        ):
            path = pattern.format(
                p=e["protocol"], d=d, m=m, l=l, a=e["averaging"], x=x, b=b, r=r
            )
            found[path] = None
    return list(found)


def experiment_cells(wildcards):
    """The cells of one experiment."""
    return cells(wildcards.experiment)


def cell_of(wildcards):
    """What a cell is, as JSON."""
    names = ("protocol", "model", "averaging")
    cell = {name: wildcards[name] for name in names} | {"dataset": wildcards.images}
    numbers = {"learners": int, "dropped": float, "beta": float, "run": int}
    return as_json(
        cell | {name: read(wildcards[name]) for name, read in numbers.items()}
    )


def cell_settings(wildcards):
    """The settings of a cell's training; where it runs is no part of them, so that another machine retrains nothing."""
    known = IMAGES["datasets"][wildcards.images]
    return as_json(
        {
            "seed": CONFIG["seed"],
            "protocol": configuration.image_protocol(CONFIG, wildcards.protocol),
            "precision": IMAGES["hardware"]["precision"],
            "dataset": {key: known[key] for key in ("classes", "mean", "std")},
        }
    )


def cell_minutes(wildcards, attempt):
    """The time limit of a cell; training goes on from its checkpoint at the next attempt."""
    return 60 * (24 if wildcards.protocol != "cnn" else 6) * attempt


def cell_gpus(wildcards):
    """GPUs that a cell asks for."""
    return 0 if IMAGES["hardware"]["device"] == "cpu" else 1


def image_titles():
    """The data sets' names as figures and claims print them."""
    return {name: known["title"] for name, known in IMAGES["datasets"].items()}


def image_figure_records(wildcards):
    """The records that an image figure reads."""
    return f"results/records/images/{IMAGE_FIGURES[wildcards.image_figure][0]}.parquet"


def image_figure_name(wildcards):
    """The function that draws an image figure."""
    return IMAGE_FIGURES[wildcards.image_figure][1]


def image_figure_settings(wildcards):
    """What an image figure shows, as JSON."""
    experiment, _, options = IMAGE_FIGURES[wildcards.image_figure]
    shown = {
        "experiment": IMAGES["experiments"][experiment],
        "titles": image_titles(),
        "options": options,
    }
    return as_json(shown)


def image_figure_note(wildcards):
    """The line that marks reduced fidelity on an image figure."""
    return note(f"images.{IMAGE_FIGURES[wildcards.image_figure][0]}")


def model_options(protocol):
    """The options of a protocol's model, as JSON."""
    keys = ("width", "form", "dropout")
    return as_json(
        {
            key: value
            for key, value in IMAGES["protocols"][protocol].items()
            if key in keys
        }
    )
