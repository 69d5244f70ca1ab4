"""How a scene becomes a pyramid of latents."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from manyfields._checks import NATURAL, check_annotated, check_numbers
from manyfields.compression.latent_pyramid import LEVELS
from manyfields.errors import ConfigError


@dataclass(frozen=True)
class PyramidSettings:
    """Tensor planes by a pyramid of latents, in steps that suit what training views are sensitive to; takes seconds.

    The defaults are what held up best on one scene; docs/how/codecs.md has what was tried.
    """

    price: Annotated[float, tyro.conf.arg(name="lambda"), NATURAL] = 0.012
    """The step of latents: half of it is the largest error, in colours of a ray, for an error at all texels of a plane.
    More: smaller and worse."""
    levels: int = 3
    """Of the pyramid."""
    draws: int = 32
    """Of rays, to tell what pictures are sensitive to."""
    rays: int = 2048
    """Of a draw."""
    rounding: float = 0.45
    """Latents are rounded up from 1 less this on: 0.5 is to the nearest; less makes more of them 0."""
    gain_power: float = 0.25
    """Steps are finer where texels are more sensitive, by this power of it. 0: alike everywhere."""
    classes: int = 24
    """Of contexts with a table of their own."""
    vector_share: float = 0.12
    """Steps of vectors, in their root mean square."""
    network_share: float = 0.1
    """Likewise of a network that is stored with the scene."""
    own_network: Annotated[bool, tyro.conf.Suppress] = False
    """The scene's bytes hold the network, too."""

    def __post_init__(self) -> None:
        check_annotated(self)
        check_numbers(self)
        if min(self.price, self.vector_share, self.network_share) <= 0:
            raise ConfigError(f"step {self.price}: it and the shares of vectors and network must be above 0")
        if self.levels not in LEVELS:
            raise ConfigError(f"levels {self.levels}: from {LEVELS[0]} to {LEVELS[-1]}")
        if self.draws < 1 or self.rays < 1 or not 1 <= self.classes <= 255:
            raise ConfigError(
                f"draws {self.draws}, rays {self.rays}, classes {self.classes}: 1 or more, classes to 255"
            )
        if not 0.0 < self.rounding <= 0.5 or not 0.0 <= self.gain_power <= 0.5:
            raise ConfigError(f"rounding {self.rounding}, gain_power {self.gain_power}: up to 0.5, and not below 0")
