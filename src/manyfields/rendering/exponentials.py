"""Exponentials and what is made of them, of 16 numbers at a time: calls of the library's would take most of a fit."""

import numpy as np
from numba import njit

from manyfields.simd import clamp, floor, multiply_add, power_of_two, splat, where_positive

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
SMALLEST, LARGEST = np.float32(-87), np.float32(88)  # whose exponentials are float32


@njit(fastmath=True, forceinline=True, error_model="numpy")
def exponential(x):
    """exp of 16 numbers <= 88, relative error 2e-7 (Cephes)."""
    x = clamp(x, SMALLEST, LARGEST)
    whole = floor(multiply_add(x, splat(np.float32(1.44269504)), splat(HALF)))
    r = multiply_add(whole, splat(np.float32(-0.693359375)), x)
    r = multiply_add(whole, splat(np.float32(2.12194440e-4)), r)
    p = splat(np.float32(1.9875691500e-4))
    p = multiply_add(p, r, splat(np.float32(1.3981999507e-3)))
    p = multiply_add(p, r, splat(np.float32(8.3334519073e-3)))
    p = multiply_add(p, r, splat(np.float32(4.1665795894e-2)))
    p = multiply_add(p, r, splat(np.float32(1.6666665459e-1)))
    p = multiply_add(p, r, splat(np.float32(5.0000001201e-1)))
    return multiply_add(p * r, r, r + ONE) * power_of_two(whole)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def log1p(y):
    """log(1 + y) of 16 numbers in [0, 1], by the series of atanh; error below 3e-7."""
    z = y / (y + TWO)
    q = z * z
    series = multiply_add(q, splat(np.float32(1 / 11)), splat(np.float32(1 / 9)))
    series = multiply_add(q, series, splat(np.float32(1 / 7)))
    series = multiply_add(q, series, splat(np.float32(1 / 5)))
    series = multiply_add(q, series, splat(np.float32(1 / 3)))
    return z * TWO * multiply_add(q, series, splat(ONE))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def softplus(value):
    """(log(1 + e^v), e^-|v|) of 16 numbers; of the second, slopes are made."""
    positive = where_positive(value, value)
    raised = exponential(value - positive * TWO)
    return positive + log1p(raised), raised


@njit(fastmath=True, forceinline=True, error_model="numpy")
def sigmoid(value):
    """1 / (1 + e^-v) of 16 numbers."""
    return ONE / (exponential(ZERO - value) + ONE)
