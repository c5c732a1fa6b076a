# Train: the beta sweep of each run with its tuned hyper-parameters, all betas in one program.
#
# Requires: results/datasets/<dataset>.parquet, results/tabular/<dataset>/run<run>/best.json
# Produces: results/tabular/<dataset>/run<run>/history.parquet (a row an epoch),
#           predictions.parquet (a row a test example and learner)


rule train_run:
    input:
        table="results/datasets/{dataset}.parquet",
        best="results/tabular/{dataset}/run{run}/best.json",
    output:
        history="results/tabular/{dataset}/run{run}/history.parquet",
        predictions="results/tabular/{dataset}/run{run}/predictions.parquet",
    log:
        "results/logs/train/{dataset}/run{run}.log",
    benchmark:
        "results/benchmarks/train/{dataset}/run{run}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        runtime=60,
        mem_mb=2000,
        gpu=gpus,
    params:
        settings=part("split", "preprocessing", "training", "betas", "engine", "device"),
        code=fingerprint("tabular"),
    shell:
        """
        python -m learner_collusion train \
            --dataset {wildcards.dataset:q} \
            --run {wildcards.run} \
            --settings {params.settings:q} \
            --table {input.table:q} \
            --best {input.best:q} \
            --history {output.history:q} \
            --predictions {output.predictions:q} \
            --threads {threads} \
            2>&1 | tee {log:q}
        """
