"""Basis grids by latents and a small decoder."""
