# Train: the beta sweep of each run with its tuned hyper-parameters, all betas in one program; on a GPU all runs of a data
# set in one job, where those that were tuned to the same shape train as one program.
#
# Requires: results/datasets/<dataset>.parquet, results/tabular/<dataset>/run<run>/best.json
# Produces: results/tabular/<dataset>/run<run>/history.parquet (a row an epoch),
#           predictions.parquet (a row a test example and learner)
TRAIN = """
    python -m learner_collusion train \\
        --dataset {wildcards.dataset:q} \\
        --runs {params.runs} \\
        --settings {params.settings:q} \\
        --table {input.table:q} \\
        --best {input.best:q} \\
        --history {output.history:q} \\
        --predictions {output.predictions:q} \\
        --threads {threads} \\
        2>&1 | tee {log:q}
    """


if TABULAR["device"] == "cpu":

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
            gpu=0,
        params:
            runs="{run}",
            settings=part(
                "split", "preprocessing", "training", "betas", "engine", "device"
            ),
            code=fingerprint("tabular"),
        shell:
            TRAIN

else:

    rule train_runs:
        input:
            table="results/datasets/{dataset}.parquet",
            best=expand("results/tabular/{{dataset}}/run{run}/best.json", run=RUNS),
        output:
            history=expand(
                "results/tabular/{{dataset}}/run{run}/history.parquet", run=RUNS
            ),
            predictions=expand(
                "results/tabular/{{dataset}}/run{run}/predictions.parquet", run=RUNS
            ),
        log:
            "results/logs/train/{dataset}.log",
        benchmark:
            "results/benchmarks/train/{dataset}.tsv"
        conda:
            "../../envs/environment.yaml"
        threads: 1
        resources:
            runtime=120,
            mem_mb=4000,
            gpu=1,
        params:
            runs=list(RUNS),
            settings=part(
                "split", "preprocessing", "training", "betas", "engine", "device"
            ),
            code=fingerprint("tabular"),
        shell:
            TRAIN
