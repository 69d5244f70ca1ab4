"""Transform coding of tensor fields as a codec of collections: a scene is one layer.

A scene has a decoder of its own, or that of the codec.
"""

from collections.abc import Sequence

from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.transform.scene import CodedScene, CommonTransform
from manyfields.families.tensor_planes.transform.stream import decode_scene, encode_scene, part_sizes


class TransformCodec:
    """Scenes as `transform.fitter` makes them, to bytes; bytes to codes of a family of tensor fields (VM)."""

    name = "transform"

    def __init__(self, config: TensorConfig, common: CommonTransform | None = None) -> None:
        """`common`: decoder and tables of a codec that was learned from other scenes."""
        if config.kind != "vm":
            raise ValueError("fields of vectors alone (CP) have no planes to code")
        self.config, self.common = config, common

    def encode(self, scenes: Sequence[CodedScene]) -> list[list[bytes]]:
        """Per scene its layer. Raises CollectionError for numbers that are NaN."""
        return [[encode_scene(scene)] for scene in scenes]

    def scenes(self, objects: Sequence[Sequence[bytes]]) -> list[CodedScene]:
        """What the layer of each object holds. Raises CollectionError, naming the part that is damaged."""
        for layers in objects:
            if len(layers) != 1:
                raise CollectionError(f"an object has {len(layers)} layers, one of tensor fields has 1")
        return [decode_scene(layers[0], self.config, self.common) for layers in objects]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> TensorCodes:
        """Codes (B), the same bits in every process on a machine. Raises CollectionError as `scenes`."""
        return TensorCodes(tuple(scene.grids() for scene in self.scenes(objects)))

    def part_sizes(self, layer: bytes) -> dict[str, int]:
        """Bytes by what they are for. Raises CollectionError for a damaged header."""
        return part_sizes(layer)
