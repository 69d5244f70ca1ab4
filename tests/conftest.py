"""Fixtures for all tests. Data outside the repository is found through MANYFIELDS_SHARED and skipped where absent."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that stands beside a developer's checkout."""
    folder = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder} (set MANYFIELDS_SHARED)")
    return folder
