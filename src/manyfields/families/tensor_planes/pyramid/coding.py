"""`compress --codec pyramid`: scenes of tensor fields by pyramids of latents, in one pass over training rays."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from manyfields.collection import Collection
from manyfields.collection.objects import PYRAMID
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.runs.compression_waves import Waves
from manyfields.runs.storing import pyramid_coded


class PyramidWaves(Waves):
    """Scenes one by one: all that is found of one belongs to it, and its bytes have it."""

    one_by_one = True

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        assert self.record is not None
        codes = [code for code in self.codes_of(ids) if isinstance(code, TensorCodes)]
        scenes = pyramid_coded(self.source, self.items(ids), codes, self.record, self.shape, self.progress)
        if self.target is None:
            self.target = self.publish(({}, {"codec": PYRAMID}))
        return self.target.codec.encode(scenes)


def pyramid_shape(source: Collection, price: float | None, changes: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises ConfigError for what does not fit the run."""
    config = source.shared_part.family.config
    if not isinstance(config, TensorConfig) or config.kind != "vm":
        raise ConfigError(f"{source.path}: its fields have no tensor planes (VM), which codec 'pyramid' is for")
    return {"seed": seed, "steps": 0, "pyramid": asdict(pyramid_settings(price, changes))}


def pyramid_settings(price: float | None, changes: Mapping[str, Any]) -> PyramidSettings:
    """The defaults, with what differs. Raises ConfigError for what is not known."""
    try:
        found = PyramidSettings(**changes)
    except TypeError as error:
        raise ConfigError(f"pyramid {dict(changes)}: {error}") from error
    return found if price is None else replace(found, price=price)
