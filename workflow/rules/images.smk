# Images (Sections 6.2 and 6.3): one job per cell (protocol, data set, model, learners, averaging, drop rate, beta, run); a
# cell that several experiments share is trained once.
#
# Requires: results/datasets/<dataset>.npz
# Produces: results/images/.../history.parquet (a row per evaluation, split and metric)


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
        mem_mb=growing(3000 if HARDWARE["device"] == "cpu" else 6000),
        gpu=0 if HARDWARE["device"] == "cpu" else 1,
    params:
        planned=planned("train_images", "{protocol}/{dataset}/{model}"),
    shell:  # on SIGTERM, which may reach every process of a job, all wait for the one that writes its checkpoint
        f"""
        trap : TERM
        python -m learner_collusion train_images \
            --settings {{input.settings:q}} \
            --planned {{params.planned:q}} \
            --images {{input.images:q}} \
            --protocol {{wildcards.protocol:q}} \
            --dataset {{wildcards.dataset:q}} \
            --model {{wildcards.model:q}} \
            --learners {{wildcards.learners}} \
            --averaging {{wildcards.averaging}} \
            --drop-rate {{wildcards.drop_rate}} \
            --beta {{wildcards.beta}} \
            --run {{wildcards.run}} \
            --history {{output.history:q}} \
            --threads {{threads}} \
            {hardware_flags(HARDWARE)} \
            2>&1 | (
            trap "" TERM
            tee {{log:q}}
        )
        """
