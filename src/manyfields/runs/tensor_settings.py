"""Settings of fits of tensor fields, beside those that every fit has."""

from dataclasses import dataclass
from typing import Literal

from manyfields.errors import ConfigError
from manyfields.fields import TensorConfig
from manyfields.fields.tensor_grids import Kind
from manyfields.fitting.tensor_schedule import TensorSchedule


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
