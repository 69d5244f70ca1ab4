"""The loops of `ans_loops`, compiled by numba."""

from numba import njit

from manyfields.compression import ans_loops

latents = njit(cache=True, nogil=True)(ans_loops.latents)
hull = njit(cache=True, nogil=True)(ans_loops.hull)
