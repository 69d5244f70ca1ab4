"""Settings of fits of fused planes, and their presets: the variants of the paper's tables."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from manyfields.errors import ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig, FusedPlanesSizes
from manyfields.families.fused_planes.phases import (
    latent_stage1,
    latent_stage2,
    micro_alone,
    rays_stage1,
    rays_stage2,
    rays_together,
)
from manyfields.fitting.phases import Phase
from manyfields.fitting.settings import StagedSettings, values_of
from manyfields.latents import load_autoencoder
from manyfields.rendering import Sampler

WEIGHTS = 66
"""Numbers in layer 0 that groups of weights may fill."""
MOST_PLANES = 50
"""Base planes, where nothing else is asked for: the paper's M."""


@dataclass(frozen=True)
class FusedPlanesSettings(FusedPlanesSizes, StagedSettings):
    """Of a fit of fused planes.

    The defaults are the fused planes of the paper in RGB space, with planes that span each object's box and samples
    guided by its hull: why, and by how much, is in docs/results/quality.md. The preset `latent` is the paper's own.
    """

    family: ClassVar[str] = "fused-planes"

    preset: str = "fused-planes"
    space: Literal["latent", "rgb"] = "rgb"
    activation: Literal["relu", "softplus"] = "relu"
    span: Literal["cube", "box"] = "box"
    view_degree: int = 2
    stage1: tuple[Phase, ...] = field(default_factory=rays_stage1)
    stage2: tuple[Phase, ...] = field(default_factory=rays_stage2)
    policy: Literal["joint", "frozen"] = "frozen"
    """In stage 2: fine-tune what objects share as in the paper (joint), or fit codes alone (frozen)."""
    start: Literal["average", "hull"] = "average"
    """Where weights of a new object start: at their average, or where the object's coloured hull puts them
    (`fused_planes.start_from_hull`), which saves a few steps and takes as long as they do."""
    autoencoder: str = "compact"
    """Latent space of the preset latent: compact (in the package), taesd, sd, or a path of weights."""

    def __post_init__(self) -> None:
        if self.policy not in ("joint", "frozen"):
            raise ConfigError(f"policy {self.policy!r}: joint or frozen")
        if self.start not in ("average", "hull"):
            raise ConfigError(f"start {self.start!r}: average or hull")
        if self.start == "hull" and not (self.hull and self.macro_features and self.activation == "relu"):
            raise ConfigError("start 'hull' needs hulls, macro features and ReLU: set start to 'average'")
        if self.hull and self.space == "latent":
            raise ConfigError("hull: a latent pixel sees beyond the silhouette; set hull to 0 in latent space")
        super().__post_init__()

    def config(self, objects: int = 4, channels: int | None = None) -> FusedPlanesConfig:
        """The family's config, for so many objects of stage 1, and channels of the latent space where it has one."""
        if channels is None:
            channels = 3 if self.space == "rgb" else 16
        planes = self.base_planes
        if planes is None:
            planes = min(MOST_PLANES, max(1, objects // 4)) if self.macro_features else 0
        sizes = {**values_of(self, FusedPlanesSizes), "base_planes": planes, "weight_groups": self._groups(planes)}
        return FusedPlanesConfig(**sizes, channels=channels, hull=self.hull)

    def code_shapes(self, objects: int) -> dict[str, tuple[int, ...]]:
        return self.config(objects).code_shapes()

    @property
    def stride(self) -> int:
        return 1 if self.space == "rgb" else load_autoencoder(self.autoencoder).stride

    def _groups(self, planes: int) -> int:
        if not self.macro_features:
            return 1
        if self.weight_groups is not None:
            return self.weight_groups
        fitting = [
            n for n in range(1, self.macro_features + 1) if self.macro_features % n == 0 and n * planes <= WEIGHTS
        ]
        return max(fitting, default=1)


BASE = FusedPlanesSettings()
LATENT = replace(
    BASE,
    preset="latent",
    space="latent",
    weight_groups=1,
    activation="softplus",
    span="cube",
    hull=0,
    view_degree=0,
    sampler=Sampler(16, 16),
    final_sampler=Sampler(32, 32),
    stage1=latent_stage1(),
    stage2=latent_stage2(),
)
# Nothing of the code is frozen beside these micro planes: they learn at the rate that such planes learned best at.
ALL_MICRO = replace(
    BASE,
    preset="micro-only",
    micro_features=32,
    macro_features=0,
    base_planes=0,
    stage1=(rays_together(epochs=20),),
    stage2=(micro_alone(epochs=24, rate=0.05),),
)
TRI_PLANES = replace(
    ALL_MICRO,
    preset="tri-planes",
    activation="softplus",
    span="cube",
    hull=0,
    view_degree=0,
    sampler=Sampler(32, 32),
    final_sampler=Sampler(48, 48),
)
_weights, _micro = rays_stage2()
ALL_MACRO = replace(
    BASE,
    preset="macro-only",
    micro_features=0,
    macro_features=32,
    base_planes=50,
    stage1=(rays_together(epochs=20),),
    stage2=(replace(_weights, epochs=_micro.epochs, final_rate=_micro.final_rate),),
)
PRESETS = {
    "fused-planes": BASE,
    "latent": LATENT,
    "tri-planes": TRI_PLANES,
    "micro-only": ALL_MICRO,
    "macro-only": ALL_MACRO,
    **{f"m{count}": replace(BASE, preset=f"m{count}", base_planes=count, weight_groups=1) for count in (1, 25, 50, 75)},
}
