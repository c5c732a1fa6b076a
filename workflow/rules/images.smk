# Images: each data set once, each cell (protocol, data set, model, learners, averaging, dropped share, beta, run) once, and
# their histories in one table an experiment, and one of all.
#
# Requires: the archives, from their origin or a mirror
# Produces: results/datasets/<images>.npz (uint8), results/images/.../history.parquet (a row an epoch, split and metric),
#           results/records/images/<experiment>.parquet, results/records/images.parquet


rule prepare_images:
    output:
        images="results/datasets/{images}.npz",
    log:
        "results/logs/images/{images}.log",
    benchmark:
        "results/benchmarks/images/{images}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=60,
        mem_mb=6000,
    params:
        settings=image_settings,
        code=fingerprint("datasets.images"),
    shell:
        """
        python -m learner_collusion images \
            --dataset {wildcards.images:q} \
            --settings {params.settings:q} \
            --output {output.images:q} \
            2>&1 | tee {log:q}
        """


rule train_cell:
    input:
        images="results/datasets/{images}.npz",
    output:
        history="results/images/{protocol}/{images}/{model}/m{learners}-{averaging}/drop{dropped}/beta{beta}/run{run}/history.parquet",
    log:
        "results/logs/images/{protocol}/{images}/{model}/m{learners}-{averaging}/drop{dropped}/beta{beta}/run{run}.log",
    benchmark:
        "results/benchmarks/cells/{protocol}/{images}/{model}/m{learners}-{averaging}/drop{dropped}/beta{beta}/run{run}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: IMAGES["hardware"]["threads"]
    resources:
        runtime=cell_minutes,
        mem_mb=6000,
        gpu=cell_gpus,
        # how it runs, and no part of what is trained: a change here makes nothing stale
        device=HARDWARE["device"],
        compile=HARDWARE["compile"],
        checkpoint_minutes=HARDWARE["checkpoint_minutes"],
    params:
        cell=cell_of,
        settings=cell_settings,
        code=fingerprint("images"),
    shell:
        """
        python -m learner_collusion train-cell \
            --images {input.images:q} \
            --cell {params.cell:q} \
            --settings {params.settings:q} \
            --history {output.history:q} \
            --checkpoint {output.history:q}.checkpoint \
            --device {resources.device} \
            --compile {resources.compile} \
            --checkpoint-minutes {resources.checkpoint_minutes} \
            --threads {threads} \
            2>&1 | tee {log:q}
        """


rule aggregate_experiment:
    input:
        histories=experiment_cells,
    output:
        records="results/records/images/{experiment}.parquet",
    log:
        "results/logs/aggregate/images/{experiment}.log",
    benchmark:
        "results/benchmarks/aggregate/images/{experiment}.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=2000,
    params:
        code=fingerprint("images"),
    shell:
        """
        python -m learner_collusion aggregate-cells \
            --histories {input.histories:q} \
            --output {output.records:q} \
            2>&1 | tee {log:q}
        """


rule aggregate_images:
    input:
        histories=cells(*IMAGES["make"]),
    output:
        records="results/records/images.parquet",
    log:
        "results/logs/aggregate/images.log",
    benchmark:
        "results/benchmarks/aggregate/images.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=2000,
    params:
        code=fingerprint("images"),
    shell:
        """
        python -m learner_collusion aggregate-cells \
            --histories {input.histories:q} \
            --output {output.records:q} \
            2>&1 | tee {log:q}
        """


rule image_figure:
    input:
        records=image_figure_records,
    output:
        pdf="results/figures/{image_figure}.pdf",
        png=report(
            "results/figures/{image_figure}.png",
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "{image_figure}"},
        ),
        csv="results/figures/{image_figure}.csv",
    log:
        "results/logs/figures/{image_figure}.log",
    benchmark:
        "results/benchmarks/figures/{image_figure}.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        name=image_figure_name,
        settings=image_figure_settings,
        note=image_figure_note,
        code=fingerprint("figures.images"),
    shell:
        """
        python -m learner_collusion figure \
            --name {params.name} \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """
