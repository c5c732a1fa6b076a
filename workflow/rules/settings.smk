# The configuration written down: as a whole beside the results, and each stage's part of it for that stage to read.
#
# Requires: nothing
# Produces: results/config.yaml, results/settings/<stage>[/<part>].yaml


rule configuration:
    """The configuration of these results, presets and command line included, next to them."""
    output:
        "results/config.yaml",
    log:
        "results/logs/configuration.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        # Called, since Snakemake takes braces in a text for wildcards.
        text=lambda wildcards: settings.as_yaml(CONFIG),
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"


rule settings:
    """A stage's part of the configuration: when it changes, that stage is stale, and no other."""
    output:
        "results/settings/{settings}.yaml",
    log:
        "results/logs/settings/{settings}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        text=settings_text,
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"
