"""Settings of fits of mixtures: of scenes, of images and of voxels."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, TypeVar, cast, get_args

from manyfields.errors import ConfigError
from manyfields.families.mixture.adaptation import AdaptationSettings, Way
from manyfields.families.mixture.config import MixtureConfig, MixtureSizes, SceneSizes
from manyfields.families.mixture.phases import instances, mixtures
from manyfields.fitting.phases import Phase
from manyfields.fitting.settings import StagedSettings, values_of

UNSEEN = 0.1  # share of the instances that stage 1 leaves alone, where nothing else is asked for
SPREAD = 0.01  # of vectors that inner steps start from
PRINCIPAL_SPREAD = 0.1


@dataclass(frozen=True)
class MixtureSettings(MixtureSizes, StagedSettings):
    """What fits of scenes, images and voxels have in common."""

    def config(self, objects: int = 4) -> MixtureConfig:
        return MixtureConfig(**values_of(self, MixtureSizes), signal=self.source)

    def code_shapes(self, objects: int) -> dict[str, tuple[int, ...]]:
        return self.config(objects).code_shapes()


@dataclass(frozen=True)
class SceneMixtureSettings(SceneSizes, MixtureSettings):
    """Of a fit of scenes: objects are averages of networks that all share. The sizes are the paper's."""

    family: ClassVar[str] = "mixture"

    preset: str = "mixture"
    stage1: tuple[Phase, ...] = field(default_factory=lambda: mixtures(epochs=60))
    stage2: tuple[Phase, ...] = field(default_factory=lambda: mixtures(epochs=60, shared=False))
    policy: Literal["joint", "frozen"] = "frozen"
    """In stage 2: fine-tune what objects share (joint), or fit latent vectors alone (frozen)."""
    start: Literal["average", "principal"] = "average"
    """Where latent vectors of stage 1 start: at random, about their average, or at the principal components of coloured
    hulls."""

    def __post_init__(self) -> None:
        if self.policy not in ("joint", "frozen"):
            raise ConfigError(f"policy {self.policy!r}: joint or frozen")
        if self.start not in ("average", "principal"):
            raise ConfigError(f"start {self.start!r}: average or principal")
        if self.start == "principal" and not (self.guide_side and self.hull):
            raise ConfigError("start 'principal' needs hulls and guides: set start to 'average'")
        super().__post_init__()

    def config(self, objects: int = 4) -> MixtureConfig:
        return MixtureConfig(**values_of(self, MixtureSizes), **values_of(self, SceneSizes))


@dataclass(frozen=True)
class InstanceSettings(AdaptationSettings, MixtureSettings):
    """Of a fit of images or voxels. How instances get their latent vectors is the paper's, if not given."""

    hull: int = 0
    stage1: tuple[Phase, ...] = field(default_factory=lambda: instances(60))
    stage2: tuple[Phase, ...] = field(default_factory=lambda: instances(150, False))
    wave: int | None = 256
    start_spread: float = SPREAD
    """Standard deviation of the random vectors that inner steps start from, and of M times the coefficients that these
    give: one number, so that T starts with rows of length 1, for which a rate of 1 is neither idle nor unstable. With
    `principal`, whose vectors have a mean square of 1, of M times the coefficients alone: all networks start alike."""

    def __post_init__(self) -> None:
        AdaptationSettings.__post_init__(self)
        MixtureSettings.__post_init__(self)

    def config(self, objects: int = 4) -> MixtureConfig:
        # Codes start close together where inner steps set them apart.
        spread = self.start_spread if self.meta else self.code_spread
        return replace(super().config(objects), code_spread=spread)

    def stage1_size(self, objects: int) -> int:
        return self.stage1_objects or max(1, round((1.0 - UNSEEN) * objects))

    def following(self, changes: Mapping[str, Any]) -> Self:
        if changes.get("adaptation") not in get_args(Way) or changes["adaptation"] == self.adaptation:
            return self
        way = cast(Way, changes["adaptation"])
        # The presets of papers say themselves how they learn.
        return suited(self, way) if self.preset == self.family else replace(self, start_spread=spread_of(way))


@dataclass(frozen=True)
class ImageSettings(InstanceSettings):
    """Of a fit of images."""

    family: ClassVar[str] = "mixture-images"
    source: ClassVar[Literal["scenes", "images", "voxels"]] = "images"

    preset: str = "mixture-images"


@dataclass(frozen=True)
class VoxelSettings(InstanceSettings):
    """Of a fit of meshes, as voxels that are inside or outside."""

    family: ClassVar[str] = "mixture-voxels"
    source: ClassVar[Literal["scenes", "images", "voxels"]] = "voxels"

    preset: str = "mixture-voxels"


def spread_of(way: Way) -> float:
    """How far apart what latent vectors make starts, where it was not tuned: vectors that are kept start as scenes'."""
    return MixtureSizes.start_spread if way == "auto-decoding" else SPREAD


InstancesT = TypeVar("InstancesT", bound=InstanceSettings)


def suited(settings: InstancesT, way: Way) -> InstancesT:
    """Settings of images or voxels for a way of adaptation: how far apart vectors start, what learns how fast."""
    plain = AdaptationSettings()
    settings = replace(
        settings, inner_steps=plain.inner_steps, inner_rate=plain.inner_rate, stored_steps=plain.stored_steps
    )
    learn, refine = instances(settings.stage1[0].epochs), instances(150, False)
    if way != "principal":
        spread = spread_of(way)
        return replace(settings, stage1=learn, stage2=refine, adaptation=way, refine=True, start_spread=spread)
    # Vectors that mean something from the first step on bear higher rates of the bases than random ones do.
    faster = replace(learn[0], objects_per_step=32, base_rate=5e-4, fields_rate=2e-4, codes_rate=1e-3, final_rate=0.05)
    return replace(
        settings,
        stage1=(faster,),
        stage2=(replace(refine[0], epochs=1000, codes_rate=0.2),),
        adaptation="principal",
        refine=False,
        start_spread=PRINCIPAL_SPREAD,
    )
