"""Micro planes of a whole set by latents, one decoder and one set of tables (Neural NeRF Compression, 2024)."""
