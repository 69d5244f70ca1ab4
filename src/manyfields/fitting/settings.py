"""Settings of a fit: what every family heeds. Those of a family add its own (`families/<family>/settings.py`)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self

import torch

from manyfields._checks import NATURAL, SEED, check_numbers
from manyfields.compiled import has_fast_bf16
from manyfields.errors import ConfigError
from manyfields.fields import FamilyConfig
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler

STAGE1_OBJECTS = 500
"""Objects of stage 1 where nothing else is asked for (the paper's N_1)."""


@dataclass(frozen=True)
class FitSettings(ABC):
    """All that decides a fit, besides the views. Stored as JSON with the run.

    >>> from dataclasses import replace
    >>> from manyfields.families.registry import presets
    >>> replace(presets()["octree"], wave=8).seed
    0
    """

    family: ClassVar[str]
    """Of fields, as `manyfields fit` takes it; the first preset of such settings has this name."""
    source: ClassVar[Literal["scenes", "images", "voxels"]] = "scenes"
    """What is fitted to: posed views of objects, images, or meshes as voxels."""
    on_gpu: ClassVar[bool] = True
    """Whether steps run on a GPU where there is one."""
    preparation: ClassVar[str] = "before steps"
    """What happens before the first step, in words, where that takes its time."""

    preset: str = ""
    """Name of the preset that these settings were made from."""
    seed: int = 0
    """The same seed on the same machine gives the same result."""
    held_out: float = 0.1
    """Share of each object's views that are kept for measuring, and never trained on."""
    hull: int = 64
    """Cells along one side of an object's visual hull, within which rays are sampled; 0: no hull, and rays are sampled
    all through the box."""
    sampler: Sampler = Sampler(guided=24)
    """How rays are sampled while fitting."""
    final_sampler: Sampler = Sampler(guided=24, supersampling=2)
    """How rays are sampled in renderings, and wherever quality is measured. Stored with the shared part."""
    stage1: tuple[Phase, ...] = ()
    """Phases in which what objects share is learned, together with the objects of this stage."""
    stage2: tuple[Phase, ...] = ()
    """Phases in which other objects are fitted against what is shared, which then stays as it is."""
    wave: int | None = None
    """Objects that are fitted side by side in stage 2, and stored as one shard; None: as many as memory allows, at most
    64."""
    precision: Literal["auto", "bf16", "float32"] = "auto"
    """Of products of matrices while fitting; auto: bf16 where the machine is fast at it."""
    checkpoint_seconds: float = 120.0
    """Time between checkpoints; how often they are written does not change the result."""

    def __post_init__(self) -> None:
        check_numbers(self, seed=SEED, checkpoint_seconds=NATURAL)
        if not 0.0 < self.held_out < 1.0:
            raise ConfigError(f"held_out {self.held_out}: a share of the views between 0 and 1")
        if not self.stage1 or not self.stage2:
            raise ConfigError("stage1 and stage2 need at least one phase each")
        if self.wave is not None and self.wave < 1:
            raise ConfigError(f"wave {self.wave}: at least 1 object")
        self.config()  # sizes without meaning are refused before anything is read

    @abstractmethod
    def config(self, objects: int = 4) -> FamilyConfig:
        """The family's config, for so many objects of stage 1. Raises ConfigError for sizes without meaning."""

    def code_shapes(self, objects: int) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of one object's code; none where codes have shapes of their own."""
        return {}

    def stage1_size(self, objects: int) -> int:
        """How many of so many objects are fitted in stage 1: all of them, where there is no other stage."""
        return objects

    @property
    def space(self) -> Literal["latent", "rgb"]:
        """What fields render."""
        return "rgb"

    @property
    def policy(self) -> Literal["joint", "frozen"]:
        """Whether stage 2 changes what objects share."""
        return "frozen"

    @property
    def stride(self) -> int:
        """Image pixels along one side of a rendered pixel: image sides must divide by it."""
        return 1

    @classmethod
    def preset_of(cls, changes: Mapping[str, Any]) -> str:
        """The preset that some settings by name are changes of, where none is named."""
        return cls.family

    def following(self, changes: Mapping[str, Any]) -> Self:
        """These settings, before some are changed by name: with what follows from a change."""
        return self


@dataclass(frozen=True)
class StagedSettings(FitSettings):
    """Of families whose objects share all they can: some learn it, in stage 1, and the others are fitted to it."""

    stage1_objects: int | None = None
    """How many objects learn what all share (split by group); all of them up to 500 if not given."""

    def __post_init__(self) -> None:
        if self.stage1_objects is not None and self.stage1_objects < 1:
            raise ConfigError(f"stage1_objects {self.stage1_objects}: at least 1")
        super().__post_init__()

    def stage1_size(self, objects: int) -> int:
        return self.stage1_objects or STAGE1_OBJECTS


def values_of(settings: FitSettings, sizes: type) -> dict[str, Any]:
    """The fields of a dataclass of sizes, with what settings that inherit from it say of them."""
    return {each.name: getattr(settings, each.name) for each in fields(sizes)}


def check_one_phase(settings: FitSettings) -> None:
    """Raises ConfigError where a family whose schedule is that of one phase has more of them."""
    if len(settings.stage1) > 1 or len(settings.stage2) > 1:
        raise ConfigError(f"{settings.family}: its schedule is that of one phase; give stage1 and stage2 one each")


def device(settings: FitSettings) -> torch.device:
    """Where fitting runs: a GPU where there is one, but octrees and scenes of grids, whose steps are made for CPUs."""
    return torch.device("cuda" if torch.cuda.is_available() and settings.on_gpu else "cpu")


def takes_half(settings: FitSettings, device: torch.device) -> bool:
    """Whether products of matrices are made in bf16 while a run of these settings learns."""
    return settings.precision == "bf16" or (settings.precision == "auto" and has_fast_bf16(device))
