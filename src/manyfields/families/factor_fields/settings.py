"""Settings of fits of factor fields, beside those that every fit has, and their presets."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from manyfields.families.factor_fields.field import FactorConfig
from manyfields.families.factor_fields.fitter import FactorSchedule
from manyfields.families.factor_fields.grids import Wave
from manyfields.fitting.phases import Phase, grids_together
from manyfields.rendering import Sampler

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings


@dataclass(frozen=True)
class FactorSettings(FactorSchedule):
    """Sizes of factor fields, as in FactorConfig, and when empty cells are masked. The defaults are the authors'."""

    sides: tuple[int, ...] = FactorConfig.sides
    widths: tuple[int, ...] = FactorConfig.widths
    frequencies: tuple[float, ...] = FactorConfig.frequencies
    wave: Wave = "sawtooth"
    coefficients: int = FactorConfig.coefficients
    projection: int = FactorConfig.projection
    features: int = FactorConfig.features
    hidden: int = FactorConfig.hidden
    view_frequencies: int = FactorConfig.view_frequencies
    density_gain: float = FactorConfig.density_gain
    density_shift: float = FactorConfig.density_shift

    def __post_init__(self) -> None:
        super().__post_init__()
        self.family(1)  # sizes without meaning are refused before anything is read

    def family(self, cells: int) -> FactorConfig:
        """The family's config; `cells` along one side of alpha masks."""
        return FactorConfig(
            sides=self.sides,
            widths=self.widths,
            frequencies=self.frequencies,
            wave=self.wave,
            coefficients=self.coefficients,
            projection=self.projection,
            features=self.features,
            hidden=self.hidden,
            view_frequencies=self.view_frequencies,
            density_gain=self.density_gain,
            density_shift=self.density_shift,
            guide_side=cells,
        )


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
)


def factor_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name, on top of what is the same for all fits."""
    small = replace(
        base,
        preset="factor-fields",
        factor=SMALL,
        sampler=Sampler(guided=24, bins=64),
        final_sampler=Sampler(guided=32, bins=96),
        wave=1,
        stage1=factors(epochs=50, fields_rate=5e-3),
        stage2=factors(epochs=50, fields_rate=0.0),
    )
    paper = replace(factors()[0], steps=30_000, final_rate=0.1, backgrounds=0.0)
    many = Sampler(guided=128, bins=256)
    return {
        "factor-fields": small,
        "factor-fields-paper": replace(
            small,
            preset="factor-fields-paper",
            factor=FactorSettings(),
            sampler=many,
            final_sampler=many,
            stage1=(paper,),
            stage2=(replace(paper, fields_rate=0.0),),
        ),
    }


def factors(epochs: float = 50, fields_rate: float = 1e-3) -> tuple[Phase, ...]:
    """Basis grids and coefficients of each scene, and the networks, together: the authors' rates."""
    return (replace(grids_together(epochs, fields_rate)[0], name="factors"),)
