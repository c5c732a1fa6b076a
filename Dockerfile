# An image with the environment of the lock and this clone: docs/container.md says how to build and run it.
# Docker, Podman and Buildah read this file. apptainer.def has the same steps, which a test compares.
ARG BASE=docker.io/library/debian:bookworm-slim
FROM ${BASE}
ARG PIP_EXTRA_INDEX_URL
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates g++ git make python3-dev python3-venv
COPY . /learner-collusion
WORKDIR /learner-collusion
RUN make setup PYTHON=python3
RUN rm -rf /root/.cache /var/lib/apt/lists/*
ENV PATH=/learner-collusion/.venv/bin:$PATH
# Results belong into a folder of the host, mounted at /study: the image may be read-only.
WORKDIR /study
CMD ["snakemake", "--snakefile", "/learner-collusion/Snakefile", "--configfile", "/learner-collusion/workflow/presets/demo.yaml", "--directory", "/study", "--cores", "all"]
