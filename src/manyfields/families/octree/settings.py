"""Settings of fits of octrees, and their presets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from manyfields.errors import ConfigError
from manyfields.families.octree.codebooks.indices import IndexOptions
from manyfields.families.octree.field import OctreeConfig, OctreeSizes
from manyfields.families.octree.learning import FINER_RATE
from manyfields.fitting.phases import BACKGROUNDS, Phase
from manyfields.fitting.settings import FitSettings, values_of
from manyfields.rendering import Sampler

RAYS_OF_OCTREES = 4096


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


@dataclass(frozen=True)
class OctreeSettings(OctreeSizes, FitSettings):
    """Of a fit of octrees, each grown from the views of its object, and one small network for all of them."""

    family: ClassVar[str] = "octree"
    on_gpu: ClassVar[bool] = False
    preparation: ClassVar[str] = "growing octrees"

    preset: str = "octree"
    final_sampler: Sampler = Sampler(guided=32, supersampling=2)
    stage1: tuple[Phase, ...] = field(default_factory=octrees)
    stage2: tuple[Phase, ...] = field(default_factory=lambda: octrees(fields_rate=0.0))
    wave: int | None = 4
    finer_rate: float = FINER_RATE
    """Rate at which features of a level learn, as a share of that of the coarser one; 1 suits fine texture
    everywhere."""
    bits: int | None = None
    """Bits of each corner's index into a codebook of its level, 1 to 10; none: features are stored as they are."""
    entropy: float = 0.0
    """Weight of the entropy of indices (in bits) in the loss; with more of it they take fewer bytes."""
    gumbel: float = 0.0
    """Scale of the Gumbel noise by which indices are drawn while they learn; 0: none, the likeliest is taken."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.finer_rate <= 1:
            raise ConfigError(f"finer_rate {self.finer_rate}: above 0, and at most 1")
        if self.bits is None:
            for name in ("entropy", "gumbel"):
                if getattr(self, name):
                    raise ConfigError(f"{name} {getattr(self, name)}: 0 without bits, it is that of indices")
        self.indices()
        if (self.bits is not None) != any(phase.indices for phase in self.stage1):
            raise ConfigError(
                "bits and a phase with indices belong together: preset octree-vq with bits, octree without"
            )

    def indices(self) -> IndexOptions | None:
        """How indices learn; None: features do."""
        return None if self.bits is None else IndexOptions(self.bits, self.entropy, self.gumbel)

    def config(self, objects: int = 4) -> OctreeConfig:
        return OctreeConfig(**values_of(self, OctreeSizes))

    @classmethod
    def preset_of(cls, changes: Mapping[str, Any]) -> str:
        return "octree" if changes.get("bits") is None else "octree-vq"


PRESETS = {
    "octree": OctreeSettings(),
    "octree-vq": OctreeSettings(
        preset="octree-vq",
        bits=6,
        stage1=octrees(indices=True),
        stage2=octrees(indices=True, fields_rate=0.0),
    ),
}
