"""What all tests of `runs/` have in common."""

import pytest


@pytest.fixture(autouse=True)
def steady(steady_pilots):
    """Minutes in tests are steps, not time."""
