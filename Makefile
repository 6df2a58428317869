# Tasks of the project. Each runs in the virtual environment `.venv` (see CONTRIBUTING.md).
PYTHON ?= .venv/bin/python

.PHONY: help test slow lint types docs linkcheck matrix bench

help:  ## Lists the tasks.
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

test:  ## Runs the tests, as the README's command does.
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

linkcheck:  ## Checks the external links of the documentation; needs the network.
	$(PYTHON) -m sphinx --keep-going -q -b linkcheck -D linkcheck_timeout=30 -D linkcheck_retries=2 docs build/linkcheck

matrix:  ## Runs the tests on each supported Python, with the oldest and the newest dependencies.
	tools/matrix $(ARGS)

bench:  ## Checks that the tables of results are those of the JSON files.
	$(PYTHON) -m benchmarks table --check
