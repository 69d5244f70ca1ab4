"""How the latents of a set are learned."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from manyfields._checks import NATURAL, check_annotated, check_numbers
from manyfields.compression.latent_pyramid import LEVELS
from manyfields.errors import ConfigError


@dataclass(frozen=True)
class SetSettings:
    """Transform coding of fused planes, with one codec for a set."""

    price: Annotated[float, tyro.conf.arg(name="lambda"), NATURAL] = 0.08
    """What a thousand bytes are worth, as a share of the error that an object had before. More: smaller and worse."""
    steps: Annotated[int, NATURAL] = 400
    """Of an object's latents, against the codec."""
    visits: int = 150
    """Of each object that the codec learns from."""
    levels: int = 4
    """Of the pyramid; runs take fewer for planes that are too small for so many."""
    coarse_every: int = 20
    """One in so many steps renders all levels but the finest, which are a layer of their own; 0: none does."""
    rays: int = 2048
    """Of a step."""
    rate: float = 0.1
    """Of latents, in their units."""
    pyramid_rate: float = 0.001
    """Of the pyramid's mixes and kernels."""
    last_rate: float = 0.02
    """Share of the rates that is left at the end, after linear decay."""

    def __post_init__(self) -> None:
        check_annotated(self)
        check_numbers(self)
        if self.visits < 1 or self.rays < 1:
            raise ConfigError(f"visits {self.visits}, rays {self.rays}: at least 1")
        if self.levels not in LEVELS:
            raise ConfigError(f"levels {self.levels}: from {LEVELS[0]} to {LEVELS[-1]}")
        if self.coarse_every < 0:
            raise ConfigError(f"coarse_every {self.coarse_every}: not below 0")
        if min(self.rate, self.pyramid_rate, self.last_rate) <= 0:
            raise ConfigError("rates must be above 0")

    def decay(self, step: int, steps: int) -> float:
        return max(1.0 - step / steps, self.last_rate)
