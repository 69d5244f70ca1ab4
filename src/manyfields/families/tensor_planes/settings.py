"""Settings of fits of tensor fields, and their presets."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.field import TensorConfig, TensorSizes
from manyfields.families.tensor_planes.schedule import TensorSchedule
from manyfields.fitting.phases import Phase, grids_together
from manyfields.fitting.settings import FitSettings, check_one_phase, values_of
from manyfields.rendering import Sampler

GUIDE_SIDE = 64  # cells of alpha masks, where there are no hulls


@dataclass(frozen=True)
class TensorSettings(TensorSizes, TensorSchedule, FitSettings):
    """Of a fit of tensor fields: planes and vectors of each scene, and one small network. Defaults are TensoRF's."""

    family: ClassVar[str] = "tensorf"
    on_gpu: ClassVar[bool] = False

    preset: str = "tensorf"
    sampler: Sampler = Sampler(guided=24, bins=64)
    final_sampler: Sampler = Sampler(guided=32, bins=96)
    stage1: tuple[Phase, ...] = field(default_factory=grids_together)
    stage2: tuple[Phase, ...] = field(default_factory=lambda: grids_together(fields_rate=0.0))
    wave: int | None = 1
    scene: Literal["bounded", "forward"] = "bounded"
    """Forward-facing scenes fill a cube of normalised device coordinates, from a near plane to infinity."""

    def __post_init__(self) -> None:
        TensorSchedule.__post_init__(self)
        FitSettings.__post_init__(self)
        if self.scene not in ("bounded", "forward"):
            raise ConfigError(f"scene {self.scene!r}: either 'bounded' or 'forward'")
        check_one_phase(self)

    def config(self, objects: int = 4) -> TensorConfig:
        return TensorConfig(**values_of(self, TensorSizes), guide_side=self.hull or GUIDE_SIDE)


# Masks come late: after a tenth of so few steps fields are still empty in places where they will not be.
SMALL = TensorSettings(
    hidden=64,
    first=64,
    last=128,
    upsample_at=(0.1, 0.2, 0.3),
    mask_at=(0.4, 0.7),
)
PAPER = replace(grids_together()[0], steps=30_000, final_rate=0.1, backgrounds=0.0)
MANY = Sampler(guided=128, bins=256)
PRESETS = {
    "tensorf": SMALL,
    "tensorf-cp": replace(
        SMALL, preset="tensorf-cp", kind="cp", density_components=96, appearance_components=288, last=256
    ),
    "tensorf-paper": TensorSettings(
        preset="tensorf-paper",
        sampler=MANY,
        final_sampler=MANY,
        stage1=(PAPER,),
        stage2=(replace(PAPER, fields_rate=0.0),),
    ),
}
