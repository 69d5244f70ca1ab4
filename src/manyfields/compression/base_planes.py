"""Base planes of a shared part in 8 bits, entropy coded: with few objects they are most of the bytes of a collection.

In a collection's shared file `family.base` (float16) then stands as `family.base.coded` (bytes, see
`compression.eight_bits`: one scale for each plane and feature), with its shape in the config.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from manyfields.compression.eight_bits import decode_eight_bits, encode_eight_bits
from manyfields.errors import CollectionError

BASE = "family.base"
CODED = BASE + ".coded"
SHAPE = "base_shape"
WHAT = "the base planes"
MOST_OF_A_BYTE = 4096  # numbers: what damaged shapes could ask of memory


def code_shared(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and config of a shared file with coded base planes; unchanged for families without any."""
    if BASE not in tensors:
        return dict(tensors), dict(config)
    base = tensors[BASE].float()
    data = encode_eight_bits([base.movedim(0, -1).flatten(0, 2).flatten(1)], WHAT)
    others = {name: tensor for name, tensor in tensors.items() if name != BASE}
    coded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return {**others, CODED: coded}, {**config, SHAPE: list(base.shape)}


def decoded_shared(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The inverse of `code_shared`, to 8 bits. Raises CollectionError for bytes that are damaged."""
    if CODED not in tensors:
        return dict(tensors)
    try:
        planes, axes, height, width, features = (int(size) for size in config[SHAPE])
    except (KeyError, TypeError, ValueError) as error:
        raise CollectionError(f"{WHAT} have no shape in the config ({error})") from error
    data = tensors[CODED].numpy().tobytes()
    if min(planes, axes, height, width, features) < 1 or math.prod(config[SHAPE]) > MOST_OF_A_BYTE * len(data):
        raise CollectionError(f"{WHAT}: {len(data)} bytes are too few for their shape")
    (flat,) = decode_eight_bits(data, [(axes * height * width, features * planes)], WHAT)
    base = flat.view(axes, height, width, features, planes).movedim(-1, 0).contiguous()
    return {name: tensor for name, tensor in tensors.items() if name != CODED} | {BASE: base}
