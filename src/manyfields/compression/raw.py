"""The plain codec: float16 numbers, little-endian, in a fixed order; hulls as bits, deflated.

What every other codec is compared with.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch

from manyfields.compression.hull import decode_hull, encode_hull, usual_bytes
from manyfields.errors import CollectionError
from manyfields.fields import Codes

FLOAT16_LIMIT = 65504.0
HULL = ("hull",)


class RawCodec:
    """Codes to layers of float16 bytes.

    `layers` names the tensors of each layer, `shapes` the shape of each tensor for one object.

    >>> codec = RawCodec([["weights"], ["micro"]], {"weights": (4,), "micro": (3, 2)})
    >>> [layers] = codec.encode(Codes({"weights": torch.ones(1, 4), "micro": torch.zeros(1, 3, 2)}))
    >>> [len(layer) for layer in layers], codec.decode([layers[:1]]).tensors["weights"]
    ([8, 12], tensor([[1., 1., 1., 1.]]))
    """

    name: ClassVar[str] = "float16"

    def __init__(self, layers: Sequence[Sequence[str]], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.layers = [tuple(names) for names in layers]
        self.shapes = dict(shapes)

    def layer_bytes(self) -> list[int]:
        """Size of each layer of one object; of a hull, whose size depends on its shape, about."""
        return [
            self._float_bytes(names) if names != HULL else usual_bytes(self.shapes["hull"]) for names in self.layers
        ]

    def encode(self, codes: Codes) -> list[list[bytes]]:
        """Per object its layers. Values beyond float16's range are clamped to it; NaN raises CollectionError."""
        encoded: list[list[bytes]] = [[] for _ in range(len(codes))]
        for names in self.layers:
            if names == HULL:
                for layers, hull in zip(encoded, codes.tensors["hull"].cpu().numpy(), strict=True):
                    layers.append(encode_hull(hull))
                continue
            flat = torch.cat([codes.tensors[name].detach().cpu().flatten(1).float() for name in names], 1)
            if bool(flat.isnan().any()):
                raise CollectionError(f"a code holds NaN in {', '.join(names)}: its fit has diverged, lower the rates")
            rows = flat.clamp(-FLOAT16_LIMIT, FLOAT16_LIMIT).numpy().astype("<f2")
            for layers, row in zip(encoded, rows, strict=True):
                layers.append(row.tobytes())
        return encoded

    def decode(self, objects: Sequence[Sequence[bytes]]) -> Codes:
        """Codes (B, ...) from the layers of each object, float32; a layer that is not there is zeros (a hull: ones).

        Raises CollectionError where a layer has the wrong size, or holds numbers that are not finite.
        """
        tensors = {name: self._absent(name, len(objects)) for names in self.layers for name in names}
        for row, layers in enumerate(objects):
            if not 1 <= len(layers) <= len(self.layers):
                raise CollectionError(f"an object has {len(layers)} layers, its family {len(self.layers)}")
            for index, data in enumerate(layers):
                if self.layers[index] == HULL:
                    tensors["hull"][row] = torch.from_numpy(decode_hull(data, self.shapes["hull"]))
                else:
                    self._decode_floats(index, data, {name: tensors[name][row] for name in self.layers[index]})
        return Codes(tensors)

    def _absent(self, name: str, count: int) -> torch.Tensor:
        shape = (count, *self.shapes[name])
        return torch.ones(shape, dtype=torch.uint8) if name == "hull" else torch.zeros(shape)

    def _float_bytes(self, names: Sequence[str]) -> int:
        return 2 * sum(math.prod(self.shapes[name]) for name in names)

    def _decode_floats(self, index: int, data: bytes, into: dict[str, torch.Tensor]) -> None:
        expected = self._float_bytes(self.layers[index])
        if len(data) != expected:
            raise CollectionError(f"layer {index} has {len(data)} bytes, its family's has {expected}")
        values = np.frombuffer(data, "<f2").astype(np.float32)
        if not np.isfinite(values).all():
            raise CollectionError(f"layer {index} holds numbers that are not finite")
        start = 0
        for name in self.layers[index]:
            count = math.prod(self.shapes[name])
            into[name].copy_(torch.from_numpy(values[start : start + count]).view(self.shapes[name]))
            start += count
