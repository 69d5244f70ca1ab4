"""Factor fields (Chen et al. 2023): density and colour from basis grids that repeat in space, times coefficients.

    g       = MLP(coefficients(x) * bases(x))
    density = gain * softplus(g_0 - shift)
    colour  = sigmoid(MLP(f, encoding(f), direction, encoding(direction))),   f = g_1, g_2, ...

DiF-Grid, the field that Neural NeRF Compression (2024) codes beside TensoRF (its table 7).
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.grids import KINDS, FactorCodes, FactorGrids, Wave
from manyfields.families.factor_fields.products import factor_products
from manyfields.fields.axes import resolution_of
from manyfields.fields.scenes import SceneConfig, SceneFamily, SceneField

LONGEST = 512  # of a side of basis grids, and of coefficients
MOST_LEVELS = 16


@dataclass(frozen=True)
class FactorSizes:
    """Sizes of factor fields. The defaults are what the authors' configuration for one scene comes to.

    Theirs names sides of 32, 51, 70, 89, 108 and 128 texels and frequencies of 2 to 8, and scales both to 5.3 million
    numbers in all and to 768 texels along the box.

    >>> config = FactorConfig(sides=(4, 6), widths=(2, 2), frequencies=(2.0, 3.0), coefficients=8)
    >>> config.layers
    (('grids',),)
    """

    sides: tuple[int, ...] = (25, 40, 54, 69, 84, 99)
    """Texels along the basis grid of each level."""
    widths: tuple[int, ...] = (4, 4, 4, 2, 2, 2)
    """Channels of each."""
    frequencies: tuple[float, ...] = (1.94, 3.1, 4.27, 5.43, 6.59, 7.76)
    """How many times each fits into the longest side of the box."""
    coefficients: int = 32
    """Texels of the coefficients along one side of a cube; boxes get as many in all, equally far apart."""
    projection: int = 64
    """Hidden units of the network between products and what density and colours are made of."""
    features: int = 31
    """Numbers that the network of colours gets of a place."""
    hidden: int = 128
    """Units of each of that network's two hidden layers."""
    feature_frequencies: int = 2
    """Octaves of sines and cosines of the features that it gets."""
    view_frequencies: int = 6
    """Octaves of sines and cosines of the direction that it gets."""
    density_gain: float = 25.0
    """Density is gain * softplus(x - shift): with less of it surfaces need more steps to become opaque."""
    density_shift: float = 10.0
    """By so much is lowered what makes the density, which starts near 0."""


@dataclass(frozen=True)
class FactorConfig(FactorSizes, SceneConfig):
    """The sizes of a family, how its bases repeat, and how fine its alpha masks are.

    >>> config = FactorConfig(sides=(4, 6), widths=(2, 2), frequencies=(2.0, 3.0), coefficients=8)
    >>> config.layers
    (('grids',),)
    """

    wave: Wave = "sawtooth"
    """How basis grids repeat in space."""
    guide_side: int = 64
    """Cells along one side of the alpha mask over the box of a scene."""

    def __post_init__(self) -> None:
        check_numbers(self)
        for name in ("sides", "widths", "frequencies"):  # JSON has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not len(self.sides) == len(self.widths) == len(self.frequencies) or not 1 <= len(self.sides) <= MOST_LEVELS:
            raise ConfigError("sides, widths and frequencies: one of each for every level, of which there are 1 to 16")
        if not all(2 <= side <= LONGEST for side in (*self.sides, self.coefficients)):
            raise ConfigError(f"sides {self.sides}, coefficients {self.coefficients}: from 2 to {LONGEST} texels")
        if min(self.widths) < 1 or min(self.frequencies) <= 0:
            raise ConfigError(f"widths {self.widths}, frequencies {self.frequencies}: must be above 0")
        if self.wave not in KINDS:
            raise ConfigError(f"wave {self.wave!r}: either 'sawtooth' or 'triangle'")
        for name in ("projection", "features", "hidden", "guide_side"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be above 0")
        if min(self.feature_frequencies, self.view_frequencies) < 0 or self.density_gain <= 0:
            raise ConfigError("feature_frequencies and view_frequencies: not below 0; density_gain: above 0")


class FactorFamily(SceneFamily):
    """The shared part of the family: from products to density, and with directions to colour.

    >>> family = FactorFamily(FactorConfig(sides=(4, 6), widths=(2, 2), frequencies=(2.0, 3.0), coefficients=8))
    >>> grids = family.new_grids(torch.tensor([[-1.0, -1, -1], [1, 1, 1]]))
    >>> family.field(grids.codes())(torch.zeros(1, 5, 3), torch.ones(1, 5, 3)).channels.shape
    torch.Size([1, 5, 3])
    """

    projection: nn.Linear
    projected: nn.Linear

    def __init__(self, config: FactorConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(
            config,
            generator,
            projection=nn.Linear(sum(config.widths), config.projection),
            projected=nn.Linear(config.projection, 1 + config.features, bias=False),
        )

    def new_grids(self, box: Float[Tensor, "2 3"], generator: torch.Generator | None = None) -> FactorGrids:
        """Random grids of one scene; all of its box may hold something."""
        config = cast(FactorConfig, self.config)
        resolution = resolution_of(box, config.coefficients)
        return FactorGrids.random(box, config.sides, config.widths, resolution, config.guide_side, generator)

    def field(
        self, codes: FactorCodes, level: int | None = None, bounds: Float[Tensor, "B 2 3"] | None = None
    ) -> "FactorField":
        """The fields of scenes. Grids fill boxes of their own, whatever the `bounds` are; there is one level."""
        return FactorField(self, codes.grids)


class FactorField(SceneField):
    """Fields of B scenes.

    >>> family = FactorFamily(FactorConfig(sides=(4, 6), widths=(2, 2), frequencies=(2.0, 3.0), coefficients=8))
    >>> grids = family.new_grids(torch.tensor([[-1.0, -1, -1], [1, 1, 1]]))
    >>> FactorField(family, [grids]).density(torch.tensor([[[0.0, 0, 0], [2, 0, 0]]])).shape
    torch.Size([1, 2])
    """

    def raised(self, grids: FactorGrids, places: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        return functional.linear(self._hidden(grids, places), self.family.projected.weight[:1]).squeeze(-1)

    def features(self, family: FactorFamily, grids: FactorGrids, places: Float[Tensor, "N 3"]) -> Float[Tensor, "N F"]:
        return functional.linear(self._hidden(grids, places), self.family.projected.weight[1:])

    def _hidden(self, grids: FactorGrids, places: Float[Tensor, "N 3"]) -> Float[Tensor, "N P"]:
        config = self.family.config
        found = factor_products(grids, places, config.frequencies, config.wave)
        return functional.relu(self.family.projection(found))
