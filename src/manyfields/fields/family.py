"""What the rest of the house may ask of a family and its config."""

from typing import Any, Literal, Protocol

from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields.field import Field


class FamilyConfig(Protocol):
    """What every family says of itself."""

    @property
    def space(self) -> Literal["latent", "rgb"]: ...
    @property
    def channels(self) -> int: ...
    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """Names of what each layer of a stored object holds, coarse first."""
        ...

    @property
    def coarse_levels(self) -> range:
        """Numbers of layers, but for all of them, that show an object."""
        ...

    @property
    def guide_side(self) -> int:
        """Cells along one side of the guide over an object's box; 0: samples are not guided."""
        ...


class FamilyNetwork(Protocol):
    """A family of fields, as shared parts need it; besides, it is a module."""

    @property
    def config(self) -> FamilyConfig: ...
    def field(self, codes: Any, level: Any = None, bounds: Float[Tensor, "B 2 3"] | None = None) -> Field:
        """The fields of objects, with only the first `level` layers of each code present (all when None)."""
        ...

    def hull(self, codes: Any, bounds: Float[Tensor, "B 2 3"], level: Any = None) -> UInt8[Tensor, "B G G G"] | None:
        """The cells of each object's box outside of which it has nothing; None where that is not known.

        Only asked where `guide_side` is not 0: there are that many cells a side.
        """
        ...
