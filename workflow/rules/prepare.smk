# Prepare: raw tables parsed, checked by their content, typed, rows with missing values dropped.
#
# Requires: results/datasets/raw/<dataset>/<file>
# Produces: results/datasets/<dataset>.parquet


rule prepare:
    input:
        raw=raw_file,
    output:
        table="results/datasets/{dataset}.parquet",
    log:
        "results/logs/prepare/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=prepare_settings,
        code=fingerprint("datasets.tabular"),
    shell:
        """
        python -m learner_collusion prepare \
            --dataset {wildcards.dataset:q} \
            --settings {params.settings:q} \
            --raw {input.raw:q} \
            --output {output.table:q} \
            2>&1 | tee {log:q}
        """
