"""Tensor planes by latents and a small decoder (Neural NeRF Compression, 2024)."""
