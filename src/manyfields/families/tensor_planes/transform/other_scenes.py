"""Codecs of tensor fields that are learned from the scenes of other runs, for scenes that they have not seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from jaxtyping import Float
from torch import Tensor

from manyfields.collection import Collection, open_collection
from manyfields.errors import ConfigError, RunError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.stacked_planes import stacked_planes
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.pretraining import learn_transform
from manyfields.families.tensor_planes.transform.scene import CommonTransform
from manyfields.fitting.progress import Progress
from manyfields.fitting.transform.settings import TransformSettings


@dataclass(frozen=True)
class OtherScenes:
    """Runs whose scenes a codec is learned from, or one collection that holds a codec which was.

    Raises ConfigError for runs that do not fit the scenes of `source`.
    """

    source: Collection
    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        if not self.paths:
            raise ConfigError("a codec that is learned from other scenes needs runs of them: give --learn-from RUN ...")
        own = self.source.shared_part.family.config
        if not _has_planes(own):
            raise ConfigError(
                f"{self.source.path}: its fields have no tensor planes (VM), which a codec that is learned from other "
                "scenes is for"
            )
        for other in self.collections:
            config = other.shared_part.family.config
            if not _has_planes(config):
                raise ConfigError(f"{other.path}: its fields have no tensor planes (VM) to learn from")
            found, needed = ((each.density_components, each.appearance_components) for each in (config, own))
            if found != needed:
                raise ConfigError(
                    f"{other.path}: its planes have {found[0]} + {found[1]} channels, those of {self.source.path} "
                    f"{needed[0]} + {needed[1]}; a codec is learned from scenes of as many"
                )
            if other.path.resolve() == self.source.path.resolve():
                raise ConfigError(f"{other.path}: a codec is learned from other scenes than those that it is for")
            if not len(other):
                raise ConfigError(f"{other.path} holds no objects: there is nothing to learn from")
            if common_of(other) is not None and len(self.paths) > 1:
                raise ConfigError(f"{other.path} holds a learned codec, which is taken as it is: give it alone")

    @property
    def collections(self) -> list[Collection]:
        return [open_collection(path) for path in self.paths]

    @property
    def hashes(self) -> list[str]:
        """What tells these runs from others: the hashes of their shared parts."""
        return [other.shared_hash[:16] for other in self.collections]

    def codec(self, settings: TransformSettings, seed: int, progress: Progress) -> LearnedTransform:
        """The codec that one of them holds, or one that is learned from all of their scenes."""
        first = self.collections[0]
        if common_of(first) is not None:
            return learned_of(first)

        def tell(step: int, losses: dict[str, float]) -> None:
            progress("learning a codec", step, settings.steps, **losses)

        return learn_transform(self._planes(), settings, seed, tell)

    def _planes(self) -> list[list[Float[Tensor, "C _ _"]]]:
        codes = [other[name].code() for other in self.collections for name in other]
        return [stacked_planes(each.grids[0]) for each in codes if isinstance(each, TensorCodes)]


def _has_planes(config: object) -> TypeGuard[TensorConfig]:
    return isinstance(config, TensorConfig) and config.kind == "vm"


def common_of(collection: Collection) -> CommonTransform | None:
    """What the scenes of a collection have in common where their codec was learned from others."""
    return collection.codec.common if isinstance(collection.codec, TransformCodec) else None


def learned_of(collection: Collection) -> LearnedTransform:
    """The codec of a collection with its encoder. Raises RunError where it has none."""
    common, tensors = common_of(collection), collection.encoder()
    if common is None or tensors is None:
        raise RunError(f"{collection.path}: has no encoder of a learned codec; fetch its encoder file")
    return LearnedTransform.of(common, tensors)
