"""Settings of fits of tensor fields, beside those that every fit has."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import Kind
from manyfields.families.tensor_planes.schedule import TensorSchedule
from manyfields.fitting.phases import grids_together
from manyfields.rendering import Sampler


@dataclass(frozen=True)
class TensorSettings(TensorSchedule):
    """Sizes of tensor fields, and the schedule that they are fitted by. The defaults are TensoRF's VM-192."""

    kind: Kind = "vm"
    density_components: int = 16
    appearance_components: int = 48
    """Of each of the three pairs; of CP: in all."""
    features: int = 27
    hidden: int = 128
    density_gain: float = 25.0
    scene: Literal["bounded", "forward"] = "bounded"
    """Forward-facing scenes fill a cube of normalised device coordinates, from a near plane to infinity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scene not in ("bounded", "forward"):
            raise ConfigError(f"scene {self.scene!r}: either 'bounded' or 'forward'")
        self.family(1)  # sizes without meaning are refused before anything is read

    def family(self, cells: int) -> TensorConfig:
        """The family's config; `cells` along one side of alpha masks."""
        return TensorConfig(
            kind=self.kind,
            density_components=self.density_components,
            appearance_components=self.appearance_components,
            features=self.features,
            hidden=self.hidden,
            density_gain=self.density_gain,
            guide_side=cells,
        )


if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings

# Masks come late: after a tenth of so few steps fields are still empty in places where they will not be.
SMALL = TensorSettings(hidden=64, first=64, last=128, upsample_at=(0.1, 0.2, 0.3), mask_at=(0.4, 0.7))
SMALL_CP = replace(SMALL, kind="cp", density_components=96, appearance_components=288, last=256)


def tensor_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name, on top of what is the same for all fits."""
    small = replace(
        base,
        preset="tensorf",
        tensorf=SMALL,
        sampler=Sampler(guided=24, bins=64),
        final_sampler=Sampler(guided=32, bins=96),
        wave=1,
        stage1=grids_together(epochs=50),
        stage2=grids_together(epochs=50, fields_rate=0.0),
    )
    paper = replace(grids_together()[0], steps=30_000, final_rate=0.1, backgrounds=0.0)
    many = Sampler(guided=128, bins=256)
    return {
        "tensorf": small,
        "tensorf-cp": replace(small, preset="tensorf-cp", tensorf=SMALL_CP),
        "tensorf-paper": replace(
            small,
            preset="tensorf-paper",
            tensorf=TensorSettings(),
            sampler=many,
            final_sampler=many,
            stage1=(paper,),
            stage2=(replace(paper, fields_rate=0.0),),
        ),
    }
