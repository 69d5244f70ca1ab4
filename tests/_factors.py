"""Tiny factor fields."""

import torch

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.compression.transform.decoder import TransformDecoder
from manyfields.compression.transform.latents import LatentTables
from manyfields.families.factor_fields.field import FactorConfig, FactorFamily
from manyfields.families.factor_fields.grids import FactorCodes, FactorGrids
from manyfields.families.factor_fields.transform.scene import CodedFactors, latent_cubes
from manyfields.shared_part import SharedPart

BOX = torch.tensor([[-0.5, -0.6, -0.4], [0.7, 0.6, 0.5]])
CONFIG = FactorConfig(
    sides=(4, 5, 7),
    widths=(3, 1, 2),
    frequencies=(1.0, 2.0, 3.3),
    coefficients=4,
    projection=8,
    features=5,
    hidden=8,
    view_frequencies=2,
    guide_side=8,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def new_shared(config: FactorConfig = CONFIG) -> SharedPart:
    return SharedPart(FactorFamily(config, generator()), None)


def random_grids(config: FactorConfig = CONFIG, seed: int = 0, scale: float = 1.0) -> FactorGrids:
    """With numbers in them that tell all texels apart."""
    draw = generator(seed)
    grids = FactorFamily(config, draw).new_grids(BOX, draw)
    return grids.with_tensors([scale * torch.randn(tensor.shape, generator=draw) for tensor in grids.tensors])


def random_codes(config: FactorConfig = CONFIG, count: int = 1, scale: float = 1.0) -> FactorCodes:
    return FactorCodes(tuple(random_grids(config, seed, scale) for seed in range(count)))


def coded(latent: int = 3, hidden: int = 4, bits: int = 8, coefficient_bits: int = 8, seed: int = 0) -> CodedFactors:
    """A scene of `CONFIG` in transform coding, with numbers that survive being stored."""
    draw = generator(seed)
    cubes = latent_cubes(CONFIG.sides)
    masks = tuple(torch.rand(cube, generator=draw) > 0.3 for cube in cubes)
    latents = tuple(torch.randint(-3, 4, (latent, *mask.shape), generator=draw) * mask for mask in masks)
    numbers = torch.randn(4 * 3 * 2 * sum(CONFIG.widths), generator=draw)
    numbers = decode_network(encode_network(numbers, coefficient_bits), len(numbers), coefficient_bits)
    decoder = TransformDecoder(latent, hidden, max(CONFIG.widths), bits, draw, dimensions=3)
    with torch.no_grad():
        decoder.first_bias.copy_(torch.randn(hidden, generator=draw))
    frequencies = torch.tensor([[5, 10, 9, 16, 12, 9, 3]]).repeat(latent, 1)
    return CodedFactors(
        BOX,
        (torch.rand(8, 8, 8, generator=draw) > 0.5).to(torch.uint8),
        CONFIG.sides,
        CONFIG.widths,
        torch.tensor([0.5, 0.125, 2.0]),
        numbers.view(2, 3, 4, -1),
        coefficient_bits,
        decoder.whole(),
        masks,
        latents,
        LatentTables(frequencies, 6, -3),
    )
