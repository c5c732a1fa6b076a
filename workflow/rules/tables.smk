# Tables: Table 2, each formula verified numerically before it is printed.
#
# Requires: nothing
# Produces: results/tables/table2_losses.md, .parquet


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
            --cases {params.cases} \
            --seed {params.seed} \
            --note={params.note:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """
