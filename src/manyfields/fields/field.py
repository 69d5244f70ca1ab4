"""What every field is, and what rays may ask of it.

    points, directions ──► density, channels            what a field must answer
    rays, samples along them ──► channels, opacity, depth, error      what it may answer in a form of its own

Only `__call__` has to be written. All else has a plain default that asks it; a family overrides what it has a faster
form for (compiled kernels, colours of only what is seen) or knows better (where guides ask, maps of forward-facing
scenes). Every form of its own is tested equal to the plain one.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields.compositing import composite, compositing_weights
from manyfields.fields.guide_places import FEW, GuidePlaces
from manyfields.fields.samples import Samples


class Field(ABC):
    """A function from position (and direction) to density and channels, batched over B objects.

    Example:
        >>> class Ball(Field):
        ...     channels = 1
        ...
        ...     def __call__(self, points, directions=None):
        ...         inside = (points.norm(dim=-1) < 0.5).float()
        ...         return Samples(20.0 * inside, inside.unsqueeze(-1))
        >>> import torch
        >>> Ball().density(torch.zeros(1, 1, 3))
        tensor([[20.]])
    """

    channels: int
    guide_places: ClassVar[GuidePlaces] = FEW
    """Where in a cell a guide asks for the density, and what it makes of the answers."""

    @abstractmethod
    def __call__(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples:
        """Density and channels at points, seen along `directions` (unit length)."""

    @property
    def maps(self) -> Float[Tensor, "B 4 4"] | None:
        """Projective maps from the space of objects to that in which the field is asked; None where they are one."""
        return None

    def density(self, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
        """Density alone; a form of its own may have no gradients, and then is taken only where none are asked for."""
        return self(points).density

    def in_one_go(self, samples: int, *tensors: Tensor) -> bool:
        """Whether `march` has a form of its own for rays made of these tensors, with gradients as asked for now.

        Samples of length 0 then cost it less than to sort them out.
        """
        return False

    def march(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
        """What `plain_march` says, by the fastest form there is for this field on this device."""
        return self.plain_march(origins, directions, distances, lengths)

    def plain_march(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
        """Channels without a background, opacity, and depth of rays, from samples in order along them.

        Each sample stands for a stretch of the ray of its length; one of length 0 counts for nothing. Opacity is the
        sum of the compositing weights, depth their mean distance (0 where opacity is below 1e-6).
        """
        objects, count, samples = distances.shape
        points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
        along = directions.unsqueeze(2).expand_as(points).reshape(objects, -1, 3)
        found = self(points.view(objects, -1, 3), along)
        density, channels = found.density.view(distances.shape), found.channels.view(objects, count, samples, -1)
        return composite(compositing_weights(density, lengths), channels, distances)

    def march_error(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
        colors: Float[Tensor, "B R C"],
        scales: Float[Tensor, "B R"],
        background: Float[Tensor, " C"],
    ) -> Float[Tensor, ""]:
        """Sum over rays of scale * squared error against `colors`, over a background that does not learn."""
        channels, opacity, _ = self.march(origins, directions, distances, lengths)
        seen = channels + (1.0 - opacity).unsqueeze(-1) * background.detach()
        return (scales.unsqueeze(-1) * (seen - colors).square()).sum()

    def walk(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        bounds: Float[Tensor, "B 2 3"],
        leaps: UInt8[Tensor, "B G G G"],
        of_cell: int,
        seen_through: float,
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]] | None:
        """The whole walk of rays at rest (`rendering.walking`), without gradients.

        None where the field has no form of its own for it: then the walk asks `march`, some samples at a time.
        """
        return None


class ByObject(Protocol):
    """Fields of several objects, which can be had one by one."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Field:
        """The field of one object (B = 1)."""
        ...
