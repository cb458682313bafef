# Everything runs in ./.venv, made on first use from the ranges in pyproject.toml. Needs make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13 python3.14,\
            $(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
OUT ?= demo
PYTEST_ARGS ?= -n auto --maxprocesses 8 --dist loadfile

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help demo test lint format typecheck bench help-texts pictures venv clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## the whole story on bundled data and weights, into ./demo (or OUT=folder)
	@$(BIN)/stylize demo $(OUT)

test: lint typecheck ## lint, types, then every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev ## let ruff rewrite the sources
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typecheck: $(VENV)/.installed-dev ## mypy, strict
	@$(BIN)/mypy

bench: $(VENV)/.installed-dev ## every benchmark, one after the other
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

help-texts: $(VENV)/.installed-dev ## rewrite tests/cli/help/*.txt after a deliberate change of the command line
	@STYLIZE_UPDATE_HELP=1 $(BIN)/python -m pytest -q tests/cli/test_help.py

pictures: $(VENV)/.installed-dev ## make the pictures of README and docs anew, from rendered streets
	@$(BIN)/python docs/make_pictures.py

venv: $(VENV)/.installed-dev ## only the environment, with all development tools

clean: ## remove the environment, caches and the demo
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip's own script is the last thing that venv writes, so an interrupted creation starts again.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	@echo "installing into $(VENV); the first time this takes some minutes"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "installing into $(VENV); the first time this takes some minutes"
	@$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $(VENV)/.installed $@
