"""One scene of tensor fields by a pyramid of latents whose channels are what its pictures are sensitive to.

    latents of all levels ── sum, coarse made finer ──► / gain of the texel ── mix of the plane ──► planes

A mix takes the latents of a texel to its components: its rows are directions in which an error of one unit changes
pictures alike (see `sensitivity`). Gains, known at every fourth texel, make steps finer where much is seen. All is sums
and products of whole numbers that float64 holds exactly: the same bits on any number of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from manyfields.compression.latent_contexts import PyramidTables
from manyfields.compression.latent_pyramid import PADDING, STRIDE, bilinear_kernel, latents_that_count, sides_of
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.pyramid.vectors import decode_own_network, decode_vectors
from manyfields.families.tensor_planes.stacked_planes import grids_of, plane_sizes
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, Resolution

GAIN_LEVELS = 3  # gains have every fourth texel
GAINS_OF_OCTAVE = 4
MOST_GAIN = 20  # to either side: five octaves
GAIN_UNIT = 2.0**10
WIDEST_MIX, MOST_SHIFT = 127, 8

Gains = Int[Tensor, "3 _h _h"]


@dataclass(frozen=True, eq=False)
class Mixes:
    """Of each plane: whole numbers up to 127, doubled as often as `shifts` say by row, in units of `units`."""

    whole: Int[Tensor, "3 C C"]
    shifts: Int[Tensor, "3 C"]
    units: Float[Tensor, " 3"]

    @staticmethod
    def of(mixes: Float[Tensor, "3 C C"]) -> "Mixes":
        rows = mixes.abs().amax(2).clamp(min=1e-12)
        units = rows.amax(1) / (WIDEST_MIX * 2**MOST_SHIFT)
        shifts = (rows / (WIDEST_MIX * units[:, None])).log2().ceil().clamp(0, MOST_SHIFT).long()
        steps = units[:, None] * 2.0**shifts
        whole = (mixes / steps[..., None]).round().clamp(-WIDEST_MIX, WIDEST_MIX).long()
        return Mixes(whole, shifts, units.float())

    def floats(self) -> Float[Tensor, "3 C C"]:
        """float64."""
        return self._shifted() * self.units.double()[:, None, None]

    def __call__(self, sums: Float[Tensor, "3 H W C"]) -> Float[Tensor, "3 H W C"]:
        made = torch.einsum("phwz,pzc->phwc", sums, self._shifted())
        return (made * self.units.double().view(3, 1, 1, 1)).float()

    def _shifted(self) -> Float[Tensor, "3 C C"]:
        return self.whole.double() * 2.0 ** self.shifts.double()[..., None]


@dataclass(frozen=True, eq=False)
class PyramidScene:
    """Latents (3, h, h, C) of the levels, coarse first, of planes padded to squares; and all else of the scene."""

    box: Float[Tensor, "2 3"]
    alpha: UInt8[Tensor, "G G G"]
    """The alpha mask: cells of the box that may hold something. Texels that none of them reads have no latents."""
    map: Float[Tensor, "4 4"] | None
    resolution: Resolution
    components: tuple[int, int]
    vectors: bytes
    """Of density and of appearance (`pyramid_vectors`)."""
    mixes: Mixes
    gains: Gains
    """How often to take the fourth root of two, at every fourth texel."""
    latents: tuple[Int[np.ndarray, "3 _h _h C"], ...]
    tables: PyramidTables
    network: bytes | None = None
    """Of the scene's own, in the place of that of the shared part."""

    @property
    def side(self) -> int:
        return side_of(self.resolution)

    def masks(self) -> list[Bool[np.ndarray, "3 _h _h"]]:
        """Where the levels have latents."""
        texels = texels_read(self.alpha, self.resolution)
        return [mask.numpy() for mask in latents_that_count(texels, len(self.latents))]

    @torch.no_grad()
    def grids(self, numbers: int) -> TensorGrids:
        """The scene, decoded. `numbers`: of a network. Raises CollectionError where vectors or network are damaged."""
        sums = pyramid_sums([torch.from_numpy(own) for own in self.latents], self.side)
        texels = texels_read(self.alpha, self.resolution)
        inverse = inverse_gains(self.gains, self.side)
        planes = cropped(self.mixes(sums * (inverse * texels)[..., None]), self.resolution)
        vectors = decode_vectors(self.vectors, self.resolution, self.components)
        made = grids_of(planes, vectors, self.components, self.box, self.alpha, self.map)
        return replace(made, network=None if self.network is None else decode_own_network(self.network, numbers))


def side_of(resolution: Resolution) -> int:
    """Of the squares that planes are padded to."""
    return max(resolution)


def squared(planes: Sequence[Float[Tensor, "C _ _"]], side: int) -> Float[Tensor, "3 H W C"]:
    """Planes padded to squares, channels last. The inverse of `cropped`."""
    padded = [functional.pad(plane, (0, side - plane.shape[2], 0, side - plane.shape[1])) for plane in planes]
    return torch.stack(padded).permute(0, 2, 3, 1)


def cropped(planes: Float[Tensor, "3 H W C"], resolution: Resolution) -> list[Float[Tensor, "C _ _"]]:
    sizes = plane_sizes(resolution)
    return [plane[:rows, :columns].permute(2, 0, 1) for plane, (rows, columns) in zip(planes, sizes, strict=True)]


def texels_read(alpha: UInt8[Tensor, "G G G"], resolution: Resolution) -> Bool[Tensor, "3 H W"]:
    """Texels of the squares that some point in a cell of the alpha mask reads."""
    side, filled = side_of(resolution), alpha.bool()
    texels = torch.zeros(3, side, side, dtype=torch.bool)
    for number, (row, column) in enumerate(zip(ROW_AXES, COLUMN_AXES, strict=True)):
        (other,) = {0, 1, 2} - {row, column}
        seen = filled.any(other)  # of the two axes that are left, the lower one first
        seen = seen.T if row > column else seen
        for axis, count in ((0, resolution[row]), (1, resolution[column])):
            seen = torch.stack(_within(seen, axis, count), axis)
        texels[number, : resolution[row], : resolution[column]] = seen
    return texels


def _within(seen: Bool[Tensor, "_ _"], axis: int, count: int) -> list[Tensor]:
    """For each of `count` texels along an axis: whether a cell that is nearer than the next texel is set."""
    cells, spaces = seen.shape[axis], count - 1
    found = []
    for texel in range(count):
        first = max(0, (texel - 1) * cells // spaces)
        last = min(cells, -(-(texel + 1) * cells // spaces))
        found.append(seen.narrow(axis, first, last - first).any(axis))
    return found


def finer_bilinear(planes: Float[Tensor, "P F h w"], side: int) -> Float[Tensor, "P F H W"]:
    """As `latent_pyramid.finer` with `bilinear_kernel`, channel by channel."""
    flat, kernel = planes.flatten(0, 1)[:, None], bilinear_kernel(1).to(planes)
    made = functional.conv_transpose2d(flat, kernel, stride=STRIDE, padding=PADDING)[..., :side, :side]
    return made.view(*planes.shape[:2], *made.shape[-2:])


def pyramid_sums(latents: Sequence[Int[Tensor, "3 _h _h C"]], side: int) -> Float[Tensor, "3 H W C"]:
    """All levels together (float64)."""
    sums = None
    for size, own in zip(sides_of(side, len(latents)), latents, strict=True):
        added = own.double().permute(0, 3, 1, 2)
        sums = added if sums is None else finer_bilinear(sums, size) + added
    assert sums is not None
    return sums.permute(0, 2, 3, 1)


def inverse_gains(gains: Gains, side: int) -> Float[Tensor, "3 H W"]:
    """What latents of every texel are multiplied by (float64, whole numbers of 2^-10): 2^(-gain / 4)."""
    between = gains.double()[:, None]
    for size in sides_of(side, GAIN_LEVELS)[1:]:
        between = finer_bilinear(between, size)
    table = (2.0 ** (-torch.arange(-MOST_GAIN, MOST_GAIN + 1).double() / GAINS_OF_OCTAVE) * GAIN_UNIT).round()
    return table[(between[:, 0].round() + MOST_GAIN).long()] / GAIN_UNIT
