"""Families of fields: one folder each, all found through `registry`; `family` says what one must have."""
