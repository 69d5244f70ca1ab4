"""What learned codebooks are compared with: other ways from the features of a level to bytes, after they were fitted.

Each has `encode(features) -> bytes` and `decode(bytes, count, width) -> features`; nothing else is needed to decode.
`through` gives both at once, so that quality is always that of the bytes. (Hashed codebooks are learned with the field
instead: `hashed.py`.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.bits import pack_bits, packed_bytes, unpack_bits
from manyfields.compression.halves import as_halves, from_halves, to_halves
from manyfields.compression.vector_codebooks import Codebooks
from manyfields.errors import CollectionError


class Quantiser(Protocol):
    def encode(self, features: Float[Tensor, "m k"]) -> bytes: ...

    def decode(self, data: bytes, count: int, width: int) -> Float[Tensor, "m k"]:
        """`count` vectors of `width` features. Raises CollectionError where the bytes do not hold them."""
        ...


def through(
    quantiser: Quantiser, levels: Sequence[Float[Tensor, "_ k"]]
) -> tuple[list[Float[Tensor, "_ k"]], list[bytes]]:
    """The features of each level as they come out of their bytes, and the bytes."""
    data = [quantiser.encode(features) for features in levels]
    pairs = zip(data, levels, strict=True)
    return [quantiser.decode(some, *features.shape).to(features.device) for some, features in pairs], data


@dataclass(frozen=True)
class Uncompressed:
    """float16: 2 m k bytes."""

    def encode(self, features: Float[Tensor, "m k"]) -> bytes:
        return to_halves(features, "features")

    def decode(self, data: bytes, count: int, width: int) -> Float[Tensor, "m k"]:
        values = from_halves(data, "features")
        if len(values) != count * width:
            raise CollectionError(f"features: {len(values)} numbers where {count} vectors have {count * width}")
        return torch.from_numpy(values).view(count, width)


@dataclass(frozen=True)
class LowRank:
    """Karhunen-Loeve transform: the mean, the first `kept` principal directions, and a float16 along each a vector.

    2 (k + kept k + kept m) bytes. With `kept` = k it is a rotation.
    """

    kept: int

    def encode(self, features: Float[Tensor, "m k"]) -> bytes:
        features = features.detach().cpu().float()
        mean = as_halves(features.mean(0) if len(features) else torch.zeros(features.shape[1]))
        centred = (features - mean).double()
        directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, : self._rank(features.shape[1])].T
        basis = as_halves(directions.float())
        # Rounded to 16 bits, directions are not quite orthonormal: the pseudo-inverse makes up for it.
        along = centred @ torch.linalg.pinv(basis.double())
        return b"".join(to_halves(part, "features") for part in (mean, basis, along.float()))

    def decode(self, data: bytes, count: int, width: int) -> Float[Tensor, "m k"]:
        values = torch.from_numpy(from_halves(data, "features"))
        rank = self._rank(width)
        if len(values) != width + rank * (width + count):
            raise CollectionError(f"features: {len(values)} numbers where {count} vectors have another number")
        mean, basis, along = values.split([width, rank * width, rank * count])
        return along.view(count, rank) @ basis.view(rank, width) + mean

    def _rank(self, width: int) -> int:
        if not 1 <= self.kept <= width:
            raise ValueError(f"{self.kept} directions kept of {width}")
        return self.kept


@dataclass(frozen=True)
class KMeans:
    """Codebooks by k-means: of b bits with `bits` = (b,), with a second one on what the first leaves (b, c), ...

    Sum over `bits` of ceil(m b / 8) + 2 k 2^b bytes, whatever the number of `groups` but for the factor of indices.
    """

    bits: tuple[int, ...]
    groups: int = 1
    seed: int = 0

    def encode(self, features: Float[Tensor, "m k"]) -> bytes:
        books = Codebooks.learn(features.cpu(), self.bits, groups=self.groups, seed=self.seed)
        columns = books.indices(features.cpu()).T
        packed = [pack_bits(column.numpy(), bits) for column, bits in zip(columns, books.bits, strict=True)]
        return books.to_bytes() + b"".join(packed)

    def decode(self, data: bytes, count: int, width: int) -> Float[Tensor, "m k"]:
        start = 2 * width * sum(1 << bits for bits in self.bits)
        books = Codebooks.from_bytes(data[:start], width, self.bits, self.groups)
        columns = []
        for bits in books.bits:
            end = start + packed_bytes(count, bits)
            columns.append(torch.from_numpy(unpack_bits(data[start:end], count, bits)))
            start = end
        if start != len(data):
            raise CollectionError(f"features: {len(data) - start} bytes after the last index")
        return books.features(torch.stack(columns, 1))
