"""Settings of fits of factor fields, and their presets."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from manyfields.families.factor_fields.field import FactorConfig, FactorSizes
from manyfields.families.factor_fields.fitter import FactorSchedule
from manyfields.families.factor_fields.grids import Wave
from manyfields.fitting.phases import Phase, grids_together
from manyfields.fitting.settings import FitSettings, check_one_phase, values_of
from manyfields.rendering import Sampler

GUIDE_SIDE = 64  # cells of alpha masks, where there are no hulls


def factors(epochs: float = 50, fields_rate: float = 1e-3) -> tuple[Phase, ...]:
    """Basis grids and coefficients of each scene, and the networks, together: the authors' rates."""
    return (replace(grids_together(epochs, fields_rate)[0], name="factors"),)


@dataclass(frozen=True)
class FactorSettings(FactorSizes, FactorSchedule, FitSettings):
    """Of a fit of factor fields: basis grids and coefficients of each scene, and small networks. The defaults are the
    authors'."""

    family: ClassVar[str] = "factor-fields"
    on_gpu: ClassVar[bool] = False

    preset: str = "factor-fields"
    sampler: Sampler = Sampler(guided=24, bins=64)
    final_sampler: Sampler = Sampler(guided=32, bins=96)
    stage1: tuple[Phase, ...] = field(default_factory=factors)
    stage2: tuple[Phase, ...] = field(default_factory=lambda: factors(fields_rate=0.0))
    wave: int | None = 1
    waveform: Wave = "sawtooth"
    """How basis grids repeat in space: sawtooth, or triangle (each second time mirrored)."""

    def __post_init__(self) -> None:
        FactorSchedule.__post_init__(self)
        FitSettings.__post_init__(self)
        check_one_phase(self)

    def config(self, objects: int = 4) -> FactorConfig:
        return FactorConfig(**values_of(self, FactorSizes), wave=self.waveform, guide_side=self.hull or GUIDE_SIDE)


# Masks come late, as those of tensor fields: after a tenth of so few steps fields are still empty in places where they
# will not be. From a shift of 10 the network would take most of the steps to lift densities.
SMALL = FactorSettings(
    mask_at=(0.4, 0.7),
    sides=(16, 22, 28, 34, 40, 46),
    frequencies=(1.94, 2.6, 3.3, 4.0, 4.6, 5.3),
    coefficients=24,
    features=27,
    hidden=64,
    view_frequencies=2,
    density_shift=5.0,
    stage1=factors(fields_rate=5e-3),
)
PAPER = replace(factors()[0], steps=30_000, final_rate=0.1, backgrounds=0.0)
MANY = Sampler(guided=128, bins=256)
PRESETS = {
    "factor-fields": SMALL,
    "factor-fields-paper": FactorSettings(
        preset="factor-fields-paper",
        sampler=MANY,
        final_sampler=MANY,
        stage1=(PAPER,),
        stage2=(replace(PAPER, fields_rate=0.0),),
    ),
}
