"""Basis grids and coefficients of each scene (Factor Fields, 2023)."""
