"""The planes of a scene as one stack of channels, cut to their sizes: what coders of planes see."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.families.tensor_planes.grids import Factors, TensorGrids
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, Resolution


def plane_sizes(resolution: Resolution) -> list[tuple[int, int]]:
    """(H, W) of the planes XY, XZ, YZ."""
    return [(resolution[row], resolution[column]) for row, column in zip(ROW_AXES, COLUMN_AXES, strict=True)]


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
