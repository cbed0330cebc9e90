# The newest that can make an environment: on 3.11 an exploration needs a trace function, which takes its time.
PYTHON ?= $(shell for python in python3.13 python3.12 python3; do \
	$$python -c 'import ensurepip, venv' 2>/dev/null && echo $$python && break; done)
VENV := .venv
DEMO := .demo-venv
BIN := $(VENV)/bin

# Without compiled files each of the processes that tests start compiles the package anew, which doubles the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all matrix peers bench lint typing docs clean

help:  ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(DEMO)/.ready  ## Run the tests of the example project in an environment of its own
	cd docs/examples/shop && ../../../$(DEMO)/bin/python -m pytest -v

# What runs the tests: `MEASURE="-m coverage run"` measures what they reach.
MEASURE ?=

test: $(VENV)/.group-test  ## Run the tests that are neither slow nor wide, on all cores
	$(BIN)/python $(MEASURE) -m pytest -n auto --dist worksteal -m "not slow and not wide" $(PYTEST_ARGS)

test-all: $(VENV)/.group-test  ## Run all tests; the slow ones need redis-server and PostgreSQL
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

# Each Python, the newest and the lowest of pytest, of each library and of Django. `.ci/run` has the most of it.
MATRIX := py311,py312,py313,py314,lowest,newest,libraries,unbridged,companions,plugins,django42,django60,djangotasks010,djangotasks011,celery53,celery54,celery55,celery56,beat,rq28,taskiq012

matrix: $(VENV)/.group-matrix  ## Run the tests with every supported version of Python, pytest and the libraries
	$(BIN)/tox run -e $(MATRIX) $(TOX_ARGS)

peers: $(VENV)/.group-test  ## Run the released suites of other projects with the plugin installed
	$(BIN)/python tests/compatibility/peers.py $(PEERS)

bench: $(VENV)/.group-bench  ## Measure the budgets
	$(BIN)/python tests/benchmarks/run.py $(BENCH_ARGS)

lint: $(VENV)/.group-lint  ## Check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check --diff

typing: $(VENV)/.group-typing  ## Check the types with mypy and pyright
	$(BIN)/mypy pytest_jobs
	$(BIN)/mypy docs/examples/shop
	$(BIN)/mypy tests/typing
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.group-docs  ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -n -W -E --keep-going -b html docs docs/_build/html

clean:  ## Remove environments, caches and what was built
	rm -rf $(VENV) $(DEMO) .ci-venv .tox build dist docs/_build htmlcov
	rm -rf .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find pytest_jobs tests docs -type d \( -name __pycache__ -o -name .pytest_cache \) -prune -exec rm -rf {} +

# A target below is the mark that its environment, or one dependency group in it, is installed.

$(DEMO)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[recurring]'
	@touch $@

$(VENV)/.group-test: pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group test
	@touch $@

# arq wants an older redis than the other libraries, and works with theirs.
$(VENV)/.group-bench: $(VENV)/.group-test
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m pip install --quiet --no-deps arq
	@touch $@

$(VENV)/.group-%: $(VENV)/.group-test
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@
