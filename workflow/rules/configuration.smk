# Configuration: what the results were made with, presets and command line included, next to them.
#
# Requires: nothing
# Produces: results/config.yaml


rule resolved_configuration:
    output:
        "results/config.yaml",
    log:
        "results/logs/configuration.log",
    benchmark:
        "results/benchmarks/configuration.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=500,
    params:
        settings=as_json(CONFIG),
    shell:
        """
        python -m learner_collusion configuration \
            --settings {params.settings:q} \
            --output {output:q} \
            2>&1 | tee {log:q}
        """
