"""Columns of numbers in steps of their own, entropy coded: vectors of tensor fields, and small networks.

    | steps: float16 of each column | lowest: int16 | alphabet: uint16 | table, then words of the coder |

Numbers that run along a line are near those before them, so it is differences that are coded.
"""

import struct

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.halves import as_halves, from_halves, to_halves
from manyfields.errors import CollectionError

RANGE = struct.Struct("<hH")
LARGEST = 8191  # steps that a number may have
LEAST_STEP = 2.0**-20


def encode_columns(values: Float[Tensor, "n C"], share: float, what: str, along: bool = True) -> bytes:
    """Numbers in steps of `share` of their column's root mean square. `along`: rows are neighbours on a line.

    Raises CollectionError, naming `what`, for NaN and infinity.
    """
    if not bool(values.isfinite().all()):
        raise CollectionError(f"{what}: NaN or infinity; its fit has diverged, lower the rates")
    values = values.detach().cpu().float()
    steps = as_halves((share * values.square().mean(0).sqrt()).clamp(min=LEAST_STEP, max=1e4))
    whole = (values / steps).round().clamp(-LARGEST, LARGEST).long().numpy()
    coded = np.diff(whole, axis=0, prepend=0) if along else whole
    lowest, highest = int(coded.min(initial=0)), int(coded.max(initial=0))
    symbols = encode_symbols((coded - lowest).ravel(), highest - lowest + 1)
    return to_halves(steps, what) + RANGE.pack(lowest, highest - lowest + 1) + symbols


def decode_columns(data: bytes, rows: int, columns: int, what: str, along: bool = True) -> Float[Tensor, "n C"]:
    """The inverse, float32. Raises CollectionError, naming `what`, for other bytes than those of `encode_columns`."""
    start = 2 * columns
    if len(data) < start + RANGE.size:
        raise CollectionError(f"{what}: cut short, {len(data)} bytes")
    steps = from_halves(data[:start], what)
    lowest, alphabet = RANGE.unpack_from(data, start)
    if (steps <= 0).any() or not 1 <= alphabet <= 4 * LARGEST + 1:
        raise CollectionError(f"{what}: steps that are not above 0, or numbers that are too large")
    coded = decode_symbols(data[start + RANGE.size :], rows * columns, alphabet, what=what).reshape(rows, columns)
    whole = (coded + lowest).cumsum(0) if along else coded + lowest
    if np.abs(whole).max(initial=0) > LARGEST:
        raise CollectionError(f"{what}: numbers that are too large")
    return torch.from_numpy(whole.astype(np.float32) * steps)
