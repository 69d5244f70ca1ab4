"""Tensor planes and vectors of each scene (TensoRF, 2022)."""
