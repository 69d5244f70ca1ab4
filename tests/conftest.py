"""Fixtures for all tests. Data outside the repository is found through MANYFIELDS_SHARED and skipped where absent."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that stands beside a developer's checkout."""
    folder = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder} (set MANYFIELDS_SHARED)")
    return folder


@pytest.fixture(scope="session")
def shapes():
    """The module `_shapes.py`: views of boxes and balls with exact ground truth."""
    spec = importlib.util.spec_from_file_location("manyfields_test_shapes", Path(__file__).with_name("_shapes.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
