# Every target works on a fresh clone; `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests run in parallel, one process a core; each starts its own MongoDB and Valkey.
JOBS   ?= auto
DATA   ?= .data
PORT   ?= 8080

.DEFAULT_GOAL := help
.PHONY: help setup run test check fix bench lock clean audit docs

help:            ## this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

$(VENV)/run.stamp: requirements/run.txt setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/dev.stamp      ## the virtual environment with everything for development

run: $(VENV)/run.stamp        ## MongoDB, Valkey, two workers and demo athletes; Ctrl-C stops all of it
	@$(BIN)/fittracker dev --port $(PORT) --data $(DATA)

test: $(VENV)/dev.stamp       ## the whole suite, against a MongoDB and a Valkey of its own
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

check: $(VENV)/dev.stamp      ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/dev.stamp        ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp       ## the tables in docs/ that are generated from the code
	$(BIN)/python -m fittracker docs

bench: $(VENV)/dev.stamp      ## the figures of docs/performance.md: server on one core, load on the other
	$(BIN)/python -m bench $(ARGS)

audit: $(VENV)/dev.stamp      ## known vulnerabilities in what is pinned
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/base.txt

lock: $(VENV)/dev.stamp       ## pin the newest versions that setup.cfg allows
	for extra in base run dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$( [ $$extra = base ] || echo --extra $$extra ) --upgrade \
	    setup.cfg --output-file requirements/$$extra.txt || exit 1; done

clean:           ## everything that was made here: virtual environment, caches, local data
	rm -rf $(VENV) $(DATA) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
