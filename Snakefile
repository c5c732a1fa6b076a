# Regenerates "Joint Training of Deep Ensembles Fails Due to Learner Collusion" (Jeffares et al., NeurIPS 2023).
#
#   snakemake --cores 2                                              everything that this machine can do
#   snakemake --cores 2 results/figures/fig2_diversity.pdf           one figure
#   snakemake --profile slurm results/figures/fig2_diversity.pdf     the same on a cluster
#
# config.yaml is the paper; workflow/presets/ hold smaller ones, workflow/profiles/ say where and how to run.
from snakemake.utils import min_version

min_version("9.6")


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


rule all:
    input:
        expand("results/figures/{figure}.pdf", figure=FIGURES),
        expand("results/tables/{table}.md", table=TABLE_NAMES),
        "results/claims.md",
        "results/config.yaml",


# The stages by name, and the way of the data through them, a file a stage.


rule data:
    input:
        expand("results/datasets/{dataset}.parquet", dataset=TABLES),


rule tune:
    input:
        expand("results/tabular/{dataset}/run{run}/best.json", dataset=TABLES, run=RUNS),


rule sweep:
    input:
        "results/records/tabular.parquet",


rule figures:
    input:
        expand("results/figures/{figure}.pdf", figure=FIGURES),


rule tables:
    input:
        expand("results/tables/{table}.md", table=TABLE_NAMES),


rule images:
    input:
        expand("results/figures/{figure}.pdf", figure=MADE_IMAGE_FIGURES),
        expand("results/tables/{table}.md", table=IMAGE_TABLES),
        "results/claims/images.md",
        "results/config.yaml",


include: "workflow/rules/configuration.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/claims.smk"
