"""Sizes of the family of mixtures of implicit functions, and what follows from them."""

from dataclasses import dataclass
from typing import Literal

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.mixture.siren import layer_sizes, numbers_of

Signal = Literal["scenes", "images", "voxels"]
SIGNALS: dict[str, tuple[int, int]] = {"scenes": (3, 4), "images": (2, 3), "voxels": (3, 1)}
"""Coordinates of a point, and values there: RGB and density, RGB, occupancy."""


@dataclass(frozen=True)
class _Subject:
    """What the networks of a mixture are of."""

    signal: Signal = "scenes"


@dataclass(frozen=True)
class MixtureSizes:
    """Sizes of any mixture. The defaults are the paper's for scenes: (L, W, M, H) = (4, 64, 256, 128)."""

    hidden_layers: int = 4
    """L: layers between the first and the last one."""
    width: int = 64
    """W: units of each."""
    bases: int = 256
    """M: networks that are averaged."""
    latent: int = 128
    """H: numbers of a latent vector; heeded where coefficients are projected from it."""
    coefficients: Literal["latent", "layers", "shared"] = "latent"
    """Projected from the code, one for each layer and base; the code itself, one for each layer and base; the code
    itself, one for each base. The paper's table 4."""
    code_spread: float = 1.0
    """Standard deviation of random codes."""
    start_spread: float = 0.5
    """Of M times the coefficients that random codes give, whose mean is 1."""
    w0: float = 30.0
    """What every layer's sums are multiplied with, before their sine: with more of it networks show finer things, and
    learn less surely."""


@dataclass(frozen=True)
class SceneSizes:
    """Sizes of mixtures of scenes alone."""

    density_gain: float = 25.0
    """Density is gain * (ELU(steepness * value - shift) + 1)."""
    density_steepness: float = 20.0
    """Of the network's value, see `density_gain`."""
    density_shift: float = 3.0
    """By so much is lowered what makes the density, see `density_gain`."""
    guide_side: int = 32
    """Cells along one side of the guide over an object's box; 0: samples are not guided."""


@dataclass(frozen=True)
class MixtureConfig(SceneSizes, MixtureSizes, _Subject):
    """The sizes of a family, and what follows from them.

    >>> MixtureConfig("images", hidden_layers=2, width=8, bases=4, latent=6).code_shapes()
    {'latent': (6,)}
    """

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.signal not in SIGNALS:
            raise ConfigError(f"signal {self.signal!r}: one of {', '.join(SIGNALS)}")
        if self.coefficients not in ("latent", "layers", "shared"):
            raise ConfigError(f"coefficients {self.coefficients!r}: latent, layers or shared")
        for name, least in (("width", 1), ("bases", 1), ("latent", 1), ("hidden_layers", 0), ("guide_side", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} {getattr(self, name)}: must be at least {least}")
        if min(self.code_spread, self.start_spread, self.w0, self.density_gain, self.density_steepness) <= 0:
            raise ConfigError("code_spread, start_spread, w0, density_gain and density_steepness: above 0")

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each of the L + 2 layers of a network."""
        inputs, outputs = SIGNALS[self.signal]
        return layer_sizes(inputs, self.width, self.hidden_layers, outputs)

    @property
    def network(self) -> int:
        """Numbers of the network of one instance: all that is needed to evaluate it."""
        return sum(numbers_of(size) for size in self.sizes)

    @property
    def learnable(self) -> int:
        """Numbers of the shared part that learn: bases and projection."""
        outputs = self.bases * len(self.sizes)
        projection = (self.latent + 1) * outputs if self.coefficients == "latent" else 0
        return self.bases * self.network + projection

    @property
    def code_size(self) -> int:
        """Numbers of one instance's code."""
        return {"latent": self.latent, "layers": self.bases * len(self.sizes), "shared": self.bases}[self.coefficients]

    def code_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of one object's code."""
        return {"latent": (self.code_size,)}

    @property
    def space(self) -> Literal["rgb"]:
        return "rgb"

    @property
    def channels(self) -> int:
        return 3

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """One layer: a latent vector is whole or not there."""
        return (("latent",),)

    @property
    def coarse_levels(self) -> range:
        return range(1, 1)
