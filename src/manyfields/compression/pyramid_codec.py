"""Tensor fields by pyramids of latents as a codec of collections: a scene is one layer, which has all of it."""

from collections.abc import Sequence

from manyfields.compression.pyramid_scene import PyramidScene
from manyfields.compression.pyramid_stream import decode_scene, encode_scene, part_sizes
from manyfields.errors import CollectionError
from manyfields.fields import TensorCodes, TensorConfig


class PyramidCodec:
    """Scenes as `fitting.pyramid_fitter` makes them, to bytes; bytes to codes of a family of tensor fields (VM)."""

    name = "pyramid"

    def __init__(self, config: TensorConfig) -> None:
        if config.kind != "vm":
            raise ValueError("fields of vectors alone (CP) have no planes to code")
        self.config = config

    def encode(self, scenes: Sequence[PyramidScene]) -> list[list[bytes]]:
        """Per scene its layer. Raises CollectionError for numbers that are NaN."""
        return [[encode_scene(scene)] for scene in scenes]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> TensorCodes:
        """Codes (B), the same bits in every process on a machine. Raises CollectionError, naming the damaged part."""
        for layers in objects:
            if len(layers) != 1:
                raise CollectionError(f"an object has {len(layers)} layers, one of tensor fields has 1")
        scenes = [decode_scene(layers[0], self.config) for layers in objects]
        return TensorCodes(tuple(scene.grids(self.config.numbers) for scene in scenes))

    def part_sizes(self, layer: bytes) -> dict[str, int]:
        """Bytes by what they are for. Raises CollectionError for a damaged header."""
        return part_sizes(layer)
