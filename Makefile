# One word per need. Everything is installed into .venv; nothing is installed with pip outside it.
#
#   make demo    the announcement's worker against a live mTLS origin, in this terminal
#   make lab     JupyterLab on notebooks/
#   make test    lint, types, unit, live servers, browser, notebooks
#   make lint    lint and types only
#   make bench   the measurements
#   make fuzz    a million mutated messages and certificates
#   make clean   remove what make made
#
# Another interpreter: make PYTHON=python3.13 test

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo lab test lint bench fuzz clean system install-test

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.has-runtime
	$(BIN)/python -m mtls_notebook demo

lab: $(VENV)/.has-lab
	$(BIN)/python -m jupyter lab notebooks

# Live servers, the browser and the notebooks share one pytest run: one closing line, both cores busy.
# workerd comes first: a notebook that had to fetch it would print so, and differ from what it shows.
test: system lint
	$(BIN)/python -m mtls_notebook setup
	$(BIN)/python -m pytest tests notebooks -q -n $(WORKERS) \
	  --nbval --nbval-current-env --nbval-sanitize-with tests/nbval-sanitize.cfg --nbval-cell-timeout 120 \
	  $(PYTEST_ARGS)

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install-test
	$(BIN)/python -m tests.bench

fuzz: install-test
	$(BIN)/python -m tests.fuzz

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Servers and programs that pip does not carry.
system:
	@.ci/system-packages

install-test: $(VENV)/.has-test

# A stamp per set of extras: rebuilt when pyproject.toml changes, never otherwise.
$(VENV)/.has-%: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --editable '.$(if $(filter-out runtime,$*),[$*])'
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mtls-notebook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
