# One front door: `make run`, `make test`. Everything is installed into .venv from constraints.txt.
PYTHON ?= python3
HOUSEHOLDS ?= 50
TEST_PROCESSES ?= 2
BIN := .venv/bin
RUN := $(BIN)/python -m
STAMP := .venv/.installed
TOOLS := .venv/.installed-tools
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup tools run bench test test-fast matrix soak fuzz gallery site check fix clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## create .venv with what the commands need (nothing to do when up to date)

tools: $(TOOLS)  ## add what `make test` and `make check` need to the same .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		f"needs Python 3.11 to 3.13, this is {sys.version.split()[0]}: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --no-compile --constraint constraints.txt --editable '.[traffic]'
	touch $@

$(TOOLS): $(STAMP)
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[dev,traffic]'
	touch $@

run: setup  ## plan a day for 50 households on a low-voltage feeder and print the comparison
	$(BIN)/ssgrid run --households $(HOUSEHOLDS)

bench: setup  ## the paper's experiments and a verdict on its claims, an hour on two quiet cores
	$(BIN)/ss bench paper --profile quick

test: export OMP_NUM_THREADS = 1
test: tools  ## every test that needs no GPU, on TEST_PROCESSES (2)
	$(RUN) pytest -q -m "not gpu" -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

test-fast: tools  ## the same without SUMO and without the tests marked slow
	$(RUN) pytest -q -m "not slow and not sumo and not gpu"

matrix: tools  ## wheel, source archive and every extra in venvs of their own, Python 3.11 to 3.13
	$(RUN) tests.support.matrix

soak: tools  ## the faults of docs/reliability.md in their long column, hours; ends with a table
	SS_SOAK=1 $(RUN) pytest -q -p no:cacheprovider tests/faults tests/fuzz tests/gridsim/test_kill.py \
		tests/trafficsim/test_kill.py tests/trafficsim/test_hostile.py tests/ss_core

FUZZ_SECONDS ?= 1800
FUZZ_TARGETS ?= config net demand feeder compiled profiles checkpoint manifest trace suggestion
fuzz: tools  ## every reader of files under atheris, FUZZ_SECONDS each; finds and corpus in .fuzz/
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	for target in $(FUZZ_TARGETS); do \
		$(RUN) tests.fuzz.fuzz $$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 || exit 1; done

gallery: tools  ## example pages in gallery/, and pictures of them for docs/gallery.md; needs Chromium
	$(RUN) tests.support.gallery

site: tools  ## the documentation as pages with search: site/index.html, read from disk
	$(RUN) sphinx --quiet --fail-on-warning --keep-going --conf-dir docs/_site . site

check: tools  ## format, lint, types, layers: what must be clean before a commit
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) basedpyright
	$(RUN) pytest -q tests/test_layers.py

fix: tools  ## let ruff fix what it can
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

clean:  ## remove .venv and caches; runs/ stays
	rm -rf .venv site gallery .pytest_cache .ruff_cache .hypothesis dist build
