"""Settings of fits of octrees, beside those that every fit has, and their presets."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.octree.codebooks.indices import IndexOptions
from manyfields.families.octree.field import OctreeConfig
from manyfields.families.octree.learning import FINER_RATE
from manyfields.fitting.phases import BACKGROUNDS, Phase
from manyfields.rendering import Sampler

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings

RAYS_OF_OCTREES = 4096


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


def octrees(indices: bool = False, fields_rate: float = 2e-3) -> tuple[Phase, ...]:
    """Features of each object, and the network that all share; then, if wanted, indices in the place of features.

    Both take the same steps, and their rates decay alike. Indices that start from features by k-means, one level after
    the other, end nearer to the features than those of all levels at once.
    """
    features = Phase("features", epochs=20, rgb=1.0, smoothness=0.0, codes_rate=0.03, fields_rate=fields_rate)
    features = replace(features, rays_per_object=RAYS_OF_OCTREES, objects_per_step=1, final_rate=0.05, coarse_share=0.0)
    features = replace(features, backgrounds=BACKGROUNDS)
    if not indices:
        return (features,)
    before = features.final_rate**0.3
    first = replace(features, epochs=6, final_rate=before)
    then = replace(first, name="indices", epochs=14, final_rate=features.final_rate / before, indices=True)
    return first, replace(then, codes_rate=before * features.codes_rate, fields_rate=before * fields_rate)
