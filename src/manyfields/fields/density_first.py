"""Samples along rays in two questions: density of all, colours only of those that are seen.

    places -> density -> compositing weights -> colours where a weight is above 1e-4 -> sums along rays

For fields whose colour costs much more than their density, such as a network of three layers against a few products:
on a ray past an object's surface a few samples of dozens are seen. TensoRF (Chen et al. 2022) does the same.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields.compositing import compositing_weights
from manyfields.fields.field import Field
from manyfields.fields.samples import Samples

FAINTEST = 1e-4
"""Weight up to which a sample's colour counts for nothing."""


class DensityFirst(Field):
    """Fields of B objects that give density and colours apart, because a ray needs colours only where something is.

    >>> class Ball(DensityFirst):
    ...     channels = 3
    ...     def __getitem__(self, row):
    ...         return self
    ...     def density(self, points):
    ...         return 20.0 * (points.norm(dim=-1) < 0.5)
    ...     def colors(self, points, directions):
    ...         return torch.ones_like(points)
    >>> Ball()(torch.zeros(1, 1, 3)).density
    tensor([[20.]])
    """

    @abstractmethod
    def density(self, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]: ...

    @abstractmethod
    def colors(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N 3"]: ...

    @abstractmethod
    def __getitem__(self, row: int) -> "DensityFirst": ...

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples:
        """Density and colour at points, seen along `directions` (unit length; zeros when None)."""
        if directions is None:
            directions = torch.zeros_like(points)
        return Samples(self.density(points), self.colors(points, directions))

    def in_one_go(self, samples: int, *tensors: Tensor) -> bool:
        return True

    def march(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
        """As `plain_march`, but for the colours of faint samples."""
        rays = zip(origins, directions, distances, lengths, strict=True)
        seen, opacity, depth = zip(*(_one(self[row], *each) for row, each in enumerate(rays)), strict=True)
        return torch.stack(seen), torch.stack(opacity), torch.stack(depth)


def _one(
    field: DensityFirst, origins: Tensor, directions: Tensor, distances: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rays of one object: (R, 3), (R, 3), (R, S), (R, S)."""
    samples = distances.shape[1]
    filled = (lengths > 0).flatten().nonzero().squeeze(1)
    ray = filled // samples
    points = origins[ray] + distances.flatten()[filled, None] * directions[ray]
    found = field.density(points[None])[0]
    density = found.new_zeros(distances.numel()).index_copy(0, filled, found).view(distances.shape)
    weights = compositing_weights(density[None], lengths[None])[0]
    opacity = weights.sum(-1)
    depth = (weights * distances).sum(-1) / opacity.clamp(min=1e-6)

    bright = (weights.detach().flatten()[filled] > FAINTEST).nonzero().squeeze(1)
    seen_by = ray[bright]
    colors = field.colors(points[None, bright], directions[None, seen_by])[0]
    shares = weights.flatten()[filled[bright], None] * colors
    return shares.new_zeros(len(origins), field.channels).index_add(0, seen_by, shares), opacity, depth
