# What all rules share: the checked configuration, and providers for settings, fingerprints and paths.
#
# Requires: config.yaml (with the presets laid over it); a wrong configuration ends here, in one sentence
# Produces: nothing
import gc
import hashlib
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# A plan makes half a million objects, and keeps them: fewer rounds of garbage collection save a sixth of its time.
gc.set_threshold(200_000, 20, 20)

ROOT = Path(workflow.current_basedir).parents[1]
TEMPLATES = ROOT / "src/learner_collusion/publishing/templates"
sys.path.insert(0, str(ROOT / "src"))

from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import (
    cells,
    configuration,
    families,
    makers,
    parts,
    sensitivity,
    settings,
    tables,
)
from learner_collusion.plan.guard import guarded, without_gpu
from learner_collusion.plan.provenance import fingerprint, outdated_library
from learner_collusion.publishing.registry import TABLES

# Jobs use the interpreter that runs Snakemake (unless a conda environment comes before it) and the code of this clone. A
# model of the user's is found in the folder where Snakemake was started, whatever --directory says.
STARTED_IN = getattr(
    workflow, "rundir", workflow.basedir
)  # Snakemake 9.6 does not tell
if STARTED_IN not in sys.path:
    sys.path.append(STARTED_IN)
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    ),
    PYTHONPATH=os.pathsep.join(
        dict.fromkeys(
            filter(
                None,
                [
                    str(ROOT / "src"),
                    *os.environ.get("PYTHONPATH", "").split(os.pathsep),
                    STARTED_IN,
                ],
            )
        )
    ),
)


def checked(config):
    """The configuration and the paper's, or one sentence on what is wrong."""
    paper = configuration.load(configuration.PAPER)
    files = getattr(workflow, "configfiles", [])
    try:
        for file in files:  # Snakemake takes the last of two equal keys
            configuration.load(file)
        configuration.check(config)
        return tables.complete(config, paper, files, STARTED_IN), paper
    except UserError as error:
        raise WorkflowError(str(error)) from None


CONFIG, PAPER = checked(config)
PLANNED = makers.planner(CONFIG, PAPER)
PARTS = CONFIG["parts"]
TABULAR = CONFIG["tabular"]
IMAGES = CONFIG["images"]
IMAGENET = CONFIG["imagenet"]
HARDWARE = IMAGES["hardware"]
# A tuning or training job has one process more than threads.
TABULAR_BASE_MB = 1500 if TABULAR["device"] == "cpu" else 5000

PICTURES = IMAGENET["datasets"]
TEAM = IMAGENET["hardware"]
PROCESSES, NODES = TEAM["gpus_per_job"], TEAM["nodes"]
GPUS = 0 if TEAM["device"] == "cpu" else PROCESSES
# On one node the stage starts a process for each GPU; on several srun does, where the rule has the resource `mpi`.
# Of each process; srun does not take those of the job.
CORES = TEAM["threads"] + TEAM["workers"]
START = (
    f"srun --nodes={NODES} --ntasks={PROCESSES} --ntasks-per-node={PROCESSES // NODES} --cpus-per-task={CORES} --kill-on-bad-exit=1 "
    if NODES > 1
    else ""
)
BY_SRUN = dict(mpi="srun", tasks=PROCESSES, nodes=NODES) if NODES > 1 else {}
BY_SRUN |= dict(tasks_per_gpu=1) if NODES > 1 and GPUS else {}
AWAITED = set()  # data sets whose pictures this run reads


def hardware_flags(hardware):
    """What changes no result beyond rounding: part of the commands and of no settings, so that another machine retrains nothing."""
    return (
        f"--device {hardware['device']} "
        f"--{'' if hardware['compile'] else 'no-'}compile "
        f"--checkpoint-minutes {hardware['checkpoint_minutes']}"
    )


# Taken only where PyTorch trains (stages/tune.py), so in the command of one job and in no settings.
PUBLISHED = (
    f"--published {shlex.quote(str(ROOT / TABULAR['published']))}"
    if TABULAR.get("published")
    else ""
)
TABLE_NAMES = {*CONFIG["tables"]}

# What `all` makes.
MADE_FIGURES, MADE_TABLES = settings.made_figures(CONFIG), settings.made_tables(CONFIG)
DATASETS = [name for name in TABULAR["datasets"] if "tabular" in PARTS]
DATASETS += [
    name for name in cells.datasets(CONFIG, IMAGES["enabled"]) if "images" in PARTS
]
DATASETS += [IMAGENET["dataset"]] if "imagenet" in PARTS else []

if not_there := tables.not_there(CONFIG, DATASETS):
    raise WorkflowError(not_there)
if tables.own_names(CONFIG, PAPER) and Path.cwd() == ROOT.resolve():
    raise WorkflowError(
        "A study of your own tables has a folder of its own, so that it does not mix with "
        "the paper's results: add --directory and its name."
    )
workflow.execute = guarded(workflow, logger.warning, WorkflowError)
configuration.use_mirror(CONFIG, STARTED_IN)
if warning := outdated_library():
    logger.warning(warning)


wildcard_constraints:
    settings=r"[a-z_]+(/[\w.-]+)?",
    dataset="|".join([*CONFIG["tables"], *IMAGES["datasets"]]),
    kind="parquet|npz",
    figure="|".join(FIGURES),
    table="|".join(TABLES),
    part="|".join(parts.JUDGED),
    variant=r"[a-z][a-z0-9_]*",
    records="|".join(
        [
            *parts.RECORDED,
            *(f"images/{name}" for name in IMAGES["experiments"]),
            *(f"imagenet/{name}" for name in IMAGENET["models"]),
        ]
    ),
    protocol="|".join(IMAGES["protocols"]),
    model=r"[\w.]+",
    learners=r"\d+",
    averaging="probability|score",
    drop_rate=r"[0-9.e-]+",
    beta=r"[0-9.e-]+",
    run=r"\d+",


def planned(stage, name):
    """What a job is planned with, as its option --planned takes it: a change of it makes the job stale, and the job compares it
    with what it finds. `name`: of what it makes, with the wildcards of its rule in braces.
    """

    def found(wildcards):
        try:
            return PLANNED(stage, name.format(**dict(wildcards.items())))
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return found


def settings_text(wildcards):
    """A stage's part of the configuration."""
    stage, _, part = wildcards.settings.partition("/")
    return settings.as_yaml(settings.take(CONFIG, PAPER, stage, part))


def raw_file(wildcards):
    """The raw file of a table, or the archive of an image data set."""
    table = CONFIG["tables"].get(wildcards.dataset, {"file": "archive.tar"})
    return f"results/datasets/raw/{wildcards.dataset}/{tables.file_name(table)}"


def own_file(wildcards):
    """The user's own file of a table: an input, so that what depends on it is made anew when it is edited."""
    table = CONFIG["tables"].get(wildcards.dataset)
    own = table is not None and tables.is_own(table)
    return os.path.relpath(table["file"]) if own else []


def raw_of_prepared(wildcards):
    """The raw file that a prepared one is made of; one sentence where a table is asked for as images, or images as a table."""
    right = prepared(wildcards.dataset)
    if not right.endswith(f".{wildcards.kind}"):
        raise WorkflowError(
            f"{wildcards.dataset} is prepared as {right}: ask for that file."
        )
    return raw_file(wildcards)


def prepared(dataset):
    """The prepared file of a data set."""
    kind = "parquet" if dataset in TABLE_NAMES else "npz"
    kind = "pictures.parquet" if dataset in IMAGENET["datasets"] else kind
    return f"results/datasets/{dataset}.{kind}"


def growing(amount, per_thread=0):
    """The minutes or MB of a job, twice as much from the second attempt on; docs/cluster.md has what was measured."""
    return lambda wildcards, attempt, threads: (amount + per_thread * threads) * min(
        attempt, 2
    )


def cell_minutes(wildcards, attempt):
    """The time limit of a cell; training resumes from its checkpoint at the next attempt."""
    return 60 * (12 if wildcards.protocol != "cnn" else 6) * min(attempt, 2)


def drawn_pictures(wildcards):
    """The tar of pictures that are drawn, or nothing: others are read where they lie."""
    if PICTURES[wildcards.dataset].get("drawn"):
        return [f"results/datasets/raw/{wildcards.dataset}/pictures.tar"]
    AWAITED.add(wildcards.dataset)
    return []


def absent_pictures():
    """A sentence where pictures that this run reads are not there; a list of them that is there already needs none."""
    found = (
        families.imagenet.absence(CONFIG, dataset)
        for dataset in sorted(AWAITED)
        if not Path(prepared(dataset)).exists()
    )
    return next(filter(None, found), "")


def aggregated(wildcards):
    """What one table of records is made of."""
    family, _, experiment = wildcards.records.partition("/")
    if family == "tabular":
        return expand(
            "results/records/tabular/{dataset}.parquet", dataset=TABULAR["datasets"]
        )
    if family == "sensitivity":
        return [
            "results/records/tabular.parquet",
            *expand(
                "results/sensitivity/{variant}/records.parquet",
                variant=sensitivity.variants(CONFIG),
            ),
        ]
    if family == "imagenet":
        return cells.imagenet(CONFIG, [experiment] if experiment else [])
    return cells.cells(CONFIG, [experiment] if experiment else IMAGES["enabled"])


def family(wildcards):
    """The family of some records, as `plan.parts` names it."""
    return wildcards.records.partition("/")[0]


def aggregate_settings(wildcards):
    """The settings by which variants are judged; records are put together as they are."""
    return (
        ["results/settings/aggregate/sensitivity.yaml"]
        if family(wildcards) == "sensitivity"
        else []
    )


def of_the_tabular_half(wildcards):
    """What a variant of the tabular half may take from it."""
    return [
        *(
            f"results/datasets/raw/{name}/{tables.file_name(CONFIG['tables'][name])}"
            for name in TABULAR["datasets"]
        ),
        *(prepared(name) for name in TABULAR["datasets"]),
        *expand(
            "results/tabular/{dataset}/{name}.parquet",
            dataset=TABULAR["datasets"],
            name=["best", "history", "predictions"],
        ),
        *expand(
            "results/records/tabular/{dataset}.parquet", dataset=TABULAR["datasets"]
        ),
    ]


def records_of(stage):
    """The records that a figure, a table or a part of the claims reads; Figures 1 and 7 to 9 read none, nor do most tables."""
    return lambda wildcards: makers.records_of(CONFIG, stage, wildcards[0])


def judged_claims(wildcards):
    """All verdicts, where the configuration makes a part that is judged."""
    return ["results/claims.parquet"] * any(part in parts.JUDGED for part in PARTS)


def page_code():
    """The code of the page, its templates, and what the registries say of figures and tables."""
    shown = [
        text
        for registry in (FIGURES, TABLES)
        for entry in registry.values()
        for text in (entry.shows, entry.caption)
    ]
    shown += [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.iterdir())]
    digest = hashlib.sha256("\n".join(shown).encode()).hexdigest()
    return fingerprint("stages.report", f"={digest}")
