"""Matrices as whole numbers of 8 bits, entropy coded: a scale for each column, and a table of frequencies for each.

| scales of all columns of all matrices, float16 | coded symbols, 0 to 254 for -127 to 127, matrix after matrix |
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.halves import from_halves, to_halves
from manyfields.errors import CollectionError

LARGEST = 127

Shape = tuple[int, int]


def encode_eight_bits(matrices: Sequence[Float[Tensor, "_ _"]], what: str) -> bytes:
    """Numbers to the nearest of 255 steps that reach as far as the largest of their column.

    Raises CollectionError, naming `what`, for NaN.
    """
    values = [matrix.detach().cpu().float().numpy() for matrix in matrices]
    largest = [np.abs(each).max(0, initial=0.0) / LARGEST for each in values]
    scales = to_halves(torch.from_numpy(np.concatenate([*largest, np.zeros(0, np.float32)])), what)
    steps = np.split(from_halves(scales, what), np.cumsum([each.shape[1] for each in values])[:-1])
    symbols = [_symbols(each, own) for each, own in zip(values, steps, strict=True)]
    coded = encode_symbols(np.concatenate(symbols), 2 * LARGEST + 1, _kinds([v.shape for v in values]), len(values))
    return scales + coded


def decode_eight_bits(data: bytes, shapes: Sequence[Shape], what: str) -> list[Float[Tensor, "_ _"]]:
    """Matrices of these shapes. Raises CollectionError, naming `what`, where the bytes do not hold them."""
    columns = [shape[1] for shape in shapes]
    if len(data) < 2 * sum(columns):
        raise CollectionError(f"{what}: cut short, {len(data)} bytes for scales of {sum(columns)} columns")
    scales = from_halves(data[: 2 * sum(columns)], what)
    if (scales < 0).any():
        raise CollectionError(f"{what}: a scale below 0")
    counts = [rows * width for rows, width in shapes]
    coded = data[2 * sum(columns) :]
    symbols = decode_symbols(coded, sum(counts), 2 * LARGEST + 1, _kinds(shapes), len(shapes), what)
    parts = np.split((symbols - LARGEST).astype(np.float32), np.cumsum(counts)[:-1])
    steps = np.split(scales, np.cumsum(columns)[:-1])
    whole = [part.reshape(shape) * own for part, shape, own in zip(parts, shapes, steps, strict=True)]
    return [torch.from_numpy(each.astype(np.float32)) for each in whole]


def _symbols(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    whole = np.divide(values, steps, out=np.zeros_like(values), where=steps > 0)
    return whole.round().clip(-LARGEST, LARGEST).astype(np.int64).reshape(-1) + LARGEST


def _kinds(shapes: Sequence[Shape]) -> np.ndarray:
    return np.repeat(np.arange(len(shapes)), [rows * width for rows, width in shapes])
