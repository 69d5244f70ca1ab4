"""The loops of `ans_loops`, compiled by numba."""

from manyfields.compiled import kernel
from manyfields.compression import ans_loops

latents = kernel()(ans_loops.latents)
hull = kernel()(ans_loops.hull)
