"""Linear subspaces of parts: each object is a few coordinates, its principal components.

    parts ──► minus their mean, times what makes their spreads comparable ──► coordinates (B, R) ──► back

Few objects span little: n objects differ in n - 1 directions, whatever the size of their planes, so that nothing is
lost for those that the space was learned from, and a denoiser has some hundred numbers to learn in the place of
155,000. Means of coordinates are means of parts. A `LinearSpace` has one subspace for each group of parts that belong
together: coordinates of one group may be exchanged for those of another object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import CollectionError
from manyfields.families.parts import Parts

NOTHING = 1e-6  # of the greatest variance: directions in which objects do not differ


@dataclass(frozen=True)
class Subspace:
    """`sizes`: names and lengths of parts, D in all; `factors` are one number a part.

    Coordinates have a mean square of 1 over the objects that they were learned from: `spread` is divided out.
    """

    sizes: dict[str, int]
    mean: Float[Tensor, " D"]
    factors: Float[Tensor, " P"]
    basis: Float[Tensor, "R D"]
    spread: float

    @staticmethod
    def learn(parts: Parts, rank: int) -> "Subspace":
        """The first `rank` principal components of parts (n, ...), fewer where objects span fewer."""
        sizes = {name: part.shape[1] for name, part in parts.items()}
        joined = torch.cat(list(parts.values()), 1)
        mean = joined.mean(0)
        joined = joined - mean
        deviations = [part.square().sum(1).mean().sqrt() for part in joined.split(list(sizes.values()), 1)]
        factors = torch.stack([1.0 / each if each > 0 else torch.ones(()) for each in deviations])
        joined *= _each(factors, sizes)
        # Of the n x n products of objects: a covariance of D x D would not fit into memory.
        values, vectors = torch.linalg.eigh((joined @ joined.T).double())
        kept = [int(row) for row in values.argsort(descending=True)[:rank] if values[row] > NOTHING * values[-1]]
        vectors = vectors[:, kept]
        # Eigenvectors have no sign of their own.
        vectors = vectors * vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        basis = (vectors / values[kept].sqrt()).T.float() @ joined
        spread = float((values[kept].sum() / (len(joined) * max(1, len(kept)))).sqrt()) or 1.0
        return Subspace(sizes, mean, factors, basis.half().float(), spread)

    def coordinates(self, parts: Parts) -> Float[Tensor, "B R"]:
        joined = torch.cat([parts[name] for name in self.sizes], 1)
        return ((joined - self.mean) * _each(self.factors, self.sizes)) @ self.basis.T / self.spread

    def parts(self, coordinates: Float[Tensor, "B R"]) -> dict[str, Tensor]:
        joined = (coordinates * self.spread) @ self.basis / _each(self.factors, self.sizes) + self.mean
        return dict(zip(self.sizes, joined.split(list(self.sizes.values()), 1), strict=True))


@dataclass(frozen=True)
class LinearSpace:
    """Subspaces of groups of parts; their coordinates stand side by side, R in all.

    >>> parts = {"weights": torch.eye(4), "box": torch.ones(4, 6)}
    >>> space = LinearSpace.learn(parts, [["weights"], ["box"]], rank=8)
    >>> space.ranks
    [3, 0]
    >>> torch.allclose(space.parts(space.coordinates(parts))["weights"], parts["weights"], atol=1e-2)
    True
    """

    subspaces: tuple[Subspace, ...]

    @staticmethod
    def learn(parts: Parts, groups: Sequence[Sequence[str]], rank: int) -> "LinearSpace":
        """One subspace of at most `rank` dimensions for each group of names of parts."""
        return LinearSpace(tuple(Subspace.learn({name: parts[name] for name in group}, rank) for group in groups))

    @property
    def ranks(self) -> list[int]:
        """Coordinates of each group."""
        return [len(subspace.basis) for subspace in self.subspaces]

    @property
    def rank(self) -> int:
        return sum(self.ranks)

    def coordinates(self, parts: Parts) -> Float[Tensor, "B R"]:
        return torch.cat([subspace.coordinates(parts) for subspace in self.subspaces], 1)

    def parts(self, coordinates: Float[Tensor, "B R"]) -> dict[str, Tensor]:
        """The parts of objects with these coordinates."""
        made: dict[str, Tensor] = {}
        for subspace, own in zip(self.subspaces, coordinates.split(self.ranks, 1), strict=True):
            made |= subspace.parts(own)
        return made

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{number}.{name}": tensor
            for number, own in enumerate(self.subspaces)
            for name, tensor in (("mean", own.mean), ("factors", own.factors), ("basis", own.basis.half()))
        }

    def config(self) -> list[dict[str, Any]]:
        # A list of pairs: JSON with sorted keys would lose the order of parts.
        return [{"parts": list(own.sizes.items()), "spread": own.spread} for own in self.subspaces]

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor], config: Sequence[Mapping[str, Any]]) -> "LinearSpace":
        """Inverse of `tensors` and `config`. Raises CollectionError where they do not fit together."""
        found = []
        for number, stated in enumerate(config):
            sizes = {str(name): int(size) for name, size in stated["parts"]}
            mean, factors, basis = (tensors[f"{number}.{name}"].float() for name in ("mean", "factors", "basis"))
            length, spread = sum(sizes.values()), float(stated["spread"])
            if mean.shape != (length,) or factors.shape != (len(sizes),) or basis.shape[1:] != (length,):
                raise CollectionError(f"its linear space is not one of {length} numbers in {len(sizes)} parts")
            finite = all(bool(tensor.isfinite().all()) for tensor in (mean, factors, basis))
            if not finite or bool((factors <= 0).any()) or not 0 < spread < float("inf"):
                raise CollectionError("its linear space holds numbers that have no meaning")
            found.append(Subspace(sizes, mean, factors, basis, spread))
        return LinearSpace(tuple(found))


def _each(factors: Tensor, sizes: Mapping[str, int]) -> Float[Tensor, " D"]:
    return factors.repeat_interleave(torch.tensor(list(sizes.values())))
