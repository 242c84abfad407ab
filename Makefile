# Everything a person does with this repository. `make` alone lists it. Needs only Python 3.11 or newer.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTHONS := python3 python3.13 python3.12 python3.11
PARITY_TIME := 900
FUZZ_SECONDS := 60
# In the folders' order the smallest files come last, so that no process waits long for the other.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder
REMOTE_TIME := 900

.PHONY: help install demo test test-fast test-remote fuzz check format parity bench gpu-check clean

help:  ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## Create .venv and install Lexigraft with the pinned versions (redone when they change)

$(INSTALLED): pyproject.toml constraints.txt
	@if [ ! -x $(BIN)/python ]; then \
	  for python in $(PYTHONS); do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      echo "Creating $(VENV) with $$($$python --version)"; $$python -m venv $(VENV); break; \
	    fi; \
	  done; \
	fi
	@test -x $(BIN)/python || { echo "Python 3.11 or newer is needed; none of '$(PYTHONS)' is. Install one, or name it: make install PYTHONS=/path/to/python" >&2; exit 2; }
	@echo "Installing PyTorch (the largest download; a few minutes)"
	@$(PIP) install --quiet -c constraints.txt torch
	@echo "Installing Lexigraft and its other dependencies"
	@$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
	@echo "Installed: $(BIN)/lexigraft"

demo: $(INSTALLED)  ## Compare strategies on a made language, without network, in a few minutes; report in demo/
	$(BIN)/lexigraft demo --out demo

test: $(INSTALLED)  ## Run every test but those of `make parity` and `make test-remote`
	$(BIN)/python -m pytest $(IN_TWO) -m "not parity and not remote"

test-fast: $(INSTALLED)  ## Run the tests that take less than a few seconds each
	$(BIN)/python -m pytest $(IN_TWO) -m "not parity and not remote and not slow"

test-remote: $(INSTALLED)  ## Run jobs of several processes, and on a real Slurm, sshd, MLflow server and database of this machine
	.ci/remote_programs
	@$(PIP) install --quiet -c constraints.txt lightkube kmock kubernetes-validate
	$(BIN)/python -m pytest -m remote -rs --timeout=$(REMOTE_TIME)

fuzz: $(INSTALLED)  ## Read damaged files of every kind, other ones each time, for FUZZ_SECONDS (60)
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -n 0 -s --timeout=0 tests/fuzz

check: $(INSTALLED)  ## Check style, types, imports between the parts, and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/docstrings.py src/lexigraft

format: $(INSTALLED)  ## Put the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

parity: $(INSTALLED)  ## Compare with published implementations, each in an environment of its own under .parity/
	$(BIN)/python -m pytest -m parity tests/parity --timeout=$(PARITY_TIME)

bench: $(INSTALLED)  ## Measure time and memory beside the published implementations
	$(BIN)/python benchmarks/run.py

gpu-check: $(INSTALLED)  ## Compare a GPU with the processors and measure how fast it trains; skipped, loudly, without one
	$(BIN)/python benchmarks/gpu/gpu_check.py

clean:  ## Remove the environments, caches and the demo
	rm -rf $(VENV) .parity demo build dist mlflow_projects/lexigraft/build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find src -name '*.egg-info' -type d -prune -exec rm -rf {} +
