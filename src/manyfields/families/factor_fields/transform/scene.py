"""One scene of factor fields as transform coding stores it: whole numbers from which its basis grids are made again."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.compression.halves import as_halves
from manyfields.compression.transform.decoder import LEAST_SCALE, WholeDecoder, latent_side
from manyfields.compression.transform.latents import LatentTables
from manyfields.families.factor_fields.grids import FactorGrids


@dataclass(frozen=True, eq=False)
class CodedFactors:
    """Latents (Z, d, h, w) of the basis grid of each level, 0 where their masks (d, h, w) are, and all else."""

    box: Float[Tensor, "2 3"]
    alpha: UInt8[Tensor, "G G G"]
    """The alpha mask: cells of the box that may hold something."""
    sides: tuple[int, ...]
    widths: tuple[int, ...]
    """Texels along the grid of each level, and its channels: the first of those that the decoder makes."""
    scales: Float[Tensor, " L"]
    """What the decoder's numbers are multiplied with, in each level: one decoder makes all levels, each as loud."""
    coefficients: Float[Tensor, "_ _ _ C"]
    coefficient_bits: int
    decoder: WholeDecoder
    masks: tuple[Tensor, ...]
    latents: tuple[Tensor, ...]
    tables: LatentTables

    def grids(self) -> FactorGrids:
        """The scene, decoded: the same bits in every process on a machine."""
        levels = zip(self.latents, self.sides, self.widths, strict=True)
        made = [self.decoder(latents, (side,) * 3)[:width] for latents, side, width in levels]
        return factors_of(made, self.scales, self.coefficients, self.box, self.alpha)


def latent_cubes(sides: Sequence[int]) -> list[tuple[int, int, int]]:
    """(d, h, w) of the latents of basis grids with so many texels a side."""
    return [(latent_side(side),) * 3 for side in sides]


def level_scales(grids: FactorGrids) -> Float[Tensor, " L"]:
    """How loud the basis grids are, as float16 holds it."""
    loudness = torch.stack([basis.detach().square().mean().sqrt() for basis in grids.bases])
    return as_halves(loudness.clamp(min=LEAST_SCALE))


def level_volumes(grids: FactorGrids, scales: Float[Tensor, " L"]) -> list[Float[Tensor, "_ _ _ _"]]:
    """Basis grids with channels first, all as loud."""
    pairs = zip(grids.bases, scales, strict=True)
    return [(basis.detach() / scale).permute(3, 0, 1, 2).contiguous() for basis, scale in pairs]


def factors_of(
    volumes: Sequence[Float[Tensor, "_ _ _ _"]],
    scales: Float[Tensor, " L"],
    coefficients: Float[Tensor, "_ _ _ C"],
    box: Float[Tensor, "2 3"],
    alpha: UInt8[Tensor, "G G G"],
) -> FactorGrids:
    """The inverse of `level_volumes`, with all else that a scene has. Gradients reach volumes and coefficients."""
    pairs = zip(volumes, scales, strict=True)
    bases = tuple((volume * scale).permute(1, 2, 3, 0).contiguous() for volume, scale in pairs)
    return FactorGrids(box, bases, coefficients, alpha)
