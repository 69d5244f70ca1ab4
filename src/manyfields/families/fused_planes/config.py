"""Sizes of the family of fused planes, and what follows from them."""

from dataclasses import dataclass
from typing import Literal

from manyfields._checks import POSITIVE, check_numbers
from manyfields.errors import ConfigError

HULL_LIMIT = 256
RESOLUTION_LIMIT = 2048
"""Texels along a side: kernels number the three planes' texels in float32, which is exact up to 2^24."""


@dataclass(frozen=True)
class FusedPlanesSizes:
    """Sizes of fused planes. The defaults are the paper's (K = 64, F_mic = 10, F_mac = 22)."""

    micro_features: int = 10
    """Features of an object's own planes (micro planes); 0: it has none."""
    macro_features: int = 22
    """Features of the planes that objects mix from base planes (macro planes); 0: there are none."""
    base_planes: int | None = None
    """M, planes that macro planes are mixed from; None: a quarter of the objects of stage 1, at most the paper's 50:
    base planes must not memorise objects."""
    resolution: int = 64
    """K, texels along one side of a plane."""
    hidden: int = 64
    """Units of the tiny decoder's hidden layer."""
    space: Literal["latent", "rgb"] = "latent"
    """What fields render: colours, or channels of a latent image."""
    weight_groups: int | None = None
    """Groups of macro features that are mixed by weights of their own: 1 is the paper's. More groups tell objects apart
    with more numbers and not one base plane more; None: as many as keep layer 0 within about a hundred bytes, because a
    few base planes with one weight each cannot tell objects apart."""
    density_gain: float = 15.0
    """Density is gain * softplus(x - 1): with the paper's 1, surfaces need many more steps to become opaque."""
    activation: Literal["relu", "softplus"] = "softplus"
    """Of the tiny decoder's hidden layer; softplus is the paper's."""
    span: Literal["cube", "box"] = "cube"
    """What the planes reach across: the cube [-1, 1]^3 (the paper), or each object's own box."""
    view_degree: int = 0
    """Degree of the spherical harmonics in which colours change with the direction: 0 (never, the paper), 1 or 2."""


@dataclass(frozen=True)
class FusedPlanesConfig(FusedPlanesSizes):
    """The sizes of a family: those of the settings of a fit, and what followed from its objects and views.

    >>> config = FusedPlanesConfig(micro_features=3, macro_features=5, base_planes=4, resolution=16)
    >>> config.layers, config.code_shapes()["micro"]
    ((('weights', 'bias'), ('micro',)), (3, 16, 16, 3))
    """

    base_planes: int = 50
    weight_groups: int = 1
    channels: int = 16
    """Of what fields render: 3 in RGB space, else those of the latent image."""
    hull: int = 0
    """Cells along one side of the hull in a code; 0: none."""

    def __post_init__(self) -> None:
        check_numbers(self, density_gain=POSITIVE)
        if self.space not in ("latent", "rgb"):
            raise ConfigError(f"space {self.space!r}: either 'latent' or 'rgb'")
        if min(self.hidden, self.channels) < 1 or self.base_planes < 0:
            raise ConfigError(
                f"hidden {self.hidden}, channels {self.channels}, base_planes {self.base_planes}: "
                "the first two must be above 0, the last not below"
            )
        if self.micro_features < 0 or self.macro_features < 0 or self.micro_features + self.macro_features == 0:
            raise ConfigError("a family needs micro or macro features: raise micro_features or macro_features above 0")
        if (self.macro_features > 0) != (self.base_planes > 0):
            raise ConfigError(
                f"macro_features {self.macro_features} and base_planes {self.base_planes}: both are 0, or neither is"
            )
        if self.weight_groups < 1 or self.macro_features % self.weight_groups:
            raise ConfigError(
                f"weight_groups {self.weight_groups} does not divide macro_features {self.macro_features}"
            )
        if self.activation not in ("relu", "softplus"):
            raise ConfigError(f"activation {self.activation!r}: either 'relu' or 'softplus'")
        if self.span not in ("cube", "box"):
            raise ConfigError(f"span {self.span!r}: either 'cube' or 'box'")
        if not 0 <= self.hull <= HULL_LIMIT:
            raise ConfigError(f"hull {self.hull}: from 0 to {HULL_LIMIT} cells a side")
        if self.view_degree not in (0, 1, 2):
            raise ConfigError(f"view_degree {self.view_degree}: 0, 1 or 2")
        if not 2 <= self.resolution <= RESOLUTION_LIMIT:
            raise ConfigError(f"resolution {self.resolution}: planes have from 2 to {RESOLUTION_LIMIT} samples a side")
        if self.space == "rgb" and self.channels != 3:
            raise ConfigError(f"space 'rgb' has 3 channels, not {self.channels}")

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """Names of the code's tensors, by layer of the stored object, coarse first."""
        macro = (("weights", "bias"),) if self.macro_features else ()
        hull = (("hull",),) if self.hull else ()
        micro = (("micro",),) if self.micro_features else ()
        return macro + hull + micro

    @property
    def coarse_levels(self) -> range:
        """Numbers of layers, but for all of them, that show an object: without macro planes, what comes before micro
        planes is a shape without a look."""
        return range(1, len(self.layers) if self.macro_features else 1)

    @property
    def guide_side(self) -> int:
        """Cells along one side of the guide over an object's box; 0: samples are not guided."""
        return self.hull

    def code_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of one object's code."""
        shapes: dict[str, tuple[int, ...]] = {}
        if self.macro_features:
            shapes |= {"weights": (self.base_planes * self.weight_groups,), "bias": (1,)}
        if self.hull:
            shapes |= {"hull": (self.hull,) * 3}
        if self.micro_features:
            shapes |= {"micro": (3, self.resolution, self.resolution, self.micro_features)}
        return shapes
