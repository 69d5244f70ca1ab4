"""The numbers of a small network as bytes: two bytes each, or one with a scale for every few."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.halves import from_halves, to_halves
from manyfields.errors import CollectionError

BITS = (16, 8)
BLOCK = 64  # numbers that share a scale
WHAT = "the network"


def network_bytes(count: int, bits: int) -> int:
    """How many bytes `count` numbers take."""
    return 2 * count if bits == 16 else 2 * -(-count // BLOCK) + count


def encode_network(values: Float[Tensor, " p"], bits: int) -> bytes:
    """16 bits: float16. 8 bits: of each BLOCK numbers the scale as float16, then whole numbers of scales as int8.

    Raises CollectionError for NaN.
    """
    if bits == 16:
        return to_halves(values, WHAT)
    numbers = np.frombuffer(to_halves(values, WHAT), "<f2").astype(np.float32)
    blocks = np.pad(numbers, (0, -len(numbers) % BLOCK)).reshape(-1, BLOCK)
    scales = to_halves(torch.from_numpy(np.abs(blocks).max(1) / 127), WHAT)
    steps = np.frombuffer(scales, "<f2").astype(np.float32)[:, None]
    whole = np.divide(blocks, steps, out=np.zeros_like(blocks), where=steps > 0).round().clip(-127, 127)
    return scales + whole.astype(np.int8).reshape(-1)[: len(numbers)].tobytes()


def decode_network(data: bytes, count: int, bits: int) -> Float[Tensor, " p"]:
    """The `count` numbers, as float32. Raises CollectionError where some are not finite."""
    if bits == 16:
        return torch.from_numpy(from_halves(data, WHAT))
    split = 2 * -(-count // BLOCK)
    scales = from_halves(data[:split], WHAT)
    if (scales < 0).any():
        raise CollectionError(f"{WHAT}: a scale below 0")
    whole = np.frombuffer(data[split:], np.int8).astype(np.float32)
    return torch.from_numpy(whole * scales.repeat(BLOCK)[:count])
