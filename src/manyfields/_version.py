"""The version of the package, which packaging reads and reports write."""

__version__ = "0.1.0"
