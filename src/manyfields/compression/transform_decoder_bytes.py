"""The bytes of a decoder of transform coding.

| 4 bytes: size of the first layer's weights | scales, biases of both | weights of the first | of the second |
"""

import math
import struct

import torch
from torch import Tensor

from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.halves import from_halves, to_halves
from manyfields.compression.transform_decoder import KERNEL, WholeDecoder, WholeLayer
from manyfields.errors import CollectionError

SIZE = struct.Struct("<I")


def encode_decoder(decoder: WholeDecoder, what: str = "decoder") -> bytes:
    """Raises CollectionError, naming `what`, for NaN."""
    offset = 2 ** (decoder.bits - 1) - 1
    layers = decoder.first, decoder.second
    numbers = b"".join(to_halves(each, what) for layer in layers for each in (layer.scales, layer.biases))
    first, second = (encode_symbols((layer.weights.flatten() + offset).numpy(), 2 * offset + 1) for layer in layers)
    return SIZE.pack(len(first)) + numbers + first + second


def decode_decoder(
    data: bytes, latent: int, hidden: int, channels: int, bits: int, what: str = "decoder", dimensions: int = 2
) -> WholeDecoder:
    """The inverse, of planes or (3 `dimensions`) of volumes. Raises CollectionError, naming `what`."""
    body = SIZE.size + 2 * 2 * (hidden + channels)
    if len(data) < body:
        raise CollectionError(f"{what}: cut short, {len(data)} bytes")
    size = SIZE.unpack_from(data)[0]
    numbers = torch.from_numpy(from_halves(data[SIZE.size : body], what))
    scales, biases, more_scales, more_biases = numbers.split([hidden, hidden, channels, channels])
    if float(torch.cat([scales, more_scales]).min()) <= 0:
        raise CollectionError(f"{what}: a scale that is not above 0")

    def weights(part: bytes, inputs: int, outputs: int) -> Tensor:
        offset = 2 ** (bits - 1) - 1
        shape = inputs, outputs, *[KERNEL] * dimensions
        symbols = decode_symbols(part, math.prod(shape), 2 * offset + 1, what=what)
        return torch.from_numpy(symbols - offset).view(shape)

    first = WholeLayer(weights(data[body : body + size], latent, hidden), scales, biases)
    second = WholeLayer(weights(data[body + size :], hidden, channels), more_scales, more_biases)
    return WholeDecoder(first, second, bits)
