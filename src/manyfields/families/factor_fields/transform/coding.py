"""`compress --codec transform` of factor fields: basis grids by latents and a decoder of each scene."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from manyfields.collection.objects import TRANSFORM
from manyfields.families.factor_fields.grids import FactorCodes
from manyfields.families.factor_fields.transform.fitter import check_settings
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.runs.compression_waves import Waves
from manyfields.runs.storing import factors_coded


class FactorWaves(Waves):
    """Scenes with decoders of their own: all that is learned belongs to a scene, and its bytes have it."""

    one_by_one = True

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        assert self.record is not None
        codes = [code for code in self.codes_of(ids) if isinstance(code, FactorCodes)]
        scenes = factors_coded(self.source, self.items(ids), codes, self.record, self.shape, self.progress)
        if self.target is None:
            self.target = self.publish(({}, {"codec": TRANSFORM}))
        return self.target.codec.encode(scenes)


def factor_shape(settings: TransformSettings, seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises ConfigError for what is not for factor fields."""
    check_settings(settings)
    return {"seed": seed, "steps": settings.steps, "transform": asdict(settings)}
