"""`plain_march` of plane fields in one kernel for GPUs, forward and backward, in Triton.

What a sample gathers and what the decoder makes of it stays in registers; memory sees planes, rays and pictures. The
kernels are in `fused_triton_kernels` and `fused_triton_backward`, which need Triton and are imported on use.

Gradients are deterministic unless that is given up: what many samples add to one number of a plane is added as
integers, whose sums do not depend on the order, and what they add to the decoder is summed in a fixed order.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from manyfields.rendering.tiny_decoder import TinyDecoder

Precision = Literal["tf32", "tf32x3", "ieee"]

MOST_SAMPLES = 64  # along a ray
WIDEST = 128  # features, and hidden units
MOST_PRODUCTS = 2**20  # samples of a tile x hidden units x values: with more, a tile outgrows shared memory
LEAST_DOT = 16  # rows and columns that a product of tensor cores has at least
PROGRAMS = 1056  # that sum gradients of the decoder, each its own: 8 for each multiprocessor of an H100

# Gradients of planes are summed in integer steps of 2^-36 of the largest gradient of any ray, a power of two. A sum may
# reach 2^27 (1.3e8) times that gradient before int64 overflows: 65,536 rays that all look at one point can each add
# 2,000 times their own. What a sample adds is rounded by 2^-37 (7e-12) of it at most, which is finer than the 6e-8 of
# its sum by which float32 rounds each time, as long as the sum is above 1e-4 of that gradient.
FRACTION_BITS = 36
FAINTEST = 2.0**-80  # gradients below count as this, so that the scale stays a float32


def available(*tensors: Tensor) -> bool:
    """Whether the kernels take these tensors: all on CUDA devices, or Triton interprets its kernels on the CPU."""
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    kinds = ("cuda", "cpu") if interpreted else ("cuda",)
    return all(tensor.device.type in kinds for tensor in tensors) and find_spec("triton") is not None


def fits(planes: Float[Tensor, "B 3 H W F"], decoder: TinyDecoder, samples: int) -> bool:
    """Whether a tile has room: for 64 samples a ray, 128 features and hidden units, 16 channels, not all at once."""
    features, hidden = planes.shape[-1], len(decoder.hidden_bias)
    if not 0 < samples <= MOST_SAMPLES or max(features, hidden) > WIDEST or decoder.channels > LEAST_DOT:
        return False
    tile, _ = tile_of(decoder, features, samples, False, "tf32", True)
    one_plane = planes.shape[2] * planes.shape[3] * features
    return tile.count * tile.hidden_block * tile.value_block <= MOST_PRODUCTS and one_plane < 2**31


def fused_march(
    planes: Float[Tensor, "B 3 H W F"],
    bounds: Float[Tensor, "B 2 3"] | None,
    decoder: TinyDecoder,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
    *,
    precision: Precision = "tf32",
    deterministic: bool = True,
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`plain_march` of the field of `planes`, across `bounds` (the cube when None): channels, opacity and depth.

    Samples of length 0 are not even looked at. Gradients reach the planes and the decoder, each only if it asks for
    them. `precision` is that of matrix products: tf32 rounds factors to 11 bits, tf32x3 makes up for it, ieee is
    float32 without tensor cores. Raises ValueError where the sizes do not fit.
    """
    if not fits(planes, decoder, distances.shape[-1]):
        raise ValueError(
            f"{distances.shape[-1]} samples a ray, planes {tuple(planes.shape)}, {len(decoder.hidden_bias)} hidden "
            f"units and {len(decoder.output_bias)} values do not fit a tile of the fused kernels (see `fits`)"
        )
    rays = [tensor.detach().float().contiguous() for tensor in (origins, directions, distances, lengths)]
    box = None if bounds is None else bounds.detach().float().contiguous()
    settings = (decoder, precision, deterministic)
    return _FusedMarch.apply(
        planes,
        decoder.hidden_weight,
        decoder.hidden_bias,
        decoder.output_weight,
        decoder.output_bias,
        box,
        *rays,
        settings,
    )


@dataclass(frozen=True)
class Tile:
    """What a kernel is compiled for. `*_block` are the sizes padded to powers of two, as blocks must be."""

    features: int
    hidden: int
    channels: int
    waves: int
    """Sets of channels in the values of the decoder: their mean over directions, then one a harmonic."""
    samples: int
    rays: int
    feature_block: int
    hidden_block: int
    channel_block: int
    wave_block: int
    sample_block: int
    box: bool
    relu: bool
    rgb: bool
    gain: float
    precision: str

    @property
    def count(self) -> int:
        """Samples of a tile, padding included."""
        return self.rays * self.sample_block

    @property
    def value_block(self) -> int:
        return self.wave_block * self.channel_block


def tile_of(
    decoder: TinyDecoder, features: int, samples: int, box: bool, precision: Precision, backward: bool
) -> tuple[Tile, int]:
    """The tile that a pass is compiled for, and its warps: as many samples as its registers hold."""
    hidden, channels = len(decoder.hidden_bias), decoder.channels
    waves = (decoder.view_degree + 1) ** 2
    feature_block = max(LEAST_DOT, _padded(features))
    hidden_block = max(LEAST_DOT, _padded(hidden))
    channel_block = _padded(channels)
    wave_block = max(LEAST_DOT // channel_block, _padded(waves))
    sample_block = _padded(samples)
    widest = max(feature_block, hidden_block, wave_block * channel_block)
    count = 64 if widest <= 64 or not backward else 32
    tile = Tile(
        features=features,
        hidden=hidden,
        channels=channels,
        waves=waves,
        samples=samples,
        rays=max(1, count // sample_block),
        feature_block=feature_block,
        hidden_block=hidden_block,
        channel_block=channel_block,
        wave_block=wave_block,
        sample_block=sample_block,
        box=box,
        relu=decoder.activation == "relu",
        rgb=decoder.space == "rgb",
        gain=float(decoder.gain),
        precision=precision,
    )
    return tile, 4 if widest <= 64 and not backward else 8


def _padded(size: int) -> int:
    """The power of two that is not below `size`."""
    return 1 << (size - 1).bit_length()


class _FusedMarch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        from manyfields.rendering.fused_triton_kernels import march

        *decoder_tensors, box, origins, directions, distances, lengths, settings = inputs
        decoder, precision, _ = settings
        objects, rays, samples = distances.shape
        ctx.settings = settings
        ctx.save_for_backward(planes, *decoder_tensors, box, origins, directions, distances, lengths)
        channels = distances.new_zeros(objects, rays, decoder.channels)
        opacity, depth = distances.new_zeros(objects, rays), distances.new_zeros(objects, rays)
        tile, warps = tile_of(decoder, planes.shape[-1], samples, box is not None, precision, False)
        programs = objects * -(-rays // tile.rays)
        if programs:
            with torch.cuda.device_of(distances):
                march[(programs,)](
                    planes.contiguous(),
                    box,
                    *_as_floats(decoder_tensors),
                    origins,
                    directions,
                    distances,
                    lengths,
                    channels,
                    opacity,
                    depth,
                    rays,
                    *planes.shape[2:4],
                    tile=tile,
                    num_warps=warps,
                    num_stages=1,
                )
        return channels, opacity, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from manyfields.rendering.fused_triton_backward import march_backward

        planes, *decoder_tensors, box, origins, directions, distances, lengths = ctx.saved_tensors
        decoder, precision, deterministic = ctx.settings
        objects, rays, samples = distances.shape
        learn_planes, learn_decoder = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:5])
        tile, warps = tile_of(decoder, planes.shape[-1], samples, box is not None, precision, True)
        tiles = objects * -(-rays // tile.rays)
        programs = min(tiles, PROGRAMS) if learn_decoder else tiles
        gradients = tuple(gradient.float().contiguous() for gradient in gradients)
        scale = _steps_of_one(gradients) if learn_planes and deterministic and tiles else None
        sums = torch.float32 if scale is None else torch.int64
        to_planes = torch.zeros(planes.shape, dtype=sums, device=planes.device) if learn_planes else None
        sizes = [tensor.numel() for tensor in decoder_tensors]
        to_decoder = distances.new_empty(programs, sum(sizes)) if learn_decoder else None
        if tiles:
            with torch.cuda.device_of(distances):
                march_backward[(programs,)](
                    planes.contiguous(),
                    box,
                    *_as_floats(decoder_tensors),
                    origins,
                    directions,
                    distances,
                    lengths,
                    *gradients,
                    to_planes,
                    to_decoder,
                    scale,
                    objects,
                    rays,
                    *planes.shape[2:4],
                    tile=tile,
                    learn_planes=learn_planes,
                    learn_decoder=learn_decoder,
                    fixed_point=scale is not None,
                    num_warps=warps,
                    num_stages=1,
                )
        if to_planes is not None:
            to_planes = to_planes.float() if scale is None else to_planes.float() / scale
            to_planes = to_planes.to(planes.dtype)
        parts: list[Tensor | None] = [None] * 4
        if to_decoder is not None:
            flat = to_decoder.sum(0).split(sizes)
            parts = [
                part.view_as(tensor).to(tensor.dtype) if wanted else None
                for part, tensor, wanted in zip(flat, decoder_tensors, ctx.needs_input_grad[1:5], strict=True)
            ]
        return to_planes, *parts, None, None, None, None, None, None


def _as_floats(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.float().contiguous() for tensor in tensors]


def _steps_of_one(gradients: tuple[Tensor, ...]) -> Tensor:
    """The power of two that gradients are multiplied with before they are rounded to integers.

    It stays on the device. Where a gradient is not finite it is NaN, and so are those of the planes.
    """
    loudest = torch.stack([gradient.abs().amax() for gradient in gradients]).amax().clamp(min=FAINTEST)
    return torch.exp2((FRACTION_BITS - torch.frexp(loudest).exponent).float()) + 0.0 * loudest
