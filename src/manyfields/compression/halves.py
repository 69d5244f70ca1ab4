"""Numbers as float16, little-endian, the last dimension fastest."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import CollectionError

LARGEST = 65504.0


def to_halves(values: Float[Tensor, "*shape"], what: str) -> bytes:
    """Two bytes a number; beyond float16's range they are clamped to it. Raises CollectionError, naming `what`: NaN."""
    values = values.detach().cpu().float()
    if bool(values.isnan().any()):
        raise CollectionError(f"{what}: NaN; its fit has diverged, lower the rates")
    return values.clamp(-LARGEST, LARGEST).numpy().astype("<f2").tobytes()


def from_halves(data: bytes, what: str) -> Float[np.ndarray, " n"]:
    """float32. Raises CollectionError, naming `what`, for an odd number of bytes and numbers that are not finite."""
    if len(data) % 2:
        raise CollectionError(f"{what}: {len(data)} bytes are not numbers of two bytes")
    values = np.frombuffer(data, "<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise CollectionError(f"{what}: numbers that are not finite")
    return values


def as_halves(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """What `from_halves` gives for `to_halves`, without the bytes."""
    return values.detach().float().clamp(-LARGEST, LARGEST).to(torch.float16).float()
