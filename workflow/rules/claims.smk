# Claims: each part of the paper is judged from its own records, so that a laptop's claims never wait for a GPU's.
#
# Requires: results/records/tabular.parquet (tabular), results/records/images.parquet (images)
# Produces: results/claims/<part>.md, .parquet; all parts together in results/claims.md, .parquet


rule claims_theory:
    output:
        markdown="results/claims/theory.md",
        parquet="results/claims/theory.parquet",
    log:
        "results/logs/claims/theory.log",
    benchmark:
        "results/benchmarks/claims/theory.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=as_json({"seed": CONFIG["seed"], **CONFIG["theory"]}),
        note=note("theory"),
        code=fingerprint("claims", "theory_checks"),
    shell:
        """
        python -m learner_collusion claims \
            --part theory \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule claims_tabular:
    input:
        records="results/records/tabular.parquet",
    output:
        markdown="results/claims/tabular.md",
        parquet="results/claims/tabular.parquet",
    log:
        "results/logs/claims/tabular.log",
    benchmark:
        "results/benchmarks/claims/tabular.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=as_json({"seed": CONFIG["seed"], "titles": TITLES, **CONFIG["claims"]}),
        note=note("tabular", "claims"),
        code=fingerprint("claims"),
    shell:
        """
        python -m learner_collusion claims \
            --part tabular \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule claims_images:
    input:
        records="results/records/images.parquet",
    output:
        markdown="results/claims/images.md",
        parquet="results/claims/images.parquet",
    log:
        "results/logs/claims/images.log",
    benchmark:
        "results/benchmarks/claims/images.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=2000,
    params:
        settings=as_json(
            {
                "seed": CONFIG["seed"],
                "titles": image_titles(),
                "experiments": {
                    name: IMAGES["experiments"][name] for name in IMAGES["make"]
                },
                **CONFIG["claims"],
            }
        ),
        note=note(*(f"images.{name}" for name in IMAGES["make"]), "claims"),
        code=fingerprint("claims_images"),
    shell:
        """
        python -m learner_collusion claims \
            --part images \
            --records {input.records:q} \
            --settings {params.settings:q} \
            --note={params.note:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """


rule claims:
    input:
        parts=expand("results/claims/{part}.parquet", part=PARTS),
    output:
        markdown=report(
            "results/claims.md", caption="../report/claims.rst", category="Claims"
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
        code=fingerprint("claims"),
    shell:
        """
        python -m learner_collusion claims \
            --part all \
            --records {input.parts:q} \
            --output {output.markdown:q} \
            --parquet {output.parquet:q} \
            2>&1 | tee {log:q}
        """
