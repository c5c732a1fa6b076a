# Evaluate and aggregate: ERR, ERR-bar, DIV, debiasing and codependence of each run, then one long table of all.
#
# Requires: results/tabular/<dataset>/run<run>/predictions.parquet, history.parquet
# Produces: results/records/tabular/<dataset>.parquet, results/records/tabular.parquet


rule evaluate:
    input:
        predictions=expand(
            "results/tabular/{{dataset}}/run{run}/predictions.parquet", run=RUNS
        ),
        histories=expand(
            "results/tabular/{{dataset}}/run{run}/history.parquet", run=RUNS
        ),
    output:
        records="results/records/tabular/{dataset}.parquet",
    log:
        "results/logs/evaluate/{dataset}.log",
    benchmark:
        "results/benchmarks/evaluate/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=30,
        mem_mb=3000,
    params:
        settings=part("codependence"),
        code=fingerprint("evaluation"),
    shell:
        """
        python -m learner_collusion evaluate \
            --dataset {wildcards.dataset:q} \
            --settings {params.settings:q} \
            --predictions {input.predictions:q} \
            --histories {input.histories:q} \
            --output {output.records:q} \
            2>&1 | tee {log:q}
        """


rule aggregate:
    input:
        records=expand("results/records/tabular/{dataset}.parquet", dataset=TABLES),
    output:
        records="results/records/tabular.parquet",
    log:
        "results/logs/aggregate/tabular.log",
    benchmark:
        "results/benchmarks/aggregate/tabular.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        code=fingerprint("records"),
    shell:
        """
        python -m learner_collusion aggregate \
            --records {input.records:q} \
            --output {output.records:q} \
            2>&1 | tee {log:q}
        """
