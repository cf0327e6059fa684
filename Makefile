# Every target works on a fresh clone; `make` alone lists them.
VENV   := .venv
BIN    := $(VENV)/bin
# The first Python on PATH that is new enough; PYTHON=/path/to/python overrides it.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
            $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; exit; }; \
          done; echo python3)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
# Tests run in parallel; each process starts its own MongoDB and Valkey, so more than 8 gain nothing.
JOBS   ?= $(shell cores=$$(nproc 2>/dev/null || echo 2); [ $$cores -gt 8 ] && echo 8 || echo $$cores)
DATA   ?= .data
PORT   ?= 8080

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test soak check fix bench lock clean audit docs

help:            ## this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	  "FitTracker Pro needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." \
	  "Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo >&2 \
	  "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version); the first time takes a minute or two"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements/run.txt setup.cfg pyproject.toml $(VENV)/made.stamp
	@echo "installing requirements/run.txt"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "installing requirements/dev.txt"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/dev.stamp      ## the virtual environment with everything for development

run: $(VENV)/run.stamp        ## MongoDB, Valkey, two workers and demo athletes; Ctrl-C stops all of it
	@$(BIN)/fittracker dev --port $(PORT) --data $(DATA) $(ARGS)

test: $(VENV)/dev.stamp       ## the whole suite, against a MongoDB and a Valkey of its own
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

soak: $(VENV)/dev.stamp       ## durable rooms under faults for a whole minute, and what it came to
	SOAK_SECONDS=60 $(BIN)/python -m pytest -q -rP tests/test_durable_rooms.py $(ARGS)

check: $(VENV)/dev.stamp      ## ruff, mypy, import-linter, bandit, zizmor
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive fittracker handlers ws config bench requirements
	$(BIN)/zizmor --quiet --offline --persona auditor .github/workflows

fix: $(VENV)/dev.stamp        ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp       ## the tables in docs/ that are generated from the code
	$(BIN)/python -m fittracker docs

bench: $(VENV)/dev.stamp      ## the figures of docs/performance.md: server on one core, load on the other
	$(BIN)/python -m bench $(ARGS)

audit: $(VENV)/dev.stamp      ## known vulnerabilities in what is pinned (asks an advisory database: needs the network)
	$(BIN)/python requirements/audit.py

LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
            --no-emit-index-url --custom-compile-command "make lock" setup.cfg
lock: $(VENV)/dev.stamp       ## pin the newest versions that setup.cfg allows
	$(LOCK) --upgrade --extra dev --output-file requirements/dev.txt
	# The smaller ones begin as copies of the largest, so that all three agree on every version.
	cp requirements/dev.txt requirements/run.txt
	$(LOCK) --extra run --output-file requirements/run.txt
	cp requirements/dev.txt requirements/base.txt
	$(LOCK) --output-file requirements/base.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --upgrade bench/peers/requirements.in --output-file bench/peers/requirements.txt

clean:           ## everything that was made here: virtual environment, caches, local data
	rm -rf $(VENV) $(DATA) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
