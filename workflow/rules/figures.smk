# Figures: each reads records and trains nothing; Figure 1 trains its own tiny ensemble, 7 to 9 need no data.
#
# Requires: results/records/tabular.parquet (Figures 2-4)
# Produces: results/figures/fig<N>_<name>.pdf, with .png and .csv (the plotted numbers) beside each


rule figure_1_collusion:
    output:
        pdf="results/figures/fig1_collusion.pdf",
        png=report(
            "results/figures/fig1_collusion.png",
            caption="../report/fig1_collusion.rst",
            category="Theory",
            labels={"figure": "1", "shows": "learner collusion in a small ensemble"},
        ),
        csv="results/figures/fig1_collusion.csv",
    log:
        "results/logs/figures/fig1_collusion.log",
    benchmark:
        "results/benchmarks/figures/fig1_collusion.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=as_json(
            {"seed": CONFIG["seed"], "illustration": CONFIG["illustration"]}
        ),
        note=note("illustration"),
        code=fingerprint("figures.collusion"),
    shell:
        """
        python -m learner_collusion figure \
            --name collusion \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule figure_2_diversity:
    input:
        records="results/records/tabular.parquet",
    output:
        pdf="results/figures/fig2_diversity.pdf",
        png=report(
            "results/figures/fig2_diversity.png",
            caption="../report/fig2_diversity.rst",
            category="Tabular data",
            labels={"figure": "2", "shows": "test MSE and diversity against beta"},
        ),
        csv="results/figures/fig2_diversity.csv",
    log:
        "results/logs/figures/fig2_diversity.log",
    benchmark:
        "results/benchmarks/figures/fig2_diversity.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=as_json({"titles": TITLES}),
        note=note("tabular"),
        code=fingerprint("figures.tabular"),
    shell:
        """
        python -m learner_collusion figure \
            --name diversity \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule figure_3_debiased:
    input:
        records="results/records/tabular.parquet",
    output:
        pdf="results/figures/fig3_debiased.pdf",
        png=report(
            "results/figures/fig3_debiased.png",
            caption="../report/fig3_debiased.rst",
            category="Tabular data",
            labels={"figure": "3", "shows": "share of constant bias in diversity"},
        ),
        csv="results/figures/fig3_debiased.csv",
    log:
        "results/logs/figures/fig3_debiased.log",
    benchmark:
        "results/benchmarks/figures/fig3_debiased.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=as_json({"titles": TITLES}),
        note=note("tabular"),
        code=fingerprint("figures.tabular"),
    shell:
        """
        python -m learner_collusion figure \
            --name debiased \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule figure_4_codependence:
    input:
        records="results/records/tabular.parquet",
    output:
        pdf="results/figures/fig4_codependence.pdf",
        png=report(
            "results/figures/fig4_codependence.png",
            caption="../report/fig4_codependence.rst",
            category="Tabular data",
            labels={"figure": "4", "shows": "error when learners are dropped"},
        ),
        csv="results/figures/fig4_codependence.csv",
    log:
        "results/logs/figures/fig4_codependence.log",
    benchmark:
        "results/benchmarks/figures/fig4_codependence.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=as_json({"titles": TITLES}),
        note=note("tabular"),
        code=fingerprint("figures.tabular"),
    shell:
        """
        python -m learner_collusion figure \
            --name codependence \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule figure_7_summary:
    output:
        pdf="results/figures/fig7_summary.pdf",
        png=report(
            "results/figures/fig7_summary.png",
            caption="../report/fig7_summary.rst",
            category="Theory",
            labels={"figure": "7", "shows": "the argument of the paper"},
        ),
        csv="results/figures/fig7_summary.csv",
    log:
        "results/logs/figures/fig7_summary.log",
    benchmark:
        "results/benchmarks/figures/fig7_summary.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        code=fingerprint("figures.summary"),
    shell:
        """
        python -m learner_collusion figure \
            --name summary \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule figure_8_gat_gamma:
    output:
        pdf="results/figures/fig8_gat_gamma.pdf",
        png=report(
            "results/figures/fig8_gat_gamma.png",
            caption="../report/fig8_gat_gamma.rst",
            category="Theory",
            labels={"figure": "8", "shows": "gamma against the step alpha"},
        ),
        csv="results/figures/fig8_gat_gamma.csv",
    log:
        "results/logs/figures/fig8_gat_gamma.log",
    benchmark:
        "results/benchmarks/figures/fig8_gat_gamma.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        code=fingerprint("figures.gat"),
    shell:
        """
        python -m learner_collusion figure \
            --name gamma \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule figure_9_gat_alpha:
    output:
        pdf="results/figures/fig9_gat_alpha.pdf",
        png=report(
            "results/figures/fig9_gat_alpha.png",
            caption="../report/fig9_gat_alpha.rst",
            category="Theory",
            labels={"figure": "9", "shows": "the step alpha against beta"},
        ),
        csv="results/figures/fig9_gat_alpha.csv",
    log:
        "results/logs/figures/fig9_gat_alpha.log",
    benchmark:
        "results/benchmarks/figures/fig9_gat_alpha.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        code=fingerprint("figures.gat"),
    shell:
        """
        python -m learner_collusion figure \
            --name alpha \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """
