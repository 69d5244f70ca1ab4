# Everything a developer needs; each target sets up .venv first, and does so only when it has to.
#   make demo        built-in inventory -> views -> fit -> report, offline, on the CPU
#   make test        lint, types, tests
#   make test-slow   the slow tests as well
# Another Python: make PYTHON=python3.12 setup

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test test-slow lint clean

setup: $(READY)

# The stamp is newer than what decides about the environment, so a second `make setup` does nothing.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: manyfields needs Python 3.11 or newer, $(PYTHON) is older or missing; try make PYTHON=python3.12 setup" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e '.[all,dev]'
	@touch $@

demo: setup
	$(BIN)/manyfields demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest

test-slow: lint
	$(BIN)/python -m pytest -m "slow or not slow"

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
