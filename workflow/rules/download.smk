# Download: the raw file of each data set, verified by SHA-256.
#
# Requires: the network, or a mirror folder (datasets.mirror, or the environment variable LEARNER_COLLUSION_MIRROR)
# Produces: results/datasets/raw/<dataset>/<file>


rule fetch:
    output:
        "results/datasets/raw/{dataset}/{file}",
    log:
        "results/logs/fetch/{dataset}/{file}.log",
    benchmark:
        "results/benchmarks/fetch/{dataset}/{file}.tsv"
    localrule: True  # compute nodes often see no network
    conda:
        "../../envs/environment.yaml"
    resources:
        runtime=10,
        mem_mb=1000,
    params:
        settings=fetch_settings,
        code=fingerprint("datasets.sources"),
    shell:
        """
        python -m learner_collusion fetch \
            --dataset {wildcards.dataset:q} \
            --settings {params.settings:q} \
            --output {output:q} \
            2>&1 | tee {log:q}
        """
