# Every target makes its own set-up: a virtual environment with pinned versions. `make VENV=path ...` puts it elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
BENCH_READY := $(VENV)/.bench-ready

.PHONY: demo test lint bench docs ui clean
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

# Of `diversity` three modules are measured; what the others need is far larger than all other peers together.
$(BENCH_READY): $(READY) benchmarks/constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--constraint benchmarks/constraints.txt --editable ".[bench]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint benchmarks/constraints.txt diversity
	touch $(BENCH_READY)

bench: $(BENCH_READY)  ## speed as ratios against peers; BENCH="--only NAME" for some rows
	$(BIN)/python benchmarks/indicators.py $(BENCH)

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[docs]"
	touch $(DOCS_READY)

docs: $(DOCS_READY)  ## the documentation, in site/; a warning is an error (not with --quiet: that lets warnings pass)
	$(BIN)/python scripts/write_catalogue.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

ui: $(READY)  ## MLflow on the configured store
	$(BIN)/collapse-guard ui

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
