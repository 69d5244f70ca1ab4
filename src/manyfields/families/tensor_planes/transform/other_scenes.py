"""Runs whose scenes a codec is learned from, for scenes that it has not seen."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.families.codec import Originals
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.stacked_planes import stacked_planes


def check_others(originals: Originals[TensorCodes]) -> None:
    """Raises ConfigError for runs of other scenes that do not fit those of `originals`."""
    own = originals.shared.family.config
    if not _has_planes(own):
        raise ConfigError(
            f"{originals.path}: its fields have no tensor planes (VM), which a codec that is learned from other "
            "scenes is for"
        )
    for other in originals.others:
        config = other.shared.family.config
        if not _has_planes(config):
            raise ConfigError(f"{other.path}: its fields have no tensor planes (VM) to learn from")
        found, needed = ((each.density_components, each.appearance_components) for each in (config, own))
        if found != needed:
            raise ConfigError(
                f"{other.path}: its planes have {found[0]} + {found[1]} channels, those of {originals.path} "
                f"{needed[0]} + {needed[1]}; a codec is learned from scenes of as many"
            )
        if other.path.resolve() == originals.path.resolve():
            raise ConfigError(f"{other.path}: a codec is learned from other scenes than those that it is for")
        if not len(other.ids):
            raise ConfigError(f"{other.path} holds no objects: there is nothing to learn from")


def planes_of(others: Sequence[Originals[TensorCodes]]) -> list[list[Float[Tensor, "C _ _"]]]:
    """Those of all their scenes."""
    return [stacked_planes(code.grids[0]) for other in others for code in other.codes(other.ids)]


def _has_planes(config: object) -> bool:
    return isinstance(config, TensorConfig) and config.kind == "vm"
