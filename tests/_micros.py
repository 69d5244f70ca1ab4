"""Tiny fused planes, and a codec of transform coding for them."""

import torch

from manyfields.compression.latent_contexts import PyramidTables
from manyfields.compression.latent_pyramid import WholePyramid, bilinear_kernel, latents_that_count, nearest_latents
from manyfields.families.fused_planes.latents.layers import TransformMicroLayers
from manyfields.families.fused_planes.stored_texels import texels_that_count
from manyfields.fields import Codes

SIDE, FEATURES, LEVELS = 14, 3, 3
SHAPES = {"weights": (6,), "bias": (1,), "hull": (8, 8, 8), "micro": (3, SIDE, SIDE, FEATURES)}
LAYERS = (("weights", "bias"), ("hull",), ("micro",))


def codes(count: int = 4, seed: int = 0, layers=LAYERS) -> Codes:
    """Smooth planes with some noise, in hulls of several sizes; the first object fills its box."""
    draw = torch.Generator().manual_seed(seed)
    hull = torch.zeros(count, 8, 8, 8, dtype=torch.uint8)
    for row in range(count):
        hull[row, 2 : 4 + row % 4, 1:6, 3 : 5 + row % 3] = 1
    hull[0] = 1
    coarse = 3 * torch.randn(count * 3, FEATURES, 4, 4, generator=draw)
    smooth = torch.nn.functional.interpolate(coarse, size=SIDE, mode="bilinear", align_corners=True)
    micro = smooth.view(count, 3, FEATURES, SIDE, SIDE).permute(0, 1, 3, 4, 2)
    tensors = {
        "weights": torch.randn(count, 6, generator=draw),
        "bias": 1 + 0.1 * torch.randn(count, 1, generator=draw),
        "hull": hull,
        "micro": (micro + 0.5 * torch.randn(micro.shape, generator=draw)).contiguous(),
    }
    return Codes({name: tensors[name] for names in layers for name in names})


def codec(learned_from: Codes, layers=LAYERS, levels: int = LEVELS, seed: int = 0) -> TransformMicroLayers:
    """A pyramid with fine steps that nothing has trained, and what is counted of some objects."""
    draw = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(FEATURES, FEATURES, generator=draw))[0]
    mixes = [0.5 * turn] * levels
    kernels = [
        bilinear_kernel(FEATURES) + 0.02 * torch.randn(FEATURES, FEATURES, 3, 3, generator=draw)
        for _ in range(levels - 1)
    ]
    whole = WholePyramid.of(mixes, kernels)
    objects = []
    for micro, texels in zip(learned_from.tensors["micro"], texels_that_count(learned_from), strict=True):
        latents = nearest_latents(micro, texels, *whole.floats())
        masks = latents_that_count(texels, levels)
        objects.append(([own.numpy() for own in latents], [here.numpy() for here in masks]))
    tables = PyramidTables.learn(objects, 40)
    return TransformMicroLayers.of_codes(learned_from, layers, SHAPES, whole, tables)
