# Tune: Bayesian optimisation of the hyper-parameters of each run (Appendix B). Resumable: finished trials are kept.
#
# Requires: results/datasets/<dataset>.parquet
# Produces: results/tabular/<dataset>/run<run>/trials.parquet, best.json


rule tune_run:
    input:
        table="results/datasets/{dataset}.parquet",
    output:
        trials="results/tabular/{dataset}/run{run}/trials.parquet",
        best="results/tabular/{dataset}/run{run}/best.json",
    log:
        "results/logs/tune/{dataset}/run{run}.log",
    benchmark:
        "results/benchmarks/tune/{dataset}/run{run}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        runtime=60,
        mem_mb=2000,
        gpu=gpus,
    params:
        settings=part(
            "split", "preprocessing", "training", "tuning", "engine", "device"
        ),
        code=fingerprint("tuning"),
    shell:
        """
        python -m learner_collusion tune \
            --dataset {wildcards.dataset:q} \
            --run {wildcards.run} \
            --settings {params.settings:q} \
            --table {input.table:q} \
            --trials {output.trials:q} \
            --best {output.best:q} \
            --threads {threads} \
            2>&1 | tee {log:q}
        """
