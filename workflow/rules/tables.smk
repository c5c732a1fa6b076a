# Tables: Table 2, each formula verified numerically before it is printed; Tables 3 and 4, read off the models themselves.
#
# Requires: nothing
# Produces: results/tables/table2_losses.md, table3_cnn.md, table4_vgg.md, .parquet


rule table_2_losses:
    output:
        markdown=report(
            "results/tables/table2_losses.md",
            caption="../report/table2_losses.rst",
            category="Theory",
            labels={"table": "2", "shows": "loss functions and gradients"},
        ),
        parquet="results/tables/table2_losses.parquet",
    log:
        "results/logs/tables/table2_losses.log",
    benchmark:
        "results/benchmarks/tables/table2_losses.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        cases=CONFIG["theory"]["cases"],
        seed=CONFIG["seed"],
        note=note("theory"),
        code=fingerprint("tables"),
    shell:
        """
        python -m learner_collusion table \
            --name losses \
            --cases {params.cases} \
            --seed {params.seed} \
            --note={params.note:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule table_3_cnn:
    output:
        markdown=report(
            "results/tables/table3_cnn.md",
            caption="../report/models.rst",
            category="Images",
            labels={"table": "3", "shows": "the layers of the CNN"},
        ),
        parquet="results/tables/table3_cnn.parquet",
    log:
        "results/logs/tables/table3_cnn.log",
    benchmark:
        "results/benchmarks/tables/table3_cnn.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        options=model_options("cnn"),
        code=fingerprint("tables"),
    shell:
        """
        python -m learner_collusion table \
            --name cnn \
            --options {params.options:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule table_4_vgg:
    output:
        markdown=report(
            "results/tables/table4_vgg.md",
            caption="../report/models.rst",
            category="Images",
            labels={"table": "4", "shows": "the layers of the VGG"},
        ),
        parquet="results/tables/table4_vgg.parquet",
    log:
        "results/logs/tables/table4_vgg.log",
    benchmark:
        "results/benchmarks/tables/table4_vgg.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        options=model_options("vgg"),
        code=fingerprint("tables"),
    shell:
        """
        python -m learner_collusion table \
            --name vgg \
            --options {params.options:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """
