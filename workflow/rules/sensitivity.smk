# Sensitivity: the tabular half with open choices changed (docs/deviations.md); one job per variant, with all its data sets inside.
#
# Requires: the tabular half, finished: a variant makes anew what it changes
# Produces: results/sensitivity/<variant>/records.parquet


rule sensitivity:
    """Make the tabular half anew with open choices changed."""
    input:
        settings="results/settings/sensitivity/{variant}.yaml",
        half=of_the_tabular_half,
    output:
        records="results/sensitivity/{variant}/records.parquet",
    log:
        "results/logs/sensitivity/{variant}.log",
    benchmark:
        "results/benchmarks/sensitivity/{variant}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: TABULAR["threads"]
    resources:
        runtime=growing(240),
        mem_mb=growing(TABULAR_BASE_MB, per_thread=500),
        gpu=0 if TABULAR["device"] == "cpu" else 1,
    params:
        planned=planned("sensitivity", "{variant}"),
    shell:
        """
        python -m learner_collusion sensitivity \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --variant {wildcards.variant} \
            --results results \
            --records {output.records:q} \
            --processes {threads} \
            2>&1 | tee {log:q}
        """
