"""Fused planes: base planes that objects share, and small planes of each (Fused-Planes, ICLR 2026)."""
