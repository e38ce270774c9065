# Every target makes its own set-up: a virtual environment with pinned versions. `make VENV=path ...` puts it elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint bench ui clean
.DEFAULT_GOAL := test

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[demo,dev]"
	touch $(READY)

demo: $(READY)  ## the main job, end to end, on real text
	$(BIN)/collapse-guard demo $(DEMO)

test: $(READY)  ## all tests, doctests and structure checks
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST)

lint: $(READY)  ## formatting, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## speed as ratios against peers
	$(BIN)/python benchmarks/indicators.py

ui: $(READY)  ## MLflow on the configured store
	$(BIN)/collapse-guard ui

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
