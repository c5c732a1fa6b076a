# ImageNet (Section 3, Table 1; Figure 6, right): one job per cell (data set, model, beta, run), on `gpus_per_job` GPUs.
#
# Requires: the pictures, where `imagenet.datasets` of the configuration says; they cannot be downloaded without an account
# Produces: results/datasets/<dataset>.pictures.parquet (where each picture lies), results/imagenet/.../history.parquet (a row per
#           evaluation, split and metric)


rule draw_pictures:
    """Draw pictures of coloured shapes in ImageNet's layout: a proof of the rules without a network."""
    input:
        settings="results/settings/fetch/{dataset}.yaml",
    output:
        "results/datasets/raw/{dataset}/pictures.tar",
    log:
        "results/logs/fetch/{dataset}/pictures.tar.log",
    benchmark:
        "results/benchmarks/fetch/{dataset}/pictures.tar.tsv"
    wildcard_constraints:
        dataset="|".join(PICTURES),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
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


rule prepare_pictures:
    """Check the pictures of a data set where they lie, and list them: what training reads."""
    input:
        settings="results/settings/prepare/{dataset}.yaml",
        raw=drawn_pictures,
    output:
        "results/datasets/{dataset}.pictures.parquet",
    log:
        "results/logs/prepare/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare/{dataset}.tsv"
    wildcard_constraints:
        dataset="|".join(PICTURES),
    priority: 10  # before any training: what is wrong is told at once
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=growing(240),
        mem_mb=growing(6000),
    params:
        raw=lambda wildcards, input: ["--raw", *input.raw] * bool(input.raw),
        planned=planned("prepare", "{dataset}"),
    shell:
        """
        python -m learner_collusion prepare \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --dataset {wildcards.dataset:q} \
            {params.raw:q} \
            --output {output:q} \
            2>&1 | tee {log:q}
        """


rule train_imagenet:
    """Train one cell of Table 1; resumes from its checkpoint after an interruption, on another number of GPUs, too."""
    input:
        settings="results/settings/train_imagenet/{dataset}-{model}.yaml",
        index="results/datasets/{dataset}.pictures.parquet",
    output:
        history="results/imagenet/{dataset}/{model}/m{learners}/beta{beta}/run{run}/history.parquet",
    log:
        "results/logs/train_imagenet/{dataset}/{model}/m{learners}/beta{beta}/run{run}.log",
    benchmark:
        "results/benchmarks/train_imagenet/{dataset}/{model}/m{learners}/beta{beta}/run{run}.tsv"
    wildcard_constraints:
        dataset="|".join(PICTURES),
    conda:
        "../../envs/environment.yaml"
    threads: CORES * (PROCESSES if NODES == 1 else 1)
    resources:
        **BY_SRUN,
        runtime=growing(60 * 24),
        mem_mb=growing((16000 if GPUS else 6000) * PROCESSES // NODES),
        gpu=GPUS,
    params:
        planned=planned("train_imagenet", "{dataset}/{model}"),
    shell:  # on SIGTERM, which may reach every process of a job, all wait for the one that writes its checkpoint
        f"""
        trap : TERM
        {START}python -m learner_collusion train_imagenet \
            --settings {{input.settings:q}} \
            --planned {{params.planned:q}} \
            --index {{input.index:q}} \
            --dataset {{wildcards.dataset:q}} \
            --model {{wildcards.model:q}} \
            --learners {{wildcards.learners}} \
            --averaging probability \
            --beta {{wildcards.beta}} \
            --run {{wildcards.run}} \
            --history {{output.history:q}} \
            --threads {TEAM["threads"]} \
            --workers {TEAM["workers"]} \
            --processes {PROCESSES} \
            {hardware_flags(TEAM)} \
            2>&1 | (
            trap "" TERM
            tee {{log:q}}
        )
        """
