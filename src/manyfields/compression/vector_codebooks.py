"""Codebooks for vectors of features: one after the other on what is left (stages), side by side for parts (groups).

    features (m, k)  =  [ group 0 | group 1 | ... ]      product quantisation (Jegou et al. 2011)
    each group       =  entry of stage 0 + entry of stage 1 + ...     residual quantisation

A vector's code is one index a codebook: group 0 with all its stages, then group 1, ... One group and one stage are
plain vector quantisation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compression.halves import as_halves, from_halves, to_halves
from manyfields.compression.kmeans import learn_codebook, nearest
from manyfields.errors import CollectionError


@dataclass(frozen=True)
class Codebooks:
    """`books[g][s]`: the codebook (2^b, k / groups) of stage s of group g; numbers are float16's, held as float32."""

    books: tuple[tuple[Tensor, ...], ...]

    @staticmethod
    def learn(
        features: Float[Tensor, "m k"],
        bits: Sequence[int],
        *,
        groups: int = 1,
        seed: int = 0,
        weights: Float[Tensor, " m"] | None = None,
    ) -> "Codebooks":
        """By k-means (see `learn_codebook`), a codebook of 2^b entries for each group and each b of `bits`, its stages.

        Raises ValueError where `groups` does not divide the features.
        """
        _check(features.shape[1], groups, bits)
        books = []
        for number, part in enumerate(features.detach().float().chunk(groups, 1)):
            stages: list[Tensor] = []
            for stage, width in enumerate(bits):
                book = learn_codebook(part, width, seed=seed + number * len(bits) + stage, weights=weights)
                stages.append(as_halves(book))
                part = part - stages[-1][nearest(part, stages[-1])]
            books.append(tuple(stages))
        return Codebooks(tuple(books))

    @property
    def bits(self) -> list[int]:
        """Bits of each index of a vector."""
        return [(len(book) - 1).bit_length() for stages in self.books for book in stages]

    @property
    def width(self) -> int:
        """Features of a vector."""
        return sum(stages[0].shape[1] for stages in self.books)

    def indices(
        self, features: Float[Tensor, "m k"], costs: Sequence[Float[Tensor, "m _"]] | None = None
    ) -> Int[Tensor, "m n"]:
        """For each vector, its index in each of the n codebooks; each stage takes what is nearest to the rest.

        With `costs` (one a codebook), what is nearest and cheap: see `nearest`.
        """
        found: list[Tensor] = []
        for part, stages in zip(features.detach().float().chunk(len(self.books), 1), self.books, strict=True):
            for book in stages:
                found.append(nearest(part, book, None if costs is None else costs[len(found)]))
                part = part - book[found[-1]]
        return torch.stack(found, 1)

    def features(self, indices: Int[Tensor, "m n"]) -> Float[Tensor, "m k"]:
        """The vectors that indices stand for."""
        columns = iter(indices.unbind(1))
        parts = []
        for stages in self.books:
            entries = [book[next(columns)] for book in stages]
            parts.append(torch.stack(entries).sum(0))
        return torch.cat(parts, 1)

    def to_bytes(self) -> bytes:
        """All codebooks in the order of the indices, two bytes a number."""
        return b"".join(to_halves(book, "a codebook") for stages in self.books for book in stages)

    @staticmethod
    def from_bytes(data: bytes, features: int, bits: Sequence[int], groups: int = 1) -> "Codebooks":
        """The inverse of `to_bytes`. Raises CollectionError where the bytes have another size."""
        _check(features, groups, bits)
        sizes = [features // groups << width for width in bits]
        if len(data) != 2 * groups * sum(sizes):
            raise CollectionError(f"codebooks of {len(data)} bytes where they take {2 * groups * sum(sizes)}")
        values = torch.from_numpy(from_halves(data, "codebooks"))
        books = [part.view(-1, features // groups) for part in values.split(sizes * groups)]
        return Codebooks(tuple(tuple(books[start : start + len(bits)]) for start in range(0, len(books), len(bits))))


def _check(features: int, groups: int, bits: Sequence[int]) -> None:
    if groups < 1 or features % groups:
        raise ValueError(f"{groups} groups do not divide {features} features")
    if not bits or not all(1 <= width <= 16 for width in bits):
        raise ValueError(f"codebooks of {list(bits)} bits: one or more, from 1 to 16 each")
