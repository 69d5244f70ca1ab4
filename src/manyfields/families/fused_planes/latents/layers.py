"""Fused planes of a set by transform coding: one decoder and one set of tables for all of its objects.

    layer 0   weights                8 bits each, in steps of the set's own; beyond their reach as they are
    layer 1   hull                   `hull_contexts`
    layer 2   all levels of latents but the finest (`latent_pyramid`), by `latent_contexts`
    layer 3   the finest level

What belongs to the set is stored once, with the codec; an object has nothing but its own numbers. Families without base
planes, or without hulls, lack layer 0 or 1. Texels that no point of the hull reads are left out; they decode to zeros.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.context_classes import BITS
from manyfields.compression.halves import as_halves
from manyfields.compression.latent_contexts import LARGEST_REACH, RANGES, Levels, PyramidTables
from manyfields.compression.latent_pyramid import LEVELS, WholePyramid, latents_that_count, nearest_latents, sides_of
from manyfields.errors import CollectionError
from manyfields.families.fused_planes.latents.hulls import PATTERNS, decode_hull, encode_hull, learn_hulls
from manyfields.families.fused_planes.stored_texels import MICRO, texels_that_count
from manyfields.fields import Codes

HULL = ("hull",)
STEPS_OF_DEVIATION = 16  # of weights, to the set's standard deviation: 256 steps reach eight of these to either side
LEAST_STEP = 2.0**-14
STEPS_OF_SIZE = 64
"""Of weights, to their root mean square, for each object, at most: few objects do not say how far others stray."""
ESCAPE = np.dtype([("place", "<u4"), ("value", "<f4")])
"""A number beyond the reach of its step, after the bytes of all: where it belongs, and what it is."""
LOWEST, HIGHEST = -128, 127
STORED = {
    "classes": torch.uint8,
    "frequencies": torch.uint16,
    "hulls": torch.uint16,
    "pyramid": torch.int16,
    "weights": torch.float16,
}
"""Tensors of the codec's file."""


class TransformMicroLayers:
    """Pyramid and tables of one set.

    `layers` and `shapes` as for RawCodec; micro planes are the last layer, alone in it.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        pyramid: WholePyramid,
        tables: PyramidTables,
        empty: np.ndarray,
        weights: Float[Tensor, "2 n"],
    ) -> None:
        """`empty`: of `learn_hulls`; `weights`: the middle and the step of each number of layer 0."""
        self.layers, self.shapes = [tuple(names) for names in layers], dict(shapes)
        features = self.shapes["micro"][-1]
        if self.layers[-1:] != [MICRO] or any(len(mix) != features for mix in pyramid.mixes):
            raise ValueError("the last layer must be the micro planes, of as many features as the pyramid has")
        if weights.shape != (2, sum(self._count(names) for names in self._plain)):
            raise ValueError("a middle and a step for each number of the first layer")
        self.pyramid, self.tables, self.empty, self.weights = pyramid, tables, empty, weights

    @classmethod
    def of_codes(
        cls,
        codes: Codes,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        pyramid: WholePyramid,
        tables: PyramidTables,
    ) -> Self:
        """What is learned from the codes of some objects alone, beside a pyramid and its tables."""
        hulls = list(codes.tensors["hull"].cpu().numpy()) if "hull" in codes.tensors else []
        names = [name for own in layers if own not in (HULL, MICRO) for name in own]
        flat = torch.cat([torch.zeros(len(codes), 0), *(_flat(codes, name) for name in names)], 1)
        middle = flat.mean(0)
        deviation = (flat - middle).square().mean(0).sqrt()
        size = float(flat.square().mean().sqrt()) if flat.numel() else 0.0
        floor = size / STEPS_OF_SIZE / len(codes)
        step = as_halves((deviation / STEPS_OF_DEVIATION).clamp(min=floor)).clamp(min=LEAST_STEP)
        return cls(layers, shapes, pyramid, tables, learn_hulls(hulls), torch.stack([as_halves(middle), step]))

    def layers_of(self, codes: Codes, latents: Sequence[Levels] | None = None) -> list[list[bytes]]:
        """Per object its layers. `latents`: of each object, coarse first, within the tables' reach; those nearest to
        its planes when None. Raises CollectionError for NaN and infinity."""
        encoded = []
        for row, texels in enumerate(texels_that_count(codes)):
            code = codes[row]
            for name, tensor in code.tensors.items():
                if not bool(tensor.isfinite().all()):
                    raise CollectionError(
                        f"a code holds NaN or infinity in {name}: its fit has diverged, lower the rates"
                    )
            own: list[bytes] = []
            for names in self.layers[:-1]:
                if names == HULL:
                    own.append(encode_hull(code.tensors["hull"][0].cpu().numpy(), self.empty))
                else:
                    own.append(self._encode_weights(torch.cat([_flat(code, name) for name in names], 1)[0]))
            levels = self.nearest(code) if latents is None else latents[row]
            masks = [mask.numpy() for mask in latents_that_count(texels, self.pyramid.levels)]
            last = self.pyramid.levels - 1
            for first, some in ((0, slice(last)), (last, slice(last, None))):
                own.append(self.tables.encode(levels[some], masks[some], first))
            encoded.append(own)
        return encoded

    def nearest(self, code: Codes) -> list[np.ndarray]:
        """Latents near the micro planes of one object (B = 1), within the tables' reach."""
        micro, texels = code.tensors["micro"][0].detach().cpu().float(), texels_that_count(code)[0]
        found = nearest_latents(micro, texels, *self.pyramid.floats())
        return [own.clamp(-self.tables.reach, self.tables.reach).numpy() for own in found]

    def with_stored_weights(self, code: Codes) -> Codes:
        """One object (B = 1) with the weights that its bytes will hold, and its own planes."""
        tensors = dict(code.tensors)
        for names in self._plain:
            numbers = self._decode_weights(self._encode_weights(torch.cat([_flat(code, name) for name in names], 1)[0]))
            tensors |= self._parted(numbers, names)
        return Codes(tensors)

    def decode(self, objects: Sequence[Sequence[bytes]]) -> Codes:
        """Codes (B, ...) from the layers of each object, float32; a layer that is not there is zeros (a hull: ones).

        Raises CollectionError, naming the layer that is damaged.
        """
        return Codes.concatenate([self._decode_one(layers) for layers in objects])

    def _decode_one(self, layers: Sequence[bytes]) -> Codes:
        before = self.layers[:-1]
        most = len(before) + 2
        if not 1 <= len(layers) <= most:
            raise CollectionError(f"an object has {len(layers)} layers, its codec {most}")
        tensors = {name: torch.zeros(1, *self.shapes[name]) for names in self.layers for name in names}
        for number, names in enumerate(before):
            if names == HULL:
                side = self.shapes["hull"][0]
                there = number < len(layers)
                hull = decode_hull(layers[number], side, self.empty) if there else np.ones((side,) * 3, np.uint8)
                tensors["hull"] = torch.from_numpy(hull)[None]
            elif number < len(layers):
                tensors |= self._parted(self._decode_weights(layers[number]), names)
        code = Codes(tensors)
        if latents := layers[len(before) :]:
            texels = texels_that_count(code)[0]
            planes = self.pyramid(self._decode_latents(latents, texels), texels.shape[-1])
            code.tensors["micro"][0] = planes * texels[..., None]
        return code

    def _decode_latents(self, layers: Sequence[bytes], texels: Tensor) -> list[Tensor]:
        masks = [mask.numpy() for mask in latents_that_count(texels, self.pyramid.levels)]
        last, levels = self.pyramid.levels - 1, []
        parts = (
            (0, slice(last), "the layer of coarse latents"),
            (last, slice(last, None), "the layer of fine latents"),
        )
        for data, (first, some, what) in zip(layers, parts, strict=False):
            levels += self.tables.decode(data, masks[some], first, what)
        return [torch.from_numpy(level) for level in levels]

    def tensors(self) -> dict[str, Tensor]:
        """What to store of the codec: whole numbers in 16 bits or 8, frequencies less 1."""
        flat = torch.cat([own.flatten() for own in (*self.pyramid.mixes, *self.pyramid.kernels)])
        return {
            "classes": torch.from_numpy(self.tables.classes.astype(np.uint8)),
            "frequencies": torch.from_numpy((self.tables.frequencies - 1).astype(np.uint16)),
            "hulls": torch.from_numpy((self.empty if self._has_hull else self.empty[:0]).astype(np.uint16)),
            "pyramid": flat.to(torch.int16),
            "weights": self.weights.half(),
        }

    def file_config(self) -> dict[str, Any]:
        """JSON that `from_tensors` needs."""
        return {"levels": self.pyramid.levels}

    @classmethod
    def from_tensors(
        cls,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
    ) -> Self:
        """The inverse of `tensors` and `file_config`. Raises CollectionError where they do not fit together."""
        for name, kind in STORED.items():
            if name not in tensors or tensors[name].dtype != kind:
                raise CollectionError(f"the codec's file has no tensor {name!r} of {str(kind).removeprefix('torch.')}")
        levels = config.get("levels")
        if not isinstance(levels, int) or levels not in LEVELS:
            raise CollectionError(f"the codec's config: levels {levels!r} are not from {LEVELS[0]} to {LEVELS[-1]}")
        _, side, _, features = shapes["micro"]
        try:
            sides_of(side, levels)
            mixes, kernels = tensors["pyramid"].long().split([levels * features**2, (levels - 1) * features**2 * 9])
            pyramid = WholePyramid(
                tuple(mixes.view(levels, features, features)),
                tuple(kernels.view(levels - 1, features, features, 3, 3)),
            )
            classes, frequencies, empty = (
                tensors[name].numpy().astype(np.int64) for name in ("classes", "frequencies", "hulls")
            )
            tables = PyramidTables(classes, frequencies + 1)
            codec = cls(layers, shapes, pyramid, tables, empty, tensors["weights"].float())
        except (TypeError, ValueError, RuntimeError) as error:
            raise CollectionError(f"the codec's numbers do not fit its config ({error})") from error
        # Compiled decoding looks things up in these without another check.
        if classes.shape != (levels, features, RANGES, RANGES) or frequencies.ndim != 2:
            raise CollectionError("the codec's tables are not those of its levels and features")
        if frequencies.shape[1] % 2 == 0 or not 1 <= tables.reach <= LARGEST_REACH:
            raise CollectionError(f"the codec's tables are of {frequencies.shape[1]} latents: odd, from 3 to 255")
        if (tables.frequencies.sum(1) != 1 << BITS).any() or (classes >= len(frequencies)).any():
            raise CollectionError(f"the codec's frequencies do not sum to 2^{BITS} for each class that it names")
        if codec._has_hull and (empty.shape != (PATTERNS,) or empty.min() < 1):
            raise CollectionError("the codec's table of hulls is damaged")
        if not bool(codec.weights.isfinite().all()) or bool((codec.weights[1] <= 0).any()):
            raise CollectionError("the codec's steps of weights are not all above 0")
        return codec

    @property
    def _plain(self) -> list[tuple[str, ...]]:
        return [names for names in self.layers if names not in (HULL, MICRO)]

    @property
    def _has_hull(self) -> bool:
        return HULL in self.layers

    def _count(self, names: Sequence[str]) -> int:
        return sum(math.prod(self.shapes[name]) for name in names)

    def _parted(self, numbers: Float[Tensor, " n"], names: Sequence[str]) -> dict[str, Tensor]:
        parts = numbers.split([self._count([name]) for name in names])
        return {name: part.view(1, *self.shapes[name]) for name, part in zip(names, parts, strict=True)}

    def has_escapes(self, layers: Sequence[bytes]) -> bool:
        """Whether an object has weights beyond the reach of their steps, which readers of format 1.1 do not know."""
        return bool(self._plain) and len(layers[0]) > self.weights.shape[1]

    def _encode_weights(self, numbers: Float[Tensor, " n"]) -> bytes:
        middle, step = self.weights
        whole = ((numbers - middle) / step).round()
        beyond = ((whole < LOWEST) | (whole > HIGHEST)).nonzero().squeeze(1)
        escapes = np.zeros(len(beyond), ESCAPE)
        escapes["place"], escapes["value"] = beyond.numpy(), numbers[beyond].numpy()
        return whole.clamp(LOWEST, HIGHEST).to(torch.int8).numpy().tobytes() + escapes.tobytes()

    def _decode_weights(self, data: bytes) -> Float[Tensor, " n"]:
        middle, step = self.weights
        count = len(step)
        if len(data) < count or (len(data) - count) % ESCAPE.itemsize:
            raise CollectionError(f"the layer of weights has {len(data)} bytes, its family's has {count}")
        numbers = torch.from_numpy(np.frombuffer(data, np.int8, count).astype(np.float32)) * step + middle
        escapes = np.frombuffer(data, ESCAPE, offset=count)
        places, values = escapes["place"].astype(np.int64), escapes["value"].astype(np.float32)
        if (np.diff(places, prepend=-1) < 1).any() or (places >= count).any() or not np.isfinite(values).all():
            raise CollectionError("the layer of weights has numbers beyond its steps that are not in order or finite")
        numbers[torch.from_numpy(places)] = torch.from_numpy(values)
        return numbers


def _flat(codes: Codes, name: str) -> Float[Tensor, "B n"]:
    return codes.tensors[name].detach().cpu().float().flatten(1)
