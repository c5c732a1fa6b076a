SHELL := /bin/bash
# The daily commands. The first one that needs it makes a virtual environment from the lock, which takes some minutes.
#
# Variables: PYTHON, the interpreter to make the environment with; VENV, its folder; those of pip, such as
# PIP_EXTRA_INDEX_URL=<PyTorch's index of CPU wheels> for a PyTorch without CUDA.

VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

# The newest Python that runs and can make virtual environments; a version manager's stand-in may do neither.
USABLE := import ensurepip, sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11; do \
    $$python -c "$(USABLE)" >/dev/null 2>&1 && { echo $$python; break; }; done)
endif

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
NATIVE := $(shell find src/learner_collusion/native -name "*.cpp" -o -name "*.h" -o -name flags.toml)

.PHONY: help setup demo verify verify-demo test test-compilers test-slurm test-faults lint reproduce sensitivity report gallery docs archive bench clean

help:
	@echo "make demo       the tabular experiments on a table that comes with scikit-learn: figures and verdicts in minutes"
	@echo "make test       lint and all tests"
	@echo "make test-compilers  the native library from other compilers, on an emulated arm64, under sanitizers (minutes)"
	@echo "make test-slurm  jobs that are cancelled, killed and timed out on a real SLURM, and a scheduler that goes down (minutes)"
	@echo "make test-faults  five hundred seeded faults on a small study: kills, full disks, flipped bits, files in others' places (minutes)"
	@echo "make reproduce  the tabular experiments and the theory at the paper's settings (needs the network or a mirror)"
	@echo "make sensitivity  the tabular half again with each open choice changed: which verdicts stay (half an hour)"
	@echo "make verify     make all of it again in runs/verify, and compare each number with the published one; on a GPU: DEVICE=cuda"
	@echo "make verify-demo  the same with make demo, which needs no network"
	@echo "make report     what make reproduce makes, as one page: results/report.html"
	@echo "make gallery    copy what make reproduce made to docs/gallery"
	@echo "make docs       the documentation as a site: build/docs/index.html"
	@echo "make archive    all records and figures of docs/gallery as one file with checksums, to be put where it stays"
	@echo "make bench      the benchmarks behind benchmarks/RESULTS.md"
	@echo "make lint       check the style of the code and of the workflow"
	@echo "make setup      only make the virtual environment"
	@echo "make clean      remove $(VENV), build files and runs/; results/ stays"

setup: $(VENV)/complete

# The last step writes the stamp, so an interrupted set-up starts again.
$(VENV)/complete: envs/requirements.lock envs/requirements-cuda.lock pyproject.toml setup.py $(NATIVE)
	@test -x $(BIN)/python || "$(PYTHON)" -c "$(USABLE)" 2>/dev/null || { \
	    echo "make: no Python 3.11, 3.12 or 3.13 with venv: install one, or call make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "Setting up $(VENV); the first time takes a few minutes."
	@$(PIP) install -r envs/requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

demo: setup
	@$(BIN)/learner-collusion run --title "Demo: the tabular experiments on the diabetes table" \
	    --results runs/demo/results -- $(BIN)/snakemake --profile workflow/profiles/demo

reproduce: setup
	@$(BIN)/learner-collusion run --title "The tabular half of the paper" \
	    --results results -- $(BIN)/snakemake --cores all --configfile workflow/presets/tabular.yaml

sensitivity: setup
	@$(BIN)/learner-collusion run --title "Which verdicts stay under other open choices" \
	    --results runs/sensitivity/results -- $(BIN)/snakemake --cores all \
	    --configfile workflow/presets/sensitivity.yaml --directory runs/sensitivity

verify: setup
	@$(BIN)/learner-collusion run --title "The tabular half of the paper, to be compared" \
	    --results runs/verify/results -- $(BIN)/snakemake --cores all --configfile workflow/presets/verify.yaml \
	    --directory runs/verify $(if $(DEVICE),--config "tabular={device: $(DEVICE)}")
	@$(BIN)/learner-collusion verify runs/verify/results docs/gallery

verify-demo: demo
	@$(BIN)/learner-collusion verify runs/demo/results docs/gallery/demo

report: setup
	@$(BIN)/snakemake --cores all --configfile workflow/presets/tabular.yaml report

test: setup lint
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-compilers: setup
	@$(BIN)/pytest -n 2 -m heavy tests/native

test-slurm: setup
	@$(BIN)/pytest -m heavy tests/workflow/test_slurm.py

# FAULTS=100 SEED=7: another number of faults, other ones.
test-faults: setup
	@$(BIN)/python tests/faults/suite.py --count $(or $(FAULTS),500) --seed $(or $(SEED),0) \
	    $(if $(FAULTS)$(SEED),,--document docs/reliability.md)

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/snakefmt --check --format-shell Snakefile workflow/rules 2>&1 | tail -n 1; exit $${PIPESTATUS[0]}
	@$(BIN)/snakemake --lint

gallery: setup
	@$(BIN)/learner-collusion gallery results docs/gallery

docs: setup
	@$(PIP) install -r envs/requirements-docs.lock
	@$(BIN)/python docs/reference.py
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	@echo "Open build/docs/index.html."

archive: setup
	@$(BIN)/learner-collusion archive docs/gallery dist/learner-collusion-results.tar.gz

bench: setup
	@$(PIP) install -r envs/requirements-bench.lock
	@$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) runs build dist src/*.egg-info src/learner_collusion/native/_native*.so
