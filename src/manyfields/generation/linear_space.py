"""A linear subspace of parts: each object is a few coordinates, its principal components.

    parts ──► minus their mean, times what makes their spreads comparable ──► coordinates (B, R) ──► back

Few objects span little: n objects differ in n - 1 directions, whatever the size of their planes, so that nothing is
lost for those that the space was learned from, and a denoiser has 91 numbers to learn for 92 vehicles in the place of
155,000. Means of coordinates are means of parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import CollectionError
from manyfields.generation.parts import Parts

NOTHING = 1e-6  # of the greatest variance: directions in which objects do not differ


@dataclass(frozen=True)
class LinearSpace:
    """`sizes`: names and lengths of parts, D in all; `factors` are one number a part.

    Coordinates have a mean square of 1 over the objects that they were learned from: `spread` is divided out.
    """

    sizes: dict[str, int]
    mean: Float[Tensor, " D"]
    factors: Float[Tensor, " P"]
    basis: Float[Tensor, "R D"]
    spread: float

    @staticmethod
    def learn(parts: Parts, shares: Mapping[str, float], rank: int) -> "LinearSpace":
        """The first `rank` principal components of parts (n, ...), fewer where objects span fewer."""
        sizes = {name: part.shape[1] for name, part in parts.items()}
        joined = torch.cat(list(parts.values()), 1)
        mean = joined.mean(0)
        joined = joined - mean
        deviations = [part.square().sum(1).mean().sqrt() for part in joined.split(list(sizes.values()), 1)]
        comparable = zip((shares[name] for name in sizes), deviations, strict=True)
        factors = torch.stack([share / each if each > 0 else torch.ones(()) for share, each in comparable])
        joined *= _spread_out(factors, sizes)
        # Of the n x n products of objects: a covariance of D x D would not fit into memory.
        values, vectors = torch.linalg.eigh((joined @ joined.T).double())
        kept = [int(row) for row in values.argsort(descending=True)[:rank] if values[row] > NOTHING * values[-1]]
        vectors = vectors[:, kept]
        # Eigenvectors have no sign of their own.
        vectors = vectors * vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        basis = ((vectors / values[kept].sqrt()).T).float() @ joined
        spread = float((values[kept].sum() / (len(joined) * max(1, len(kept)))).sqrt()) or 1.0
        return LinearSpace(sizes, mean, factors, basis.half().float(), spread)

    @property
    def rank(self) -> int:
        return len(self.basis)

    def coordinates(self, parts: Parts) -> Float[Tensor, "B R"]:
        joined = torch.cat([parts[name] for name in self.sizes], 1)
        return ((joined - self.mean) * _spread_out(self.factors, self.sizes)) @ self.basis.T / self.spread

    def parts(self, coordinates: Float[Tensor, "B R"]) -> dict[str, Tensor]:
        """The parts of objects with these coordinates."""
        joined = (coordinates * self.spread) @ self.basis / _spread_out(self.factors, self.sizes) + self.mean
        return dict(zip(self.sizes, joined.split(list(self.sizes.values()), 1), strict=True))

    def tensors(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "factors": self.factors, "basis": self.basis.half()}

    def config(self) -> dict[str, Any]:
        return {"parts": self.sizes, "spread": self.spread}

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "LinearSpace":
        """Inverse of `tensors` and `config`. Raises CollectionError where they do not fit together."""
        sizes = {str(name): int(size) for name, size in dict(config["parts"]).items()}
        mean, factors, basis = tensors["mean"].float(), tensors["factors"].float(), tensors["basis"].float()
        length = sum(sizes.values())
        if mean.shape != (length,) or factors.shape != (len(sizes),) or basis.shape[1:] != (length,):
            raise CollectionError(f"its linear space is not one of {length} numbers in {len(sizes)} parts")
        if not all(bool(tensor.isfinite().all()) for tensor in (mean, factors, basis)) or bool((factors == 0).any()):
            raise CollectionError("its linear space holds numbers that have no meaning")
        return LinearSpace(sizes, mean, factors, basis, float(config["spread"]))


def _spread_out(factors: Tensor, sizes: Mapping[str, int]) -> Float[Tensor, " D"]:
    return factors.repeat_interleave(torch.tensor(list(sizes.values())))
