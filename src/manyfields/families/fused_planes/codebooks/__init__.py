"""Micro planes by learned codebooks (VQ-AD, 2022)."""
