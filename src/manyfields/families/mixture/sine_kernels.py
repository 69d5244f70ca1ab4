"""Sines and cosines of many numbers in one pass, compiled by numba for CPUs: the twin of `sines.plain_sine`.

Networks of sines take both: the value, and the slope that goes back through it. Numbers of 16 bits (bfloat16) are read
two at a time, as the halves of 32.
"""

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel
from manyfields.simd import (
    LANES,
    floor,
    load,
    load_lower_halves,
    load_upper_halves,
    multiply_add,
    splat,
    store,
    store_halves,
)

NUMBERS_OF_A_JOB = 4096  # of 32 bits, each of which may be two of 16
HALF, ONE, TWO = np.float32(0.5), np.float32(1), np.float32(2)
PI_UPPER, PI_LOWER = (
    np.float32(3.140625),
    np.float32(9.67653589793e-4),
)  # the upper has few bits: its products are exact


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _turned(x):
    """What is left of 16 angles without whole half turns, in [-pi/2, pi/2], its square, and the sign of the turns."""
    turns = floor(multiply_add(x, splat(np.float32(1 / np.pi)), splat(HALF)))
    rest = multiply_add(turns, splat(-PI_LOWER), multiply_add(turns, splat(-PI_UPPER), x))
    return rest, rest * rest, ONE - TWO * (turns - TWO * floor(turns * HALF))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def sine_and_cosine(x):
    """Of 16 angles up to some thousand, in radians; error below 3e-7 (minimax polynomials on a half turn)."""
    rest, square, sign = _turned(x)
    odd = multiply_add(splat(np.float32(-2.3889859e-8)), square, splat(np.float32(2.7525562e-6)))
    odd = multiply_add(odd, square, splat(np.float32(-1.9840874e-4)))
    odd = multiply_add(odd, square, splat(np.float32(8.3333310e-3)))
    odd = multiply_add(odd, square, splat(np.float32(-1.6666667e-1)))
    even = multiply_add(splat(np.float32(-2.6051615e-7)), square, splat(np.float32(2.4760495e-5)))
    even = multiply_add(even, square, splat(np.float32(-1.3888378e-3)))
    even = multiply_add(even, square, splat(np.float32(4.1666638e-2)))
    even = multiply_add(even, square, splat(-HALF))
    return multiply_add(odd * square, rest, rest) * sign, multiply_add(even, square, splat(ONE)) * sign


@kernel(fastmath=True, parallel=True)
def sines(angles, sine, cosine):
    """Of float32, a multiple of 16 numbers; the last two are written."""
    for job in prange((len(angles) + NUMBERS_OF_A_JOB - 1) // NUMBERS_OF_A_JOB):
        for at in range(job * NUMBERS_OF_A_JOB, min(len(angles), (job + 1) * NUMBERS_OF_A_JOB), LANES):
            up, along = sine_and_cosine(load(angles, at))
            store(sine, at, up)
            store(cosine, at, along)


@kernel(fastmath=True, parallel=True)
def half_sines(angles, sine, cosine):
    """Likewise of bfloat16, two in each int32: a multiple of 32 numbers."""
    for job in prange((len(angles) + NUMBERS_OF_A_JOB - 1) // NUMBERS_OF_A_JOB):
        for at in range(job * NUMBERS_OF_A_JOB, min(len(angles), (job + 1) * NUMBERS_OF_A_JOB), LANES):
            up, along = sine_and_cosine(load_lower_halves(angles, at))
            up_too, along_too = sine_and_cosine(load_upper_halves(angles, at))
            store_halves(sine, at, up, up_too)
            store_halves(cosine, at, along, along_too)
