"""What stands outside of a rule of `test_architecture.py`, each with its reason. These lists only shrink."""

AGAINST_THE_ORDER: dict[str, str] = {}
"""Imports of what stands below in the order."""

CIRCLES: dict[str, str] = {}
"""Ways from a file back to itself."""

OUTSIDE_OF_FAMILIES: dict[str, str] = {}
"""Files outside of `families/`, and the family that they import from."""

ASKED_FOR: dict[str, str] = {}
"""Files outside of a family's folder that ask whether something is of its class."""

SHORT: dict[str, str] = {}
"""Files of fewer than 40 lines."""

COVERED_BY: dict[str, tuple[str, ...]] = {}
"""Modules without a test file of their own, by the test file that runs them."""

WITHOUT_EXAMPLE: dict[str, str] = {}
"""Public names that no example shows."""

OTHER_FILES: dict[str, str] = {
    "benchmarks/README.md names sets.py": "what a script was called when older rows were written",
}
"""Names of files that documents give and this repository does not have."""
