"""Settings of fits of octrees, beside those that every fit has, and their presets."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.fields import OctreeConfig
from manyfields.fitting.level_indices import IndexOptions
from manyfields.fitting.octree_learning import FINER_RATE
from manyfields.rendering import Sampler
from manyfields.runs.schedules import octrees

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings


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
    finer_rate: float = FINER_RATE
    """Of the rate at which features of a level learn, to that of the coarser one; 1 suits fine texture everywhere."""
    bits: int | None = None
    """Of the index that each corner has into its level's codebook; None: features are stored as they are."""
    entropy: float = 0.0
    """Weight of the entropy of indices (in bits) in the loss; with more of it they take fewer bytes."""
    gumbel: float = 0.0
    """Scale of the Gumbel noise by which indices are drawn while they learn; 0: none, the likeliest is taken."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 0 < self.finer_rate <= 1:
            raise ConfigError(f"octree.finer_rate {self.finer_rate}: above 0, and at most 1")
        if self.bits is None:
            for name in ("entropy", "gumbel"):
                if getattr(self, name):
                    raise ConfigError(f"octree.{name} {getattr(self, name)}: 0 without bits, it is that of indices")
        try:
            self.indices()
        except ConfigError as error:
            raise ConfigError(f"octree.{error}") from error
        self.family()  # sizes without meaning are refused before anything is read

    def indices(self) -> IndexOptions | None:
        """How indices learn; None: features do."""
        return None if self.bits is None else IndexOptions(self.bits, self.entropy, self.gumbel)

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


def octree_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name, on top of what is the same for all fits."""
    octree = replace(
        base,
        preset="octree",
        octree=OctreeSettings(),
        final_sampler=Sampler(guided=32, supersampling=2),
        wave=4,
        stage1=octrees(),
        stage2=octrees(fields_rate=0.0),
    )
    return {
        "octree": octree,
        "octree-vq": replace(
            octree,
            preset="octree-vq",
            octree=OctreeSettings(bits=6),
            stage1=octrees(indices=True),
            stage2=octrees(indices=True, fields_rate=0.0),
        ),
    }
