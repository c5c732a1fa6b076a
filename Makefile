SHELL := /bin/bash
# What one types daily. `make demo` and `make test` set everything up on their first call: a virtual environment in .venv,
# from the lock.

PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
SOURCES := $(wildcard src/learner_collusion/native/*.cpp src/learner_collusion/native/*.h)

.PHONY: help setup demo test lint reproduce gallery bench clean

help:
	@echo "make demo       the main job on a table that scikit-learn ships: figures and verdicts in minutes, no network"
	@echo "make test       lint and all tests"
	@echo "make reproduce  Figures 1-4 and 7-9, Table 2 and the claims on the paper's four data sets (network or mirror)"
	@echo "make gallery    copy what make reproduce made into docs/gallery"
	@echo "make bench      the benchmarks behind benchmarks/RESULTS.md"
	@echo "make setup      only the set-up of .venv"
	@echo "make clean      remove .venv and what runs of presets left in runs/ (results/ stays)"

setup: .venv/complete

# The stamp is written last, so that a set-up that was cut short is done again.
.venv/complete: envs/requirements.lock pyproject.toml setup.py $(SOURCES)
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not there: install Python 3.11, or call make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv; the first time takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch .venv/complete

demo: setup
	@$(BIN)/python -m learner_collusion.live --title "Demo: the main job on the diabetes table" \
	    --show runs/demo/results/figures --print runs/demo/results/claims.md \
	    -- $(BIN)/snakemake --profile workflow/profiles/demo

reproduce: setup
	@$(BIN)/python -m learner_collusion.live --title "The tabular half of the paper" \
	    --show results/figures --print results/claims.md \
	    -- $(BIN)/snakemake --cores all --configfile workflow/presets/tabular.yaml

test: setup lint
	@$(BIN)/python -m pytest -n 2

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/snakefmt --check --format-shell Snakefile workflow/rules 2>&1 | tail -n 1; exit $${PIPESTATUS[0]}
	@$(BIN)/snakemake --lint

gallery: setup
	@$(BIN)/python -m learner_collusion.gallery results docs/gallery

bench: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements-bench.lock
	@$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv runs build src/*.egg-info src/learner_collusion/native/_native*.so
