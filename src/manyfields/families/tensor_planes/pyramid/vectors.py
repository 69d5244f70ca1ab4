"""Vectors and network of a scene in the codec `pyramid`: numbers in steps that suit their columns (`whole_columns`)."""

import struct
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.whole_columns import decode_columns, encode_columns
from manyfields.errors import CollectionError
from manyfields.fields.axes import VECTOR_AXES, Resolution

NETWORK = "own network"
SIZES = struct.Struct("<2I")


def encode_vectors(vectors: Sequence[Float[Tensor, "_ _"]], share: float) -> bytes:
    """Those of density and of appearance along each axis side by side: | size of all but the last | bytes | ..."""
    joined = [torch.cat([vectors[axis], vectors[3 + axis]], 1) for axis in range(3)]
    coded = [encode_columns(own, share, "vectors") for own in joined]
    return SIZES.pack(len(coded[0]), len(coded[1])) + b"".join(coded)


def decode_vectors(data: bytes, resolution: Resolution, components: tuple[int, int]) -> tuple[Tensor, ...]:
    """The inverse. Raises CollectionError."""
    if len(data) < SIZES.size:
        raise CollectionError("vectors: cut short")
    first, second = SIZES.unpack_from(data)
    ends = [SIZES.size, SIZES.size + first, SIZES.size + first + second, len(data)]
    if ends != sorted(ends):
        raise CollectionError("vectors: parts that end beyond their bytes")
    pairs = []
    for n, axis in enumerate(VECTOR_AXES):
        own = decode_columns(data[ends[n] : ends[n + 1]], resolution[axis], sum(components), "vectors")
        pairs.append(own.split(components, 1))
    return tuple(pair[part].contiguous() for part in (0, 1) for pair in pairs)


def encode_own_network(numbers: Float[Tensor, " p"], share: float) -> bytes:
    """Raises CollectionError for NaN."""
    return encode_columns(numbers[:, None], share, NETWORK, along=False)


def decode_own_network(data: bytes, count: int) -> Float[Tensor, " p"]:
    return decode_columns(data, count, 1, NETWORK, along=False)[:, 0]
