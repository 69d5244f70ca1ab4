"""Codes to bytes and back.

One idea a file: `bits` and `entropy` turn indices into bytes, `topology` octrees; `octree_codec` makes layers of octree
objects, `vq_stream` is the file of one, `vq_micro` the codec of micro planes of a set; `transform_*` code the planes of
tensor fields by latents and a decoder, `factor_*` scenes of factor fields, plain or with basis grids coded likewise;
`quantisers` and `hashing` are what they are compared with.
"""

from manyfields.compression.codec import Codec
from manyfields.compression.factor_codec import FactorCodec
from manyfields.compression.factor_transform_codec import FactorTransformCodec
from manyfields.compression.octree_codec import OctreeCodec
from manyfields.compression.pyramid_codec import PyramidCodec
from manyfields.compression.raw import RawCodec
from manyfields.compression.tensor_codec import TensorCodec
from manyfields.compression.transform_codec import TransformCodec
from manyfields.compression.transform_micro import TransformMicroCodec
from manyfields.compression.transform_scene import CodedScene
from manyfields.compression.vq_micro import VqMicroCodec
from manyfields.compression.vq_sizes import SizeTable, size_table, size_table_of
from manyfields.compression.vq_stream import VqLevel, VqObject, decode_vq, encode_vq

__all__ = [
    "Codec",
    "CodedScene",
    "FactorCodec",
    "FactorTransformCodec",
    "OctreeCodec",
    "RawCodec",
    "SizeTable",
    "TensorCodec",
    "PyramidCodec",
    "TransformCodec",
    "VqLevel",
    "TransformMicroCodec",
    "VqMicroCodec",
    "VqObject",
    "decode_vq",
    "encode_vq",
    "size_table",
    "size_table_of",
]
