# Tasks of the project. Each runs in the virtual environment `.venv` (see CONTRIBUTING.md).
PYTHON ?= .venv/bin/python

.PHONY: help test slow lint types docs matrix bench

help:  ## Lists the tasks.
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

test:  ## Runs the tests.
	$(PYTHON) -m pytest -n auto --dist loadfile

slow:  ## Runs the tests that need real data or minutes of training.
	$(PYTHON) -m pytest -m slow -n auto --dist loadfile

lint:  ## Checks style and format.
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

types:  ## Checks types.
	$(PYTHON) -m mypy

docs:  ## Builds the documentation into build/docs; a warning is an error.
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs build/docs

matrix:  ## Runs the tests on each supported Python, with the oldest and the newest dependencies.
	tools/matrix

bench:  ## Checks that the tables of results are those of the JSON files.
	$(PYTHON) -m benchmarks table --check
