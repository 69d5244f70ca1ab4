"""Grids of tensor fields: what one scene owns, as planes and vectors whose products are its features.

    VM   feature = plane_XY(x, y) * vector_Z(z),  plane_XZ(x, z) * vector_Y(y),  plane_YZ(y, z) * vector_X(x)
    CP   feature = vector_Z(z) * vector_Y(y) * vector_X(x)

TensoRF (Chen et al. 2022), equations 3 and 5. Components lie last, so that one point reads whole rows of memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, VECTOR_AXES, Resolution
from manyfields.fields.scenes import SceneCodes

START_NOISE = 0.1

Kind = Literal["vm", "cp"]


@dataclass(frozen=True, eq=False)
class Factors:
    """Three planes (rows, columns, C) with a vector (length, C) each, or three vectors alone (CP).

    Planes are XY, XZ, YZ: the first letter runs along the columns. Vectors run along z, y, x.

    >>> factors = Factors.random("vm", (6, 5, 4), 3, None)
    >>> [tuple(plane.shape) for plane in factors.planes], [len(vector) for vector in factors.vectors]
    ([(5, 6, 3), (4, 6, 3), (4, 5, 3)], [4, 5, 6])
    """

    planes: tuple[Tensor, ...]
    vectors: tuple[Tensor, ...]

    @staticmethod
    def random(kind: Kind, resolution: Resolution, components: int, generator: torch.Generator | None) -> "Factors":
        shapes = [(resolution[row], resolution[column]) for row, column in zip(ROW_AXES, COLUMN_AXES, strict=True)]
        planes = shapes if kind == "vm" else []
        return Factors(
            tuple(START_NOISE * torch.randn(*shape, components, generator=generator) for shape in planes),
            tuple(START_NOISE * torch.randn(resolution[a], components, generator=generator) for a in VECTOR_AXES),
        )

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Planes, then vectors."""
        return self.planes + self.vectors

    def with_tensors(self, tensors: Sequence[Tensor]) -> "Factors":
        """The same factors with other numbers: `tensors` in the order of those of this one."""
        count = len(self.planes)
        return Factors(tuple(tensors[:count]), tuple(tensors[count:]))

    @property
    def resolution(self) -> Resolution:
        z, y, x = (len(vector) for vector in self.vectors)
        return x, y, z

    @property
    def components(self) -> int:
        return self.vectors[0].shape[-1]

    def upsampled(self, resolution: Resolution) -> "Factors":
        """Planes bilinearly, vectors linearly interpolated; the outermost texels stay where they are."""
        planes = tuple(
            _resized(plane, (resolution[ROW_AXES[n]], resolution[COLUMN_AXES[n]]))
            for n, plane in enumerate(self.planes)
        )
        vectors = tuple(
            _resized(vector[:, None], (resolution[VECTOR_AXES[n]], 1))[:, 0] for n, vector in enumerate(self.vectors)
        )
        return Factors(planes, vectors)

    def cut(self, first: Resolution, last: Resolution) -> "Factors":
        """The texels from `first` to `last`, both included."""
        part = [slice(low, high + 1) for low, high in zip(first, last, strict=True)]
        planes = (plane[part[ROW_AXES[n]], part[COLUMN_AXES[n]]] for n, plane in enumerate(self.planes))
        vectors = (vector[part[VECTOR_AXES[n]]] for n, vector in enumerate(self.vectors))
        return Factors(tuple(p.contiguous() for p in planes), tuple(v.contiguous() for v in vectors))


def _resized(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """A grid (H, W, C) of another size."""
    wide = functional.interpolate(grid.permute(2, 0, 1)[None], size, mode="bilinear", align_corners=True)
    return wide[0].permute(1, 2, 0).contiguous()


@dataclass(frozen=True, eq=False)
class TensorGrids:
    """One scene: its box, whose faces the outermost texels lie on, and the factors of density and appearance.

    >>> box, mask = torch.tensor([[-1.0, -1, -1], [1, 1, 1]]), torch.ones(4, 4, 4, dtype=torch.uint8)
    >>> grids = TensorGrids(box, *[Factors.random("vm", (6, 5, 4), 2, None) for _ in range(2)], mask)
    >>> grids.upsampled((12, 10, 8)).resolution
    (12, 10, 8)
    """

    box: Float[Tensor, "2 3"]
    density: Factors
    appearance: Factors
    mask: UInt8[Tensor, "G G G"]
    """Cells of the box that may hold something: the alpha mask."""
    map: Float[Tensor, "4 4"] | None = None
    """Of forward-facing scenes: the projective map from the object's space to that of the box."""
    network: Float[Tensor, " p"] | None = None
    """Numbers of a network of the scene's own, in the place of the family's: see `TensorFamily.numbers`."""

    @property
    def resolution(self) -> Resolution:
        return self.density.resolution

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that learns: factors of density, then those of appearance."""
        return self.density.tensors + self.appearance.tensors

    def with_tensors(self, tensors: Sequence[Tensor]) -> "TensorGrids":
        """The same scene with other numbers in its factors, such as decoded ones, in the order of `tensors`."""
        count = len(self.density.tensors)
        density, appearance = (
            self.density.with_tensors(tensors[:count]),
            self.appearance.with_tensors(tensors[count:]),
        )
        return replace(self, density=density, appearance=appearance)

    def upsampled(self, resolution: Resolution) -> "TensorGrids":
        return replace(
            self, density=self.density.upsampled(resolution), appearance=self.appearance.upsampled(resolution)
        )

    def shrunk(self, box: Float[Tensor, "2 3"], mask: UInt8[Tensor, "G G G"]) -> "TensorGrids":
        """Without the texels that lie outside `box`: the new box reaches to the next texels.

        `mask` is that of the new box; `shrunk_box` says which box that is.
        """
        first, last = self._texels(box)
        kept = self.shrunk_box(box)
        density, appearance = self.density.cut(first, last), self.appearance.cut(first, last)
        return TensorGrids(kept, density, appearance, mask, self.map, self.network)

    def shrunk_box(self, box: Float[Tensor, "2 3"]) -> Float[Tensor, "2 3"]:
        """`box`, widened to where texels are."""
        first, last = self._texels(box)
        steps = torch.tensor(self.resolution, device=self.box.device) - 1
        shares = torch.tensor([first, last], device=self.box.device) / steps
        # Ends that are kept stay the same to the last bit.
        inner = self.box[0] + shares * (self.box[1] - self.box[0])
        return torch.where(shares == 1.0, self.box[1], inner)

    def _texels(self, box: Tensor) -> tuple[Resolution, Resolution]:
        """First and last texel of the cells of texels that `box` reaches into: at least two on each axis."""
        steps = torch.tensor(self.resolution, device=self.box.device) - 1
        places = (box - self.box[0]) / (self.box[1] - self.box[0]) * steps
        low = places[0].add(1e-4).floor().long().clamp(min=0).minimum(steps - 1)
        high = places[1].sub(1e-4).ceil().long().minimum(steps).maximum(low + 1)
        (left, front, bottom), (right, back, top) = low.tolist(), high.tolist()
        return (left, front, bottom), (right, back, top)

    def codes(self) -> "TensorCodes":
        """This scene alone (B = 1)."""
        return TensorCodes((self,))

    def to(self, device: torch.device | str) -> "TensorGrids":
        moved = self.with_tensors([tensor.to(device) for tensor in self.tensors])
        moved = replace(moved, box=self.box.to(device), mask=self.mask.to(device))
        map, network = (None if own is None else own.to(device) for own in (self.map, self.network))
        return replace(moved, map=map, network=network)


class TensorCodes(SceneCodes[TensorGrids]):
    """Codes of B scenes; each has a resolution and a box of its own.

    >>> box, mask = torch.tensor([[-1.0, -1, -1], [1, 1, 1]]), torch.ones(4, 4, 4, dtype=torch.uint8)
    >>> grids = TensorGrids(box, *[Factors.random("vm", (6, 5, 4), 2, None) for _ in range(2)], mask)
    >>> len(TensorCodes((grids, grids))[0])
    1
    """
