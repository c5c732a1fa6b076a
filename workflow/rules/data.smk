# Data: raw files from their origin or a mirror, verified; then tables as Parquet, images as arrays.
#
# Requires: the network, or a mirror folder (datasets.mirror, or the environment variable LEARNER_COLLUSION_MIRROR), or the
#   user's own file of a table
# Produces: results/datasets/raw/<dataset>/<file>, results/datasets/<dataset>.parquet (tables) or .npz (images)


rule fetch:
    """Fetch the raw files of a data set from their origin, else from the mirror, and verify them."""
    input:
        settings="results/settings/fetch/{dataset}.yaml",
        own=own_file,
    output:
        "results/datasets/raw/{dataset}/{file}",
    log:
        "results/logs/fetch/{dataset}/{file}.log",
    benchmark:
        "results/benchmarks/fetch/{dataset}/{file}.tsv"
    priority: 10  # all data before any training: what is missing is told at once, and the largest table is tuned first
    localrule: True  # compute nodes often see no network
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=60,
        mem_mb=2000,
    params:
        planned=planned("fetch", "{dataset}"),
    shell:
        """
        python -m learner_collusion fetch \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --dataset {wildcards.dataset:q} \
            --output {output:q} \
            2>&1 | tee {log:q}
        """


rule prepare:
    """Parse and check a data set: a table as typed Parquet, images as arrays."""
    input:
        settings="results/settings/prepare/{dataset}.yaml",
        raw=raw_of_prepared,
    output:
        "results/datasets/{dataset}.{kind}",
    log:
        "results/logs/prepare/{dataset}.{kind}.log",
    benchmark:
        "results/benchmarks/prepare/{dataset}.{kind}.tsv"
    priority: 10
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=growing(30),
        mem_mb=growing(3000),
    params:
        planned=planned("prepare", "{dataset}"),
    shell:
        """
        python -m learner_collusion prepare \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --dataset {wildcards.dataset:q} \
            --raw {input.raw:q} \
            --output {output:q} \
            2>&1 | tee {log:q}
        """
