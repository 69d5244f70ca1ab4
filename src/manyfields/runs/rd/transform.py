"""Sweeps of transform coding over lambda: one file an object and point, and one with what they share: the network."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from manyfields._io import write_atomic
from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.errors import ConfigError
from manyfields.evaluation.scores import mean_scores
from manyfields.families.factor_fields.field import FactorConfig
from manyfields.families.factor_fields.grids import FactorCodes, FactorGrids
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.families.factor_fields.transform.fitter import FactorTransformFitter, check_settings
from manyfields.families.factor_fields.transform.scene import CodedFactors
from manyfields.families.registry import family_config
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes, TensorGrids
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.coding import transform_settings
from manyfields.families.tensor_planes.transform.fitter import TransformFitter
from manyfields.families.tensor_planes.transform.scene import CodedScene
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.runs.building import takes_half
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.sweep import Point, Sweep
from manyfields.shared_part import SharedPart

NETWORK_BITS = 8

Told = Callable[[int, dict[str, float]], None]


class TransformSweep(Sweep):
    """Scenes of planes (kind 'vm') or of basis grids by Neural NeRF Compression. The network: the run's, in 8 bits.

    Where it learns, each scene has its own, and of the run's there is only the config.
    """

    knob = "lambda"
    values = (0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.01, 0.02)

    def __init__(self, source: RdSource, steps: int | None, seed: int, variants: tuple[str, ...] = ()) -> None:
        """`variants`: of `compress_transform.VARIANTS`."""
        config = source.collection.shared_part.family.config
        self.source, self.seed = source, seed
        self.settings = transform_settings("S", None, variants, steps, {})
        self.codec: Any
        if isinstance(config, FactorConfig):
            check_settings(self.settings)
            self.codec = FactorTransformCodec(config)
        elif isinstance(config, TensorConfig) and config.kind == "vm":
            self.codec = TransformCodec(config)
        else:
            raise ConfigError(f"{source.run}: this codec is for tensor fields of kind 'vm', and factor fields")
        self.network, self.shared = as_stored(source.collection.shared_part)
        self.config = self.network.split(b"\n", 1)[0]
        self.half = takes_half(source.record.settings, torch.device("cpu"))

    def point(self, value: float, folder: Path, progress: Progress) -> Point:
        settings = replace(self.settings, price=value)
        common = self.begin(settings, folder, progress)
        parts = {name: size / len(self.source.collection) for name, size in common.items()}
        scores, seconds, estimated = [], 0.0, 0.0
        for name in self.source.objects:
            codes = self.source.collection[name].code()
            assert isinstance(codes, TensorCodes | FactorCodes)
            item = self.source.item(name)
            began = time.monotonic()

            def told(done: int, losses: dict[str, float], name: str = name) -> None:
                progress(f"{name}: {self.knob} {value:g}", done, settings.steps, **losses)

            scene, size_of_latents = self.coded(item, codes.grids[0], settings, told)
            ((data,),) = self.codec.encode([scene])
            seconds += time.monotonic() - began
            estimated += size_of_latents
            write_atomic(folder / f"{name}.{data[:4].decode().lower()}", data)
            found = self.codec.decode([[data]])
            scores.append(self.source.scores(name, self.shared, found, found.grids[0].box))
            for part, size in self.codec.part_sizes(data).items():
                parts[part] = parts.get(part, 0.0) + size / len(self.source.objects)
        count = len(self.source.objects)
        return Point(parts, mean_scores(scores), seconds / count, estimated / count)

    def begin(self, settings: TransformSettings, folder: Path, progress: Progress) -> dict[str, int]:
        """Write what objects share into `folder`; its bytes by name."""
        name, data = ("config", self.config) if settings.network_learns else ("network", self.network)
        write_atomic(folder / name, data)
        return {name: len(data)}

    def coded(
        self, item: FittingObject, grids: TensorGrids | FactorGrids, settings: TransformSettings, told: Told
    ) -> tuple[CodedScene | CodedFactors, float]:
        """One object, and the bytes that its latents are estimated to take."""
        sampler = self.source.record.settings.sampler.at(1.0)
        if isinstance(grids, FactorGrids):
            factors = FactorTransformFitter(self.shared, item, grids, sampler, settings, self.seed, half=self.half)
            return factors.run(told), factors.estimated_bytes()
        fitter = TransformFitter(self.shared, item, grids, sampler, settings, self.seed, half=self.half)
        return fitter.run(told), fitter.estimated_bytes()


def as_stored(shared: SharedPart) -> tuple[bytes, SharedPart]:
    """The config and numbers of a family as bytes, | JSON | newline | numbers |, and the shared part they decode to."""
    decoded = copy.deepcopy(shared)
    parameters = list(decoded.family.parameters())
    flat = torch.cat([parameter.detach().flatten() for parameter in parameters])
    data = encode_network(flat, NETWORK_BITS)
    numbers = decode_network(data, len(flat), NETWORK_BITS).split([parameter.numel() for parameter in parameters])
    with torch.no_grad():
        for parameter, own in zip(parameters, numbers, strict=True):
            parameter.copy_(own.view(parameter.shape))
    return json.dumps(family_config(shared.family), sort_keys=True).encode() + b"\n" + data, decoded
