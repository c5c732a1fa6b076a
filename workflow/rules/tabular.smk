# The tabular half (Section 6.1): one job per data set and stage, with all its runs inside.
#
# Requires: results/datasets/<dataset>.parquet
# Produces: results/tabular/<dataset>/{trials,best,history,predictions}.parquet, results/records/tabular/<dataset>.parquet


# A job has one process more than cores, so that no core is idle while a process imports or the last run is trained.


rule tune_dataset:
    """Tune the hyper-parameters of all runs of a data set by Bayesian optimisation; resumes after an interruption."""
    input:
        settings="results/settings/tune.yaml",
        table="results/datasets/{dataset}.parquet",
    output:
        trials="results/tabular/{dataset}/trials.parquet",
        best="results/tabular/{dataset}/best.parquet",
    log:
        "results/logs/tune/{dataset}.log",
    benchmark:
        "results/benchmarks/tune/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: TABULAR["threads"]
    resources:
        runtime=growing(120),
        mem_mb=growing(TABULAR_BASE_MB, per_thread=500),
        gpu=0 if TABULAR["device"] == "cpu" else 1,
    params:
        planned=planned("tune", "{dataset}"),
    shell:
        f"""
        python -m learner_collusion tune \
            --settings {{input.settings:q}} \
            --planned {{params.planned:q}} \
            --dataset {{wildcards.dataset:q}} \
            --table {{input.table:q}} \
            --trials {{output.trials:q}} \
            --best {{output.best:q}} \
            {PUBLISHED} \
            --processes $(({{threads}} + 1)) \
            2>&1 | tee {{log:q}}
        """


rule train_tabular:
    """Train every beta of all runs of a data set with their tuned hyper-parameters; resumes after an interruption."""
    input:
        settings="results/settings/train_tabular.yaml",
        table="results/datasets/{dataset}.parquet",
        best="results/tabular/{dataset}/best.parquet",
    output:
        history="results/tabular/{dataset}/history.parquet",
        predictions="results/tabular/{dataset}/predictions.parquet",
    log:
        "results/logs/train_tabular/{dataset}.log",
    benchmark:
        "results/benchmarks/train_tabular/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: TABULAR["threads"]
    resources:
        runtime=growing(120),
        mem_mb=growing(TABULAR_BASE_MB, per_thread=500),
        gpu=0 if TABULAR["device"] == "cpu" else 1,
    params:
        planned=planned("train_tabular", "{dataset}"),
    shell:
        """
        python -m learner_collusion train_tabular \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --dataset {wildcards.dataset:q} \
            --table {input.table:q} \
            --best {input.best:q} \
            --history {output.history:q} \
            --predictions {output.predictions:q} \
            --processes $(({threads} + 1)) \
            2>&1 | tee {log:q}
        """


rule evaluate:
    """Compute ERR, ERR-bar, DIV, constant bias and codependence of all runs of a data set."""
    input:
        settings="results/settings/evaluate.yaml",
        history="results/tabular/{dataset}/history.parquet",
        predictions="results/tabular/{dataset}/predictions.parquet",
    output:
        records="results/records/tabular/{dataset}.parquet",
    log:
        "results/logs/evaluate/{dataset}.log",
    benchmark:
        "results/benchmarks/evaluate/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        runtime=growing(30),
        mem_mb=growing(1000),
    params:
        planned=planned("evaluate", "{dataset}"),
    shell:
        """
        python -m learner_collusion evaluate \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --dataset {wildcards.dataset:q} \
            --history {input.history:q} \
            --predictions {input.predictions:q} \
            --output {output.records:q} \
            --processes {threads} \
            2>&1 | tee {log:q}
        """
