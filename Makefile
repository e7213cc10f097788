# Needs make and Python 3.11 or newer with its venv module. The first use installs into .venv.
#
#   make demo     a whole transfer on this machine, with a fault on the way
#   make test     the test suite
#
# Another Python: make test PYTHON=python3.13 VENV=.venv-3.13      Some tests: make test TESTS=tests/test_cli.py

PYTHON ?= python3
VENV ?= .venv
TESTS ?=
# Tests mostly wait for processes: more at a time than there are cores.
WORKERS ?= $(shell echo $$(( 3 * $$(getconf _NPROCESSORS_ONLN || echo 1) )))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint types wheel bench clean

demo: $(INSTALLED)
	@$(BIN)/asperacentral demo

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED)
	@$(BIN)/mypy

wheel: $(INSTALLED)
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

bench: $(INSTALLED)
	@$(BIN)/python -m bench

clean:
	rm -rf .venv .venv-* build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=...") if sys.version_info < (3, 11) else 0'
	@echo "Installing into $(VENV), once; this may take a minute ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: interop
interop: $(INSTALLED)
	@$(BIN)/python -m interop
