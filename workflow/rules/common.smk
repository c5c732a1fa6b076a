# What all rules share: the checked configuration, one-line providers for settings, fingerprints and paths, and the two
# rules that write the configuration down.
#
# Requires: config.yaml (with the presets laid over it); a wrong configuration ends here, in one sentence
# Produces: results/config.yaml, results/settings/<stage>[/<part>].yaml
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from learner_collusion.data.registry import IMAGE_SOURCES
from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.models.registry import MODELS
from learner_collusion.plan import cells, configuration, settings
from learner_collusion.plan.provenance import fingerprint
from learner_collusion.publishing.registry import TABLES

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
        configuration.check(config)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return config, configuration.load(ROOT / "config.yaml")


CONFIG, PAPER = checked(config)
PARTS = CONFIG["parts"]
TABULAR = CONFIG["tabular"]
IMAGES = CONFIG["images"]
HARDWARE = IMAGES["hardware"]
COMPILE = "" if HARDWARE["compile"] else "no-"
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


rule configuration:
    """The configuration of these results, presets and command line included, next to them."""
    output:
        "results/config.yaml",
    log:
        "results/logs/configuration.log",
    localrule: True
    params:
        text=settings.as_yaml(CONFIG),
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"


rule settings:
    """A stage's part of the configuration: when it changes, that stage is stale, and no other."""
    output:
        "results/settings/{settings}.yaml",
    log:
        "results/logs/settings/{settings}.log",
    localrule: True
    params:
        text=settings_text,
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"
