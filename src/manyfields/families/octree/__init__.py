"""Sparse octrees with features at corners (VQ-AD, 2022)."""
