"""Transform coding of factor fields as a codec of collections: a scene is one layer, with a decoder of its own."""

from collections.abc import Sequence

from manyfields.compression.factor_codec import only_layers
from manyfields.compression.factor_scene import CodedFactors
from manyfields.compression.factor_stream import decode_factors, encode_factors, factor_part_sizes
from manyfields.compression.transform_codec import TransformCodec
from manyfields.fields import FactorCodes, FactorConfig


class FactorTransformCodec:
    """Scenes as `fitting.factor_transform` makes them, to bytes; bytes to codes of a family of factor fields."""

    name = TransformCodec.name

    def __init__(self, config: FactorConfig) -> None:
        self.config = config

    def encode(self, scenes: Sequence[CodedFactors]) -> list[list[bytes]]:
        """Per scene its layer. Raises CollectionError for numbers that are NaN."""
        return [[encode_factors(scene)] for scene in scenes]

    def scenes(self, objects: Sequence[Sequence[bytes]]) -> list[CodedFactors]:
        """What the layer of each object holds. Raises CollectionError, naming the part that is damaged."""
        return [decode_factors(layer, self.config) for layer in only_layers(objects)]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> FactorCodes:
        """Codes (B), the same bits in every process on a machine. Raises CollectionError as `scenes`."""
        return FactorCodes(tuple(scene.grids() for scene in self.scenes(objects)))

    def part_sizes(self, layer: bytes) -> dict[str, int]:
        """Bytes by what they are for. Raises CollectionError for a damaged header."""
        return factor_part_sizes(layer)
