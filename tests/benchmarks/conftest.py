"""What tests of `benchmarks/`, a folder of scripts and no package, have in common."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def steady(steady_pilots):
    """Minutes in tests are steps, not time."""


@pytest.fixture(scope="session")
def load():
    """Imports a module of benchmarks/."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(BENCHMARKS))
