"""One scene of tensor fields as transform coding stores it: whole numbers from which its planes are made again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from manyfields.compression.transform_decoder import WholeDecoder, latent_side
from manyfields.compression.transform_hyper import CodedHyper
from manyfields.compression.transform_latents import LatentTables, kept_latents
from manyfields.fields import Factors, TensorGrids
from manyfields.fields.plane_features import COLUMN_AXES, ROW_AXES
from manyfields.fields.tensor_grids import Resolution


@dataclass(frozen=True, eq=False)
class CodedScene:
    """Latents (Z, h, w) of the planes XY, XZ, YZ, 0 where their masks (h, w) are, and all else of the scene."""

    box: Float[Tensor, "2 3"]
    alpha: UInt8[Tensor, "G G G"]
    """The alpha mask: cells of the box that may hold something."""
    map: Float[Tensor, "4 4"] | None
    resolution: Resolution
    components: tuple[int, int]
    """Channels of each plane that are those of density, and of appearance: one decoder makes both."""
    vectors: tuple[Tensor, ...]
    """Three of density, three of appearance."""
    vector_bits: int
    decoder: WholeDecoder
    masks: tuple[Tensor, ...]
    latents: tuple[Tensor, ...]
    tables: LatentTables
    """One context a channel; with a hyperprior: one a class."""
    hyper: CodedHyper | None = None
    network: Float[Tensor, " p"] | None = None
    """Of the scene's own, in the place of that of the shared part."""
    network_bits: int = 8
    common: bool = False
    """Decoder and tables are those of the codec, which has them for all scenes: see `CommonTransform`."""

    @staticmethod
    def of_grids(grids: TensorGrids, **learned: Any) -> "CodedScene":
        """A scene with the box, masks and sizes of `grids`. `learned`: everything else, by name."""
        components = grids.density.components, grids.appearance.components
        return CodedScene(
            box=grids.box,
            alpha=grids.mask,
            map=grids.map,
            resolution=grids.resolution,
            components=components,
            **learned,
        )

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return plane_sizes(self.resolution)

    def contexts(self) -> Int[np.ndarray, " m"] | None:
        """The table of each latent that is stored; None where that is the one of its channel."""
        if self.hyper is None:
            return None
        return kept_latents(self.hyper.classes(latent_sizes(self.resolution)), self.masks).flatten().numpy()

    def grids(self) -> TensorGrids:
        """The scene, decoded: the same bits in every process on a machine."""
        planes = [self.decoder(latents, size) for latents, size in zip(self.latents, self.sizes, strict=True)]
        made = grids_of(planes, self.vectors, self.components, self.box, self.alpha, self.map)
        return replace(made, network=self.network)


def plane_sizes(resolution: Resolution) -> list[tuple[int, int]]:
    """(H, W) of the planes XY, XZ, YZ."""
    return [(resolution[row], resolution[column]) for row, column in zip(ROW_AXES, COLUMN_AXES, strict=True)]


def latent_sizes(resolution: Resolution) -> list[tuple[int, int]]:
    """(h, w) of their latents."""
    return [(latent_side(rows), latent_side(columns)) for rows, columns in plane_sizes(resolution)]


def stacked_planes(grids: TensorGrids) -> list[Float[Tensor, "C _ _"]]:
    """Planes of density and appearance as channels of one image each."""
    pairs = zip(grids.density.planes, grids.appearance.planes, strict=True)
    return [torch.cat(pair, -1).permute(2, 0, 1).contiguous() for pair in pairs]


def grids_of(
    planes: Sequence[Float[Tensor, "C _ _"]],
    vectors: Sequence[Float[Tensor, "_ _"]],
    components: tuple[int, int],
    box: Float[Tensor, "2 3"],
    alpha: UInt8[Tensor, "G G G"],
    map: Float[Tensor, "4 4"] | None,
) -> TensorGrids:
    """The inverse of `stacked_planes`, with all else that a scene has. Gradients reach planes and vectors."""
    parts = [plane.permute(1, 2, 0).split(components, -1) for plane in planes]
    density, appearance = (
        Factors(tuple(part[n].contiguous() for part in parts), tuple(vectors[3 * n : 3 * n + 3])) for n in (0, 1)
    )
    return TensorGrids(box, density, appearance, alpha, map)
