"""The light decoder of transform coding: latents at a quarter of the resolution to planes of features.

    latents (Z, h, w) ── transposed convolution ── SELU ── transposed convolution ──► planes (C, 4h - 3, 4w - 3)

Neural NeRF Compression (2024), section 4.1: kernel 3, stride 2, padding 1. Planes are what the size of a scene's needs
of that. Volumes are made likewise, in three dimensions: their weights have one more. There is an exact form for
decoding: weights and latents are whole numbers, and so is the hidden layer in units of 2^-12. In float64 their sums are
exact in whatever order they are made, so planes are the same to the last bit on any number of threads.

The bytes of one:

    | 4 bytes: size of the first layer's weights | scales, biases of both | weights of the first | of the second |
"""

import math
import struct
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int
from torch import Tensor, nn

from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.halves import as_halves, from_halves, to_halves
from manyfields.errors import CollectionError

KERNEL, STRIDE, PADDING = 3, 2, 1
UNITS = 2.0**12  # of the hidden layer in one
LARGEST = 2.0**15  # of the hidden layer: sums of whole numbers stay below 2^53
LEAST_SCALE = 2.0**-14  # the smallest normal float16
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def latent_side(texels: int) -> int:
    """Latents along a side of `texels`: as few as the decoder can make that many of."""
    return -(-(texels + 3) // 4)


@dataclass(frozen=True, eq=False)
class WholeLayer:
    """A transposed convolution of whole numbers: output channel o is scale[o] * (sum of weight * input) + bias[o]."""

    weights: Int[Tensor, "I O *kernel"]
    scales: Float[Tensor, " O"]
    biases: Float[Tensor, " O"]

    @staticmethod
    def of(weights: Float[Tensor, "I O *kernel"], biases: Float[Tensor, " O"], bits: int) -> "WholeLayer":
        scales = scales_of(weights, bits)
        whole = (weights.detach() / _by_channel(scales, weights.ndim)).round().long()
        return WholeLayer(whole, scales, as_halves(biases))

    def __call__(self, inputs: Float[Tensor, "I *sides"], unit: float = 1.0) -> Float[Tensor, "O ..."]:
        """`inputs`: whole numbers (float64) of `unit`."""
        sums = _transposed(inputs, self.weights.double())
        scales, biases = self.scales.double() * unit, self.biases.double()
        return sums * _by_channel(scales, inputs.ndim + 1) + _by_channel(biases, inputs.ndim + 1)


@dataclass(frozen=True, eq=False)
class WholeDecoder:
    """A decoder as it is stored: two layers of whole numbers of `bits`."""

    first: WholeLayer
    second: WholeLayer
    bits: int

    @torch.no_grad()
    def __call__(self, latents: Int[Tensor, "Z *sides"], size: tuple[int, ...]) -> Float[Tensor, "C ..."]:
        """A plane of `size` (H, W), or a volume (D, H, W), in float32; the same bits in every process on a machine."""
        hidden = (_selu(self.first(latents.double())) * UNITS).round().clamp(-LARGEST * UNITS, LARGEST * UNITS)
        made = self.second(hidden, 1.0 / UNITS)
        return cropped(made, size).float().contiguous()


class TransformDecoder(nn.Module):
    """The decoder as it learns: numbers of float32 that are rounded to `bits` as they are used, straight through."""

    def __init__(
        self, latent: int, hidden: int, channels: int, bits: int, generator: torch.Generator, dimensions: int = 2
    ) -> None:
        super().__init__()
        self.bits = bits

        def drawn(inputs: int, outputs: int) -> nn.Parameter:
            # Each number of a plane has 9 / 4 taps of each input, on average; of a volume 27 / 8.
            deviation = math.sqrt(STRIDE**dimensions / (KERNEL**dimensions * inputs))
            return nn.Parameter(deviation * torch.randn(inputs, outputs, *[KERNEL] * dimensions, generator=generator))

        self.first, self.first_bias = drawn(latent, hidden), nn.Parameter(torch.zeros(hidden))
        self.second, self.second_bias = drawn(hidden, channels), nn.Parameter(torch.zeros(channels))

    def forward(self, latents: Float[Tensor, "Z *sides"], size: tuple[int, ...]) -> Float[Tensor, "C ..."]:
        hidden = functional.selu(self._convolved(latents, self.first, self.first_bias))
        return cropped(self._convolved(hidden, self.second, self.second_bias), size)

    def whole(self) -> WholeDecoder:
        """The decoder to store."""
        layers = ((self.first, self.first_bias), (self.second, self.second_bias))
        first, second = (WholeLayer.of(weights, biases.detach(), self.bits) for weights, biases in layers)
        return WholeDecoder(first, second, self.bits)

    def _convolved(self, inputs: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
        with torch.no_grad():
            scales = _by_channel(scales_of(weights, self.bits), weights.ndim)
            change = (weights / scales).round() * scales - weights
        return _transposed(inputs, weights + change, biases)


class FrozenDecoder(nn.Module):
    """A stored decoder for latents that learn: the same planes in float32, with gradients to latents alone."""

    def __init__(self, decoder: WholeDecoder) -> None:
        super().__init__()
        self._whole = decoder
        layers = decoder.first, decoder.second
        self._layers = [
            (layer.weights.float() * _by_channel(layer.scales, layer.weights.ndim), layer.biases) for layer in layers
        ]

    def forward(self, latents: Float[Tensor, "Z *sides"], size: tuple[int, ...]) -> Float[Tensor, "C ..."]:
        (first, first_bias), (second, second_bias) = self._layers
        hidden = _transposed(latents, first, first_bias)
        made = _transposed(functional.selu(hidden), second, second_bias)
        return cropped(made, size)

    def whole(self) -> WholeDecoder:
        return self._whole


def cropped(made: Float[Tensor, "C *sides"], size: tuple[int, ...]) -> Float[Tensor, "C ..."]:
    """The first numbers along each side: a decoder makes up to three too many."""
    return made[(slice(None), *(slice(side) for side in size))]


def scales_of(weights: Float[Tensor, "I O *kernel"], bits: int) -> Float[Tensor, " O"]:
    """Units of whole numbers of `bits` for each output channel, as float16 holds them."""
    largest = weights.detach().abs().transpose(0, 1).flatten(1).amax(1) / (2 ** (bits - 1) - 1)
    # One step of float16 more, so that none of the weights is beyond the largest whole number.
    return as_halves((largest * (1 + 2.0**-10)).clamp(min=LEAST_SCALE))


def _transposed(inputs: Tensor, weights: Tensor, biases: Tensor | None = None) -> Tensor:
    convolution = functional.conv_transpose2d if inputs.ndim == 3 else functional.conv_transpose3d
    return convolution(inputs[None], weights, biases, stride=STRIDE, padding=PADDING)[0]


def _by_channel(numbers: Tensor, dimensions: int) -> Tensor:
    """Numbers of output channels, for multiplying weights or what they make; both have them in the second or first."""
    return numbers.view(-1, *[1] * (dimensions - 2))


def _selu(values: Float[Tensor, "C *sides"]) -> Float[Tensor, "C *sides"]:
    # By numpy, which is of one thread: the last bit of torch's exponential may change with how many there are.
    exponential = torch.from_numpy(np.expm1(np.minimum(values.numpy(), 0.0)))
    return SELU_SCALE * torch.where(values > 0, values, SELU_ALPHA * exponential)


MOST_CHANNELS = 1024
MOST_NUMBERS = 1 << 27  # of planes and latents: what a few bytes may claim
DECODER_BITS = range(4, 13)


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
