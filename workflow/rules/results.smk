# Results: records put together, then figures, tables and claims. They train nothing, so they run on this machine.
#
# Requires: results/records/tabular/<dataset>.parquet, results/images/.../history.parquet
# Produces: results/records/{tabular,images,images/<experiment>,sensitivity}.parquet, results/figures/<figure>.{pdf,png,csv},
#           results/tables/<table>.{md,parquet}, results/claims/<part>.{md,parquet}, results/claims.{md,parquet},
#           results/illustration.parquet, results/report.html


rule aggregate:
    """Put the records of data sets, the histories of image cells, or the claims of variants together in one long table."""
    input:
        records=aggregated,
        settings=aggregate_settings,
    output:
        records="results/records/{records}.parquet",
    log:
        "results/logs/aggregate/{records}.log",
    benchmark:
        "results/benchmarks/aggregate/{records}.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=2000,
    params:
        family=family,
        settings=lambda wildcards, input: ["--settings", *input.settings]
        * bool(input.settings),
        planned=planned("aggregate", "{records}"),
    shell:
        """
        python -m learner_collusion aggregate \
            --family {params.family} \
            {params.settings:q} \
            --name {wildcards.records:q} \
            --planned {params.planned:q} \
            --inputs {input.records:q} \
            --output {output.records:q} \
            2>&1 | tee {log:q}
        """


rule figure:
    """Draw a figure as PDF and PNG, with the plotted numbers as CSV."""
    input:
        settings="results/settings/figure/{figure}.yaml",
        records=records_of("figure"),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category=lambda wildcards: FIGURES[wildcards.figure].part,
            labels=lambda wildcards: {
                "figure": wildcards.figure,
                "shows": FIGURES[wildcards.figure].shows,
            },
        ),
        csv="results/figures/{figure}.csv",
    log:
        "results/logs/figure/{figure}.log",
    benchmark:
        "results/benchmarks/figure/{figure}.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        records=lambda wildcards, input: ["--records", *input.records]
        * bool(input.records),
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        planned=planned("figure", "{figure}"),
    shell:
        """
        python -m learner_collusion figure \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --figure {wildcards.figure} \
            {params.records:q} \
            --output {output.pdf:q} \
            2>&1 | tee {log:q}
        """


rule table:
    """Write a table as Markdown and Parquet: Table 2 verified numerically, Tables 3 and 4 read off the models."""
    input:
        settings="results/settings/table/{table}.yaml",
        records=records_of("table"),
    output:
        markdown=report(
            "results/tables/{table}.md",
            caption="../report/figure.rst",
            category=lambda wildcards: TABLES[wildcards.table].part,
            labels=lambda wildcards: {
                "table": wildcards.table,
                "shows": TABLES[wildcards.table].shows,
            },
        ),
        parquet="results/tables/{table}.parquet",
    log:
        "results/logs/table/{table}.log",
    benchmark:
        "results/benchmarks/table/{table}.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        records=lambda wildcards, input: ["--records", *input.records]
        * bool(input.records),
        caption=lambda wildcards: TABLES[wildcards.table].caption,
        planned=planned("table", "{table}"),
    shell:
        """
        python -m learner_collusion table \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --table {wildcards.table} \
            {params.records:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule claims_part:
    """Judge the claims of one part of the paper by its records."""
    input:
        settings="results/settings/claims/{part}.yaml",
        records=records_of("claims"),
    output:
        markdown="results/claims/{part}.md",
        parquet="results/claims/{part}.parquet",
    log:
        "results/logs/claims/{part}.log",
    benchmark:
        "results/benchmarks/claims/{part}.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=2000,
    params:
        records=lambda wildcards, input: ["--records", *input.records]
        * bool(input.records),
        planned=planned("claims", "{part}"),
    shell:
        """
        python -m learner_collusion claims \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --part {wildcards.part} \
            {params.records:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule claims:
    """All verdicts in one file."""
    input:
        parts=expand(
            "results/claims/{part}.parquet",
            part=[part for part in PARTS if part in parts.JUDGED],
        ),
    output:
        markdown=report(
            "results/claims.md", caption="../report/claims.rst", category="claims"
        ),
        parquet="results/claims.parquet",
    log:
        "results/logs/claims/all.log",
    benchmark:
        "results/benchmarks/claims/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        planned=planned("claims", "all"),
    shell:
        """
        python -m learner_collusion claims \
            --part all \
            --planned {params.planned:q} \
            --records {input.parts:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule illustrate:
    """Train the small ensemble of Figure 1 at each beta of the slider in the report; takes a second."""
    input:
        settings="results/settings/illustrate.yaml",
    output:
        points="results/illustration.parquet",
    log:
        "results/logs/illustrate/all.log",
    benchmark:
        "results/benchmarks/illustrate/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        planned=planned("illustrate", "all"),
    shell:
        """
        python -m learner_collusion illustrate \
            --settings {input.settings:q} \
            --planned {params.planned:q} \
            --output {output.points:q} \
            2>&1 | tee {log:q}
        """


rule report:
    """All results as one page: claims as a table, every figure, and a picture that moves."""
    input:
        settings="results/settings/report.yaml",
        configuration="results/config.yaml",
        claims=judged_claims,
        records=[parts.records("tabular")] if "tabular" in PARTS else [],
        read=[prepared(name) for name in tables.own_names(CONFIG, PAPER)],
        figures=expand("results/figures/{figure}.png", figure=MADE_FIGURES),
        tables=expand("results/tables/{table}.md", table=MADE_TABLES),
        points="results/illustration.parquet",
    output:
        page=report(
            "results/report.html", caption="../report/page.rst", category="claims"
        ),
    log:
        "results/logs/report/all.log",
    benchmark:
        "results/benchmarks/report/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        code=page_code(),
    shell:
        """
        python -m learner_collusion report \
            --settings {input.settings:q} \
            --results results \
            --output {output.page:q} \
            2>&1 | tee {log:q}
        """
