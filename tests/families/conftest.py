"""What all tests of `families/` have in common."""

import pytest


@pytest.fixture(autouse=True)
def steady(steady_pilots):
    """Minutes in tests are steps, not time."""
