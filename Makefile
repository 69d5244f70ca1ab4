# Everything a developer needs; each target sets up .venv first, and does so only when it has to.
#   make demo        built-in inventory -> views -> fit -> report, offline, on the CPU
#   make test        lint, types, tests
#   make test-slow   the slow tests as well
#   make docs        the documentation as a site, in site/
#   make figures     figures of README and docs, filled in from the rows in benchmarks/results
#   make bench       speed on this CPU, beside plain PyTorch and Tri-Planes (minutes; rows in benchmarks/results)
#   make bench-gpu   speed on a GPU, on a machine that has torch already; it needs GPU_DATA from `benchmarks.gpu pack`
# Another Python: make PYTHON=python3.12 setup

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What `python -m benchmarks.gpu pack` wrote, and where the rows go.
GPU_DATA ?= bench-work/gpu.npz
GPU_RESULTS ?= bench-work/gpu-results
BENCH ?=

.PHONY: setup demo test test-slow docs figures bench bench-gpu lint clean

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

# The theme announces another tool at each build, unless it is told not to.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: setup
	$(BIN)/python tools/figures.py

# BENCH="kernels render --threads 1" runs some parts only.
bench: setup
	$(BIN)/python -m benchmarks.speed $(BENCH)

# Sets up nothing and asks no network: PYTHON is a Python whose torch sees the GPU.
bench-gpu:
	@test -f $(GPU_DATA) || { echo "error: no $(GPU_DATA): make it elsewhere with python -m benchmarks.gpu pack --out FILE" >&2; exit 1; }
	PYTHONPATH=src $(PYTHON) -m benchmarks.gpu run $(GPU_DATA) --out $(GPU_RESULTS)

clean:
	rm -rf build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
