# Helpers of all rules: the checked configuration, each stage's part of it, and the fingerprint of each stage's code.
#
# Requires: config.yaml (with the presets laid over it)
# Produces: nothing; a configuration that is wrong ends here, in one sentence
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
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
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

# The figures whose rules exist.
FIGURES = [
    "fig1_collusion",
    "fig2_diversity",
    "fig3_debiased",
    "fig4_codependence",
    "fig7_summary",
    "fig8_gat_gamma",
    "fig9_gat_alpha",
]

# Where the raw files are copied from if their origin does not answer: an environment variable and no parameter, so that
# another mirror makes nothing stale. A relative folder counts from the root of this clone.
MIRROR = CONFIG["datasets"]["mirror"] or os.environ.get("LEARNER_COLLUSION_MIRROR")
if MIRROR:
    os.environ.update(LEARNER_COLLUSION_MIRROR=str((ROOT / MIRROR).resolve()))


wildcard_constraints:
    dataset="|".join(CONFIG["tables"]),
    run=r"\d+",


def as_json(settings):
    """A stage's settings as one word of a command line, the same for the same settings."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def part(*keys, **others):
    """The keys of the tabular configuration that a stage uses, with the seed, as JSON."""
    return as_json({"seed": CONFIG["seed"], **{key: TABULAR[key] for key in keys}, **others})


def fetch_settings(wildcards):
    """Where a raw file is and what it must be."""
    table, network = CONFIG["tables"][wildcards.dataset], CONFIG["datasets"]
    places = {key: table[key] for key in ("url", "file", "sha256")}
    return as_json({**places, "retries": network["retries"], "timeout": network["timeout"]})


def prepare_settings(wildcards):
    """How a table is parsed and what it must hold."""
    table = CONFIG["tables"][wildcards.dataset]
    used = {key: value for key, value in table.items() if key not in ("title", "url", "sha256")}
    return as_json({"table": used, "missing": TABULAR["preprocessing"]["missing"]})


def raw_file(wildcards):
    """The raw file of a data set."""
    return f"results/datasets/raw/{wildcards.dataset}/{CONFIG['tables'][wildcards.dataset]['file']}"


def note(*parts):
    """The line that marks reduced fidelity, empty at the paper's settings."""
    return " ".join(filter(None, [configuration.note(CONFIG, PAPER, name) for name in parts]))


def gpus(wildcards):
    """GPUs that a training job asks for."""
    return 0 if TABULAR["device"] == "cpu" else 1
