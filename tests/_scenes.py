"""Tiny scenes in transform coding."""

from dataclasses import replace

import torch

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.compression.transform.decoder import TransformDecoder
from manyfields.compression.transform.hyperprior import CLASSES, CodedHyper, hyper_sizes
from manyfields.compression.transform.latents import LatentTables
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.transform.scene import CodedScene, latent_sizes
from manyfields.fields.axes import VECTOR_AXES

RESOLUTION = (5, 9, 14)
CONFIG = TensorConfig("vm", density_components=2, appearance_components=3, features=5, hidden=8, guide_side=4)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(latent: int = 3, hidden: int = 4, bits: int = 8, vector_bits: int = 8, seed: int = 0) -> CodedScene:
    """A scene of `CONFIG` with numbers that survive being stored."""
    draw = generator(seed)
    sizes = latent_sizes(RESOLUTION)
    masks = tuple(torch.rand(size, generator=draw) > 0.3 for size in sizes)
    latents = tuple(torch.randint(-3, 4, (latent, *mask.shape), generator=draw) * mask for mask in masks)
    widths = CONFIG.density_components, CONFIG.appearance_components
    shapes = [(RESOLUTION[axis], width) for width in widths for axis in VECTOR_AXES]
    counts = [length * width for length, width in shapes]
    numbers = torch.randn(sum(counts), generator=draw)
    numbers = decode_network(encode_network(numbers, vector_bits), sum(counts), vector_bits)
    vectors = [part.view(shape) for part, shape in zip(numbers.split(counts), shapes, strict=True)]
    alpha = (torch.rand(4, 4, 4, generator=draw) > 0.5).to(torch.uint8)
    decoder = TransformDecoder(latent, hidden, sum(widths), bits, draw)
    with torch.no_grad():
        decoder.first_bias.copy_(torch.randn(hidden, generator=draw))
    box = torch.tensor([[-0.5, -0.25, -1.0], [0.5, 0.75, 0.5]])
    return CodedScene(
        box,
        alpha,
        None,
        RESOLUTION,
        widths,
        tuple(vectors),
        vector_bits,
        decoder.whole(),
        masks,
        latents,
        tables(latent),
    )


def tables(contexts: int) -> LatentTables:
    """Of latents from -3 to 3."""
    return LatentTables(torch.tensor([[5, 10, 9, 16, 12, 9, 3]]).repeat(contexts, 1), 6, -3)


def hyper(latent: int = 3, channels: int = 2, hidden: int = 3, bits: int = 8, seed: int = 0) -> CodedHyper:
    """A hyperprior of the latents of `scene`, whose classes are of several kinds."""
    draw = generator(seed)
    decoder = TransformDecoder(channels, hidden, latent, bits, draw)
    with torch.no_grad():
        decoder.second_bias.copy_(4 + 6 * torch.rand(latent, generator=draw))
    masks = tuple(torch.rand(size, generator=draw) > 0.3 for size in hyper_sizes(latent_sizes(RESOLUTION)))
    latents = tuple(torch.randint(-3, 4, (channels, *mask.shape), generator=draw) * mask for mask in masks)
    return CodedHyper(decoder.whole(), masks, latents, tables(channels))


def scene_with_hyperprior(latent: int = 3, seed: int = 0) -> CodedScene:
    return replace(scene(latent, seed=seed), tables=tables(CLASSES), hyper=hyper(latent, seed=seed))
