"""Settings of a run, and the variants of the family by name. Stored as JSON with the run."""

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from manyfields._checks import NATURAL, SEED, check_numbers
from manyfields._io import read_json
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.settings import FactorSettings, factor_presets
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.phases import rays_stage1, rays_stage2
from manyfields.families.fused_planes.settings import plane_presets
from manyfields.families.mixture.adaptation import SignalSettings, Way
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.settings import mixture_presets, suited
from manyfields.families.octree.settings import OctreeSettings, octree_presets
from manyfields.families.tensor_planes.settings import TensorSettings, tensor_presets
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.runs.kinds import build, build_over, check_kinds

WEIGHTS = 66
"""Numbers in layer 0 that groups of weights may fill."""
PARTS = {
    "octree": ("octrees", "octree"),
    "tensorf": ("tensor fields", "tensorf"),
    "factor": ("factor fields", "factor-fields"),
    "mixture": ("mixture", "mixture"),
}
"""Settings of one family alone: what they are of, and the family, which is also a preset that has them."""
SUITED = ("mixture-images", "mixture-voxels")
"""Presets whose rates follow the way of adaptation that is asked for."""
NESTED = {**PARTS, "signals": ("images or voxels", "mixture-images")}
STAGE1_OBJECTS = 500
"""Objects of stage 1 where nothing else is asked for (the paper's N_1)."""


@dataclass(frozen=True)
class FitSettings:
    """All that decides a fit, besides the views.

    The defaults are the fused planes of the paper in RGB space, with planes that span each object's box and samples
    guided by its hull: why, and by how much, is in docs/results/quality.md. The preset `latent` is the paper's own.

    >>> FitSettings(wave=8, stage1_objects=40).seed
    0
    """

    preset: str = "fused-planes"
    octree: OctreeSettings | None = None
    """Of a fit of octrees; None: fused planes. Such a fit has one stage, and heeds no setting of planes."""
    tensorf: TensorSettings | None = None
    """Of a fit of tensor fields: likewise."""
    factor: FactorSettings | None = None
    """Of a fit of factor fields: likewise."""
    mixture: MixtureConfig | None = None
    """Of a fit of mixtures, which has two stages as that of fused planes, and heeds no setting of planes."""
    signals: SignalSettings | None = None
    """Of mixtures of images or voxels, which are fitted to folders of images or of meshes."""
    micro_features: int = 10
    macro_features: int = 22
    base_planes: int | None = None
    """M; None: a quarter of the objects of stage 1, at most the paper's 50: base planes must not memorise objects."""
    weight_groups: int | None = None
    """Groups of macro features with weights of their own (1: the paper); None: as many as keep layer 0 within about a
    hundred bytes, because a few base planes with one weight each cannot tell objects apart."""
    resolution: int = 64
    hidden: int = 64
    space: Literal["latent", "rgb"] = "rgb"
    density_gain: float = 15.0
    activation: Literal["relu", "softplus"] = "relu"
    span: Literal["cube", "box"] = "box"
    hull: int = 64
    """Cells along one side of the visual hull in each code; 0: none, and rays are sampled all through the box."""
    view_degree: int = 2
    """Degree of the harmonics in which colours change with the direction of view; 0: not at all (the paper)."""
    autoencoder: str = "compact"
    stage1_objects: int | None = None
    policy: Literal["joint", "frozen"] = "frozen"
    seed: int = 0
    held_out: float = 0.1
    sampler: Sampler = Sampler(guided=24)
    final_sampler: Sampler = Sampler(guided=24, supersampling=2)
    stage1: tuple[Phase, ...] = field(default_factory=rays_stage1)
    stage2: tuple[Phase, ...] = field(default_factory=rays_stage2)
    start: Literal["average", "hull", "principal"] = "average"
    """Where weights of a new object start: at their average, or where the object's coloured hull puts them
    (`fused_planes.start_from_hull`), which saves a few steps and takes as long as they do. Principal, of mixtures of
    scenes: latent vectors of stage 1 start at the principal components of coloured hulls, and not at random."""
    wave: int | None = None
    """Objects that stage 2 fits side by side and stores as one shard; None: as many as memory allows, at most 64."""
    precision: Literal["auto", "bf16", "float32"] = "auto"
    checkpoint_seconds: float = 120.0
    """Time between checkpoints; how often they are written does not change the result."""

    def __post_init__(self) -> None:
        check_numbers(self, seed=SEED, checkpoint_seconds=NATURAL)
        if self.policy not in ("joint", "frozen"):
            raise ConfigError(f"policy {self.policy!r}: joint or frozen")
        if self.start not in ("average", "hull", "principal"):
            raise ConfigError(f"start {self.start!r}: average, hull or principal")
        if self.start == "hull" and not (self.hull and self.macro_features and self.activation == "relu"):
            raise ConfigError("start 'hull' needs hulls, macro features and ReLU: set start to 'average'")
        if not 0.0 < self.held_out < 1.0:
            raise ConfigError(f"held_out {self.held_out}: a share of the views between 0 and 1")
        if self.octree is not None and (self.octree.bits is not None) != any(phase.indices for phase in self.stage1):
            raise ConfigError(
                "octree.bits and a phase with indices belong together: preset octree-vq with bits, octree without"
            )
        if self.family_name != "fused-planes" and self.space != "rgb":
            raise ConfigError(f"{self.family_name}: its fields render RGB; leave space at rgb")
        if sum(getattr(self, name) is not None for name in PARTS) > 1:
            raise ConfigError(f"{', '.join(PARTS)}: a fit has one family; leave the others away")
        if self.mixture is not None and self.start == "hull":
            raise ConfigError("mixture: its codes start at their average, or 'principal'; set start to one of these")
        if (self.signals is not None) != (self.mixture is not None and self.mixture.signal != "scenes"):
            raise ConfigError(
                "mixture.signal and signals belong together: presets mixture-images and mixture-voxels have both, "
                "mixture, of scenes, has no signals"
            )
        if self.start == "principal" and not (self.mixture and self.mixture.guide_side and self.hull):
            raise ConfigError(
                "start 'principal' needs a mixture of scenes with hulls and guides: set start to 'average'"
            )
        if self.family_name in ("tensorf", "factor-fields") and (len(self.stage1) > 1 or len(self.stage2) > 1):
            raise ConfigError(f"{self.family_name}: its schedule is that of one phase; give stage1 and stage2 one each")
        if not self.stage1 or not self.stage2:
            raise ConfigError("stage1 and stage2 need at least one phase each")
        if self.hull and self.space == "latent":
            raise ConfigError("hull: a latent pixel sees beyond the silhouette; set hull to 0 in latent space")
        self.family(4, 3 if self.space == "rgb" else 16)  # sizes without meaning are refused before anything is read
        if self.wave is not None and self.wave < 1:
            raise ConfigError(f"wave {self.wave}: at least 1 object")
        if self.stage1_objects is not None and self.stage1_objects < 1:
            raise ConfigError(f"stage1_objects {self.stage1_objects}: at least 1")

    @property
    def family_name(self) -> str:
        """Of the first preset with it, and as stored: there mixtures of images and voxels are mixtures too."""
        if self.mixture is not None and self.mixture.signal != "scenes":
            return f"mixture-{self.mixture.signal}"
        return next((family for name, (_, family) in PARTS.items() if getattr(self, name) is not None), "fused-planes")

    @property
    def alone(self) -> bool:
        """Whether objects share nothing but a small network, and are all fitted in one stage."""
        return self.mixture is None and self.family_name != "fused-planes"

    def mixture_config(self) -> MixtureConfig:
        """The family's config of a fit of mixtures: codes start close together where inner steps set them apart."""
        assert self.mixture is not None
        if self.signals is None or self.signals.adaptation == "auto-decoding":
            return self.mixture
        spread = self.signals.start_spread
        return replace(self.mixture, code_spread=spread if self.signals.meta else 1.0, start_spread=spread)

    def code_shapes(self, stage1_objects: int) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of one object's code, for families that share all they can."""
        if self.mixture is not None:
            return self.mixture.code_shapes()
        return self.family(stage1_objects, 3).code_shapes()  # channels are no part of a code

    def family(self, stage1_objects: int, channels: int) -> FusedPlanesConfig:
        """The config of fused planes, for so many objects of stage 1 and channels of the latent space."""
        planes = self.base_planes
        if planes is None:
            planes = min(50, max(1, stage1_objects // 4)) if self.macro_features else 0
        return FusedPlanesConfig(
            micro_features=self.micro_features,
            macro_features=self.macro_features,
            base_planes=planes,
            resolution=self.resolution,
            hidden=self.hidden,
            channels=channels,
            space=self.space,
            weight_groups=self._groups(planes),
            density_gain=self.density_gain,
            activation=self.activation,
            span=self.span,
            hull=self.hull,
            view_degree=self.view_degree,
        )

    def _groups(self, planes: int) -> int:
        if not self.macro_features:
            return 1
        if self.weight_groups is not None:
            return self.weight_groups
        fitting = [
            n for n in range(1, self.macro_features + 1) if self.macro_features % n == 0 and n * planes <= WEIGHTS
        ]
        return max(fitting, default=1)


def presets() -> dict[str, FitSettings]:
    """The variants of the families, by name; the first of a family has the family's name.

    >>> presets()["latent"].space
    'latent'
    """
    base = FitSettings()
    return {
        **plane_presets(base),
        **octree_presets(base),
        **tensor_presets(base),
        **factor_presets(base),
        **mixture_presets(base),
    }


def settings_from(preset: str, changes: dict[str, Any]) -> FitSettings:
    """A preset with some settings changed. Raises ConfigError for a name or a setting that is not known."""
    known = presets()
    if preset not in known:
        raise ConfigError(f"preset {preset!r}: one of {', '.join(known)}")
    chosen, signals = known[preset], changes.get("signals")
    way = signals.get("adaptation") if isinstance(signals, dict) else None
    # The presets of papers say themselves how they learn.
    if preset in SUITED and chosen.signals is not None and way in get_args(Way) and way != chosen.signals.adaptation:
        chosen = suited(chosen, cast(Way, way))
    return _changed(chosen, changes, "settings")


def chosen_settings(
    preset: str | None, config: dict[str, Any], changes: dict[str, Any], family: str | None = None
) -> FitSettings:
    """Settings of a file, with changes by name. The preset: the one asked for, else the file's, else the family's.

    Raises ConfigError where the file belongs to another preset than the one asked for, or the preset to another family.
    """
    stored = config.get("preset")
    if preset is not None and stored is not None and preset != stored:
        raise ConfigError(f"the config file is for preset {stored!r}, not {preset!r}: leave one of the two away")
    both = {**config, **changes}
    for name in NESTED:
        if isinstance(config.get(name), dict) and isinstance(changes.get(name), dict):
            both[name] = {**config[name], **changes[name]}
    # The first preset of a family has the family's name; with bits, octrees are those with codebooks.
    if family == "octree" and (both.get("octree") or {}).get("bits") is not None:
        family_preset = "octree-vq"
    else:
        family_preset = family or "fused-planes"
    settings = settings_from(preset or stored or family_preset, both)
    if family is not None and family != settings.family_name:
        raise ConfigError(f"preset {settings.preset!r} is one of the family {settings.family_name!r}, not {family!r}")
    if settings.space == "rgb" and changes.get("autoencoder") is not None:
        raise ConfigError(f"autoencoder: the preset {settings.preset!r} renders RGB and has none; use preset 'latent'")
    return settings


def read_config(path: Path | str | None) -> dict[str, Any]:
    """The settings of a JSON file; none without a path. Raises ConfigError where it is not one JSON object."""
    if path is None:
        return {}
    try:
        values = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"config {path} cannot be read as JSON ({error})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"config {path} must hold one JSON object of settings")
    return values


def settings_to_json(settings: FitSettings) -> dict[str, Any]:
    return dataclasses.asdict(settings)


def settings_from_json(stored: dict[str, Any]) -> FitSettings:
    """Inverse of `settings_to_json`; also reads a part of the settings. Raises ConfigError."""
    return settings_from(stored.get("preset", "fused-planes"), stored)


def _changed(settings: FitSettings, changes: dict[str, Any], where: str) -> FitSettings:
    names = {item.name for item in dataclasses.fields(FitSettings)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in names:
            raise ConfigError(f"{where}: no setting is called {name!r}; there are {', '.join(sorted(names))}")
        if name in ("sampler", "final_sampler"):
            value = build(Sampler, value, f"{where}.{name}")
        if name in ("stage1", "stage2") and isinstance(value, (list, tuple)):
            value = tuple(build(Phase, each, f"{where}.{name}") for each in value)
        if name in NESTED and value is not None:
            before = getattr(settings, name)
            if before is None:
                what, preset = NESTED[name]
                raise ConfigError(
                    f"{where}.{name}: the preset {settings.preset!r} has no {what}; use preset {preset!r}"
                )
            value = build_over(before, value, f"{where}.{name}")
        values[name] = value
    check_kinds(FitSettings, values, where)
    return replace(settings, **values)
