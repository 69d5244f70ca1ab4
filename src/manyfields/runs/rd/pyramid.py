"""Sweeps of pyramids of latents over their step: one file an object and point, which holds the network, too."""

import json
import time
from dataclasses import replace
from pathlib import Path

from manyfields._io import write_atomic
from manyfields.errors import ConfigError
from manyfields.evaluation.scores import mean_scores
from manyfields.families.registry import family_config
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.families.tensor_planes.pyramid.fitter import pyramid_of
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.fitting.progress import Progress
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.sweep import Point, Sweep


class PyramidSweep(Sweep):
    """Tensor planes (VM). Of the run's shared part there is only the config: each file has the network."""

    knob = "step"
    values = (0.008, 0.012, 0.016, 0.024, 0.04, 0.08)

    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        config = source.collection.shared_part.family.config
        if not isinstance(config, TensorConfig) or config.kind != "vm":
            raise ConfigError(f"{source.run}: this codec is for tensor fields of kind 'vm'")
        if steps:
            raise ConfigError("steps: nothing learns in a pyramid of latents")
        self.source, self.seed, self.codec = source, seed, PyramidCodec(config)
        self.settings = PyramidSettings(own_network=True)

    def point(self, value: float, folder: Path, progress: Progress) -> Point:
        settings, shared = replace(self.settings, price=value), self.source.collection.shared_part
        config = json.dumps(family_config(shared.family), sort_keys=True).encode()
        write_atomic(folder / "config", config)
        parts = {"config": len(config) / len(self.source.collection)}
        scores, seconds = [], 0.0
        sampler = self.source.record.settings.sampler.at(1.0)
        for number, name in enumerate(self.source.objects):
            progress(f"{name}: {self.knob} {value:g}", number, len(self.source.objects))
            codes = self.source.collection[name].code()
            assert isinstance(codes, TensorCodes)
            item = self.source.item(name)
            began = time.monotonic()
            ((data,),) = self.codec.encode([pyramid_of(shared, item, codes.grids[0], sampler, settings, self.seed)])
            seconds += time.monotonic() - began
            write_atomic(folder / f"{name}.mftp", data)
            found = self.codec.decode([[(folder / f"{name}.mftp").read_bytes()]])
            scores.append(self.source.scores(name, shared, found, found.grids[0].box))
            for part, size in self.codec.part_sizes(data).items():
                parts[part] = parts.get(part, 0.0) + size / len(self.source.objects)
        return Point(parts, mean_scores(scores), seconds / len(self.source.objects))
