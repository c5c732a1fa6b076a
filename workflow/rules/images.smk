# Images (Sections 6.2 and 6.3): one job per cell (protocol, data set, model, learners, averaging, drop rate, beta, run); a
# cell that several experiments share is trained once.
#
# Requires: results/datasets/<dataset>.npz
# Produces: results/images/.../history.parquet (a row per evaluation, split and metric)


def cell_minutes(wildcards, attempt):
    """The time limit of a cell; training resumes from its checkpoint at the next attempt."""
    return 60 * (24 if wildcards.protocol != "cnn" else 6) * attempt


def cell_code(wildcards):
    """The code that trains a cell: the loop, and the model that it names."""
    named = MODELS.get(wildcards.model)
    return code("train_images", *([f"models.{named.build}"] if named else []))


rule train_images:
    """Train one cell of the image experiments; resumes from its checkpoint after an interruption."""
    input:
        settings="results/settings/train_images/{protocol}-{dataset}.yaml",
        images="results/datasets/{dataset}.npz",
    output:
        history="results/images/{protocol}/{dataset}/{model}/m{learners}-{averaging}/drop{drop_rate}/beta{beta}/run{run}/history.parquet",
    log:
        "results/logs/train_images/{protocol}/{dataset}/{model}/m{learners}-{averaging}/drop{drop_rate}/beta{beta}/run{run}.log",
    benchmark:
        "results/benchmarks/train_images/{protocol}/{dataset}/{model}/m{learners}-{averaging}/drop{drop_rate}/beta{beta}/run{run}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: HARDWARE["threads"]
    resources:
        runtime=cell_minutes,
        mem_mb=6000,
        gpu=0 if HARDWARE["device"] == "cpu" else 1,
    params:
        code=cell_code,
    # Hardware changes no result beyond rounding: it stands in the command and not in the settings, so that another machine
    # retrains nothing.
    shell:
        """
        python -m learner_collusion train_images \
            --settings {input.settings:q} \
            --images {input.images:q} \
            --protocol {wildcards.protocol:q} \
            --dataset {wildcards.dataset:q} \
            --model {wildcards.model:q} \
            --learners {wildcards.learners} \
            --averaging {wildcards.averaging} \
            --drop-rate {wildcards.drop_rate} \
            --beta {wildcards.beta} \
            --run {wildcards.run} \
            --history {output.history:q} \
            --device {HARDWARE[device]} \
            --{COMPILE}compile \
            --threads {threads} \
            --checkpoint-minutes {HARDWARE[checkpoint_minutes]} \
            2>&1 | tee {log:q}
        """
