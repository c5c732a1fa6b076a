# What all rules share: the checked configuration, and providers for settings, fingerprints and paths.
#
# Requires: config.yaml (with the presets laid over it); a wrong configuration ends here, in one sentence
# Produces: nothing
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from learner_collusion.data.registry import IMAGE_SOURCES
from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.models.registry import builder_code
from learner_collusion.plan import cells, configuration, settings
from learner_collusion.plan.provenance import fingerprint
from learner_collusion.publishing.registry import TABLES

# Jobs use the interpreter that runs Snakemake (unless a conda environment comes before it) and the code of this clone.
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    ),
    PYTHONPATH=os.pathsep.join(
        filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])
    ),
)


def checked(config):
    """The configuration and the paper's, or one sentence on what is wrong."""
    try:
        configuration.check(config)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return config, configuration.load(ROOT / "config.yaml")


CONFIG, PAPER = checked(config)
PARTS = CONFIG["parts"]
TABULAR = CONFIG["tabular"]
IMAGES = CONFIG["images"]
HARDWARE = IMAGES["hardware"]
# Changes no result beyond rounding: part of the commands and of no settings, so that another machine retrains nothing.
HARDWARE_FLAGS = (
    f"--device {HARDWARE['device']} "
    f"--{'' if HARDWARE['compile'] else 'no-'}compile "
    f"--checkpoint-minutes {HARDWARE['checkpoint_minutes']}"
)
TABLE_NAMES = {*CONFIG["tables"]}

# What `all` makes: of the images, the experiments that are enabled.
MADE_FIGURES = [
    name
    for name, figure in FIGURES.items()
    if figure.part in PARTS
    and (figure.experiment is None or figure.experiment in IMAGES["enabled"])
]
MADE_TABLES = [name for name, table in TABLES.items() if table.part in PARTS]
DATASETS = [name for name in TABULAR["datasets"] if "tabular" in PARTS] + [
    name for name in cells.datasets(CONFIG, IMAGES["enabled"]) if "images" in PARTS
]

# Where the raw files are copied from if their origin does not answer: an environment variable and no parameter, so that
# another mirror makes nothing stale. A relative folder counts from the root of this clone.
MIRROR = CONFIG["datasets"]["mirror"] or os.environ.get("LEARNER_COLLUSION_MIRROR")
if MIRROR:
    os.environ.update(LEARNER_COLLUSION_MIRROR=str((ROOT / MIRROR).resolve()))


wildcard_constraints:
    settings=r"[a-z_]+(/[\w.-]+)?",
    dataset="|".join([*CONFIG["tables"], *IMAGES["datasets"]]),
    kind="parquet|npz",
    figure="|".join(FIGURES),
    table="|".join(TABLES),
    part="theory|tabular|images",
    records="tabular|images|" + "|".join(f"images/{e}" for e in IMAGES["experiments"]),
    protocol="|".join(IMAGES["protocols"]),
    model=r"[\w.]+",
    learners=r"\d+",
    averaging="probability|score",
    drop_rate=r"[0-9.e-]+",
    beta=r"[0-9.e-]+",
    run=r"\d+",


def code(stage, *roots):
    """The fingerprint of a stage's code: its module, and what it chooses by name."""
    return fingerprint(f"stages.{stage}", *roots)


def settings_text(wildcards):
    """A stage's part of the configuration."""
    stage, _, part = wildcards.settings.partition("/")
    return settings.as_yaml(settings.take(CONFIG, PAPER, stage, part))


def raw_file(wildcards):
    """The raw file of a table, or the archive of an image data set."""
    table = CONFIG["tables"].get(wildcards.dataset, {"file": "archive.tar"})
    return f"results/datasets/raw/{wildcards.dataset}/{table['file']}"


def prepared(dataset):
    """The prepared file of a data set."""
    kind = "parquet" if dataset in TABLE_NAMES else "npz"
    return f"results/datasets/{dataset}.{kind}"


def data_code(wildcards, stage):
    """The code that fetches or prepares a data set: that of tables, or of images and their source."""
    if wildcards.dataset in TABLE_NAMES:
        return fingerprint(f"stages.{stage}:{stage}_table", f"stages.{stage}:run!")
    source = IMAGE_SOURCES[IMAGES["datasets"][wildcards.dataset]["source"]]
    part = {"fetch": "fetch", "prepare": "read"}[stage]
    roots = (f"stages.{stage}:{stage}_images", f"data.{source}:{part}")
    return fingerprint(*roots, f"stages.{stage}:run!")


def fetch_code(wildcards):
    """The code that fetches a data set."""
    return data_code(wildcards, "fetch")


def prepare_code(wildcards):
    """The code that prepares a data set."""
    return data_code(wildcards, "prepare")


def cell_minutes(wildcards, attempt):
    """The time limit of a cell; training resumes from its checkpoint at the next attempt."""
    return 60 * (24 if wildcards.protocol != "cnn" else 6) * attempt


def cell_code(wildcards):
    """The code that trains a cell: the loop, and the model that it names."""
    return code("train_images", *builder_code(wildcards.model))


def aggregated(wildcards):
    """What one table of records is made of."""
    family, _, experiment = wildcards.records.partition("/")
    if family == "tabular":
        return expand(
            "results/records/tabular/{dataset}.parquet", dataset=TABULAR["datasets"]
        )
    return cells.cells(CONFIG, [experiment] if experiment else IMAGES["enabled"])


def family(wildcards):
    """The family of some records: tabular or images."""
    return wildcards.records.partition("/")[0]


def aggregate_code(wildcards):
    """The code that puts records of a family together."""
    return fingerprint(f"stages.aggregate:{family(wildcards)}", "stages.aggregate:run!")


def figure_records(wildcards):
    """The records that a figure reads; Figures 1 and 7 to 9 read none."""
    figure = FIGURES[wildcards.figure]
    paths = {
        "theory": [],
        "tabular": ["results/records/tabular.parquet"],
        "images": [f"results/records/images/{figure.experiment}.parquet"],
    }
    return paths[figure.part]


def figure_code(wildcards):
    """The code that draws a figure."""
    return code("figure", f"figures.{FIGURES[wildcards.figure].draw}")


def table_code(wildcards):
    """The code that makes a table, and the model that it shows."""
    table = TABLES[wildcards.table]
    model = builder_code(table.model) if table.model else []
    return code("table", f"publishing.{table.make}", *model)


def claims_records(wildcards):
    """The records that the claims of a part are judged by; the theory needs none."""
    paths = {
        part: [f"results/records/{part}.parquet"] for part in ("tabular", "images")
    }
    return paths.get(wildcards.part, [])


def claims_code(wildcards):
    """The code that judges the claims of a part."""
    part = wildcards.part
    roots = (f"stages.claims:judge_{part}", f"claims.{part}", "stages.claims:run!")
    return fingerprint(*roots)
