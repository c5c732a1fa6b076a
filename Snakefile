# Regenerates "Joint Training of Deep Ensembles Fails Due to Learner Collusion" (Jeffares et al., NeurIPS 2023).
#
#   snakemake --cores 2                                              everything that this machine can do
#   snakemake --cores 2 results/figures/fig2_diversity.pdf           one figure
#   snakemake --profile slurm results/figures/fig2_diversity.pdf     the same on a cluster
#   snakemake --list                                                 all rules, with a sentence on each
#
# config.yaml is the paper; workflow/presets/ hold smaller ones, workflow/profiles/ say where and how to run.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.6")


configfile: Path(workflow.current_basedir, "config.yaml")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tabular.smk"
include: "workflow/rules/sensitivity.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/imagenet.smk"
include: "workflow/rules/results.smk"


# What jobs would miss is told before the first one; a dry run needs none of it. Snakemake keeps the last of several `onstart`.
onstart:
    if missing := absent_pictures() or without_gpu(workflow):
        raise WorkflowError(missing)


# Targets by name. `claims` and `report` are as well: they stand in results.smk.


rule all:
    """Every figure, table and claim of the parts that the configuration names, and the page that shows them."""
    default_target: True
    input:
        expand("results/figures/{figure}.pdf", figure=MADE_FIGURES),
        expand("results/tables/{table}.md", table=MADE_TABLES),
        "results/claims.md",
        "results/config.yaml",
        "results/report.html",


rule data:
    """All data sets, fetched and prepared."""
    input:
        [prepared(dataset) for dataset in DATASETS],


rule tune:
    """The tuned hyper-parameters of all tables."""
    input:
        expand("results/tabular/{dataset}/best.parquet", dataset=TABULAR["datasets"]),


rule sweep:
    """The records of the beta sweep on all tables."""
    input:
        "results/records/tabular.parquet",


rule figures:
    """All figures."""
    input:
        expand("results/figures/{figure}.pdf", figure=MADE_FIGURES),


rule tables:
    """All tables."""
    input:
        expand("results/tables/{table}.md", table=MADE_TABLES),


rule images:
    """Figures, tables and claims of the image experiments alone."""
    input:
        expand(
            "results/figures/{figure}.pdf",
            figure=[f for f in MADE_FIGURES if FIGURES[f].part == "images"],
        ),
        expand(
            "results/tables/{table}.md",
            table=[t for t in TABLES if TABLES[t].part == "images"],
        ),
        "results/claims/images.md",
        "results/config.yaml",
