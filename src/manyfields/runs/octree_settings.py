"""Settings of fits of octrees, beside those that every fit has."""

from dataclasses import dataclass
from typing import Literal

from manyfields.errors import ConfigError
from manyfields.fields import OctreeConfig
from manyfields.fields.octree_codes import MOST_BITS


@dataclass(frozen=True)
class OctreeSettings:
    """Sizes of octree fields, and how their features are learned. The sizes are the paper's."""

    first: int = 5
    last: int = 8
    """Levels with features: a level l divides the cube [-1, 1]^3 into 2^l voxels a side."""
    features: int = 16
    hidden: int = 128
    view_frequencies: int = 4
    density_gain: float = 15.0
    density: Literal["softplus", "relu"] = "softplus"
    bits: int | None = None
    """Of the index that each corner has into its level's codebook; None: features are stored as they are."""
    entropy: float = 0.0
    """Weight of the entropy of indices (in bits) in the loss; with more of it they take fewer bytes."""

    def __post_init__(self) -> None:
        if self.bits is not None and not 1 <= self.bits <= MOST_BITS:
            raise ConfigError(f"octree.bits {self.bits}: from 1 to {MOST_BITS}, or null for features without codebooks")
        if self.entropy < 0 or (self.entropy and self.bits is None):
            raise ConfigError(f"octree.entropy {self.entropy}: not below 0, and 0 without bits: it is that of indices")
        self.family()  # sizes without meaning are refused before anything is read

    def family(self) -> OctreeConfig:
        """The family's config."""
        return OctreeConfig(
            first=self.first,
            last=self.last,
            features=self.features,
            hidden=self.hidden,
            view_frequencies=self.view_frequencies,
            density_gain=self.density_gain,
            density=self.density,
        )
