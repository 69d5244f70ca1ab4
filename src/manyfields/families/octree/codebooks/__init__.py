"""Features of octrees as learned indices into codebooks (VQ-AD, 2022)."""
