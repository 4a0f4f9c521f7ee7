# Everything runs in one environment, .venv, with the versions of constraints.txt.
#   make demo                 a picture from a prompt file, start to end
#   make PIP_ARGS=... demo    pip's own options, e.g. an index of yours
#   make PYTHON=python3.12 …  another Python, 3.11 or newer
#   make test ARGS=...        pytest's own options
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
PIP_ARGS ?=
KEEP ?=
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --no-input $(PIP_ARGS) -c constraints.txt
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))

.PHONY: help demo dev test check heavy soak bench format generate clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s%s\n", $$1, $$2}' Makefile

demo: $(VENV)/.engine ## Draw the sample prompt and print where the picture is (KEEP=1 leaves the daemon running)
	@TENDRED_HOME=.demo KEEP="$(KEEP)" $(PY) packaging/demo.py

dev: $(VENV)/.dev ## Install the tools of the house

test: $(VENV)/.dev ## Run the default tests
	$(PY) -m pytest $(ARGS)

heavy: $(VENV)/.dev ## Run the long tests: kill runs and system programs
	$(PY) -m pytest -m heavy $(ARGS)

soak: $(VENV)/.dev ## Run them in the counts that figures are told of: an hour or two
	$(PY) -m pytest -m soak $(ARGS)

check: $(VENV)/.dev ## Lint, types, import contracts, generated files, licences
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m basedpyright
	$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'
	$(PY) packaging/generate.py --check
	$(PY) packaging/licences.py

bench: $(VENV)/.dev ## Measure: the figures of packaging/bench
	@for file in packaging/bench/[a-z]*.py; do echo "== $$file"; $(PY) "$$file" $(ARGS) || exit 1; done

format: $(VENV)/.dev ## Put the sources in order
	$(PY) -m ruff check --select I --fix .
	$(PY) -m ruff format .

generate: $(VENV)/.dev ## Write the generated files anew
	$(PY) packaging/generate.py

clean: ## Stop the demo's daemon; remove the environment, the demo and everything built
	@if [ -x $(PY) ]; then TENDRED_HOME=.demo $(PY) -m tendred.app.cli down --now || true; fi
	rm -rf $(VENV) .demo build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch is asked for by its exact version: unpinned, pip takes the newest and gigabytes of CUDA with it.
$(VENV)/.engine: pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3 ..."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$("$(PYTHON)" --version 2>&1) is too old: tendred needs 3.11 or newer. Name one: make PYTHON=python3.12 ..."; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) can't make a virtual environment: its venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@rm -f $(VENV)/.engine $(VENV)/.dev
	@started=$$(date +%s) \
	  && "$(PYTHON)" -m venv $(VENV) \
	  && $(PIP) pip \
	  && $(PIP) torch==2.13.0 -e '.[engine]' \
	  && echo $$(($$(date +%s) - started)) > $(VENV)/.install_s
	@touch $@

$(VENV)/.dev: $(VENV)/.engine $(PLUGINS:%=%/pyproject.toml)
	@$(PIP) -e '.[clips]' --group dev $(PLUGINS:%=-e ./%)
	@touch $@
