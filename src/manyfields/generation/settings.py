"""How a prior is learned."""

from dataclasses import dataclass

from manyfields._checks import SEED, check_numbers
from manyfields.errors import ConfigError


@dataclass(frozen=True)
class PriorSettings:
    """Sizes are for CPUs; the paper's denoiser has width 4096 and 4 blocks, learned with batches of 32.

    >>> PriorSettings(steps=100, width=64).blocks
    4
    """

    level: int | None = None
    """Layers of an object that are drawn: 1 is weights alone (with shape and box); None: all."""
    rank: int = 256
    """Coordinates of an object, at most."""
    width: int = 512
    blocks: int = 4
    steps: int = 3000
    batch: int = 64
    rate: float = 5e-4
    """Of Adam; it falls to 0 by a cosine."""
    average: float = 0.99
    """Decay of the moving average of the network, which samples are drawn with."""
    parents: int = 3
    """Objects that are mixed to one while learning: an object, and others of its class; 1: objects as they are."""
    evenness: int = 2
    """How even the shares of parents are: concentration of a Dirichlet distribution. 1: any shares are as likely."""
    neighbours: int = 8
    """Nearest others that parents are drawn from."""
    exchange: float = 1.0
    """Share of objects that learn with coordinates of another object's group of parts, such as its box."""
    unlabelled: float = 0.1
    """Share of objects whose class is not told, for guidance."""
    held_out: float = 0.0
    """Share of groups that the prior never sees."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(self, seed=SEED)
        sizes = self.rank, self.width, self.blocks, self.steps, self.batch, self.neighbours, self.parents, self.evenness
        if min(sizes) < 1:
            raise ConfigError(
                "a prior needs rank, width, blocks, steps, batch, neighbours, parents and evenness of at least 1"
            )
        for name, most in (
            ("exchange", 1.0),
            ("unlabelled", 1.0),
            ("held_out", 0.9),
            ("average", 0.99999),
        ):
            if not 0.0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} {getattr(self, name)}: from 0 to {most:g}")
        if not self.rate > 0:
            raise ConfigError(f"rate {self.rate}: above 0")
