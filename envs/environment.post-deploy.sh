#!/usr/bin/env bash
# Fills the conda environment that Snakemake made from environment.yaml.
set -euo pipefail
cd "$(dirname "$0")/.."
python -m pip install --quiet -r envs/requirements.lock
python -m pip install --quiet --no-build-isolation --no-deps --editable .
