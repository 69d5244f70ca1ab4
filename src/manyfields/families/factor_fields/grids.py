"""Grids of factor fields: what one scene owns, as small basis grids that repeat in space and coarse coefficients.

    features(x) = coefficients(x) * concat over levels l of basis_l(wave(frequency_l * x))

Factor Fields (Chen et al. 2023), equation 8, with grids for both factors (DiF-Grid). Channels lie last, so that one
point reads whole rows of memory; before them come z, y, x.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields.axes import Resolution
from manyfields.fields.scenes import SceneCodes

START_NOISE = 0.1

Wave = Literal["sawtooth", "triangle"]
"""How basis grids repeat: side by side, or each mirrored, so that neighbours meet in the same numbers."""


@dataclass(frozen=True, eq=False)
class FactorGrids:
    """One scene: its box, whose faces the outermost coefficients lie on, and both factors.

    `bases` are cubes (D, D, D, C_l), fine levels last; `coefficients` (z, y, x, C) have the channels of all of them.

    >>> box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    >>> grids = FactorGrids.random(box, sides=(4, 6), widths=(2, 3), resolution=(8, 8, 8), cells=4, generator=None)
    >>> [tuple(basis.shape) for basis in grids.bases], grids.coefficients.shape
    ([(4, 4, 4, 2), (6, 6, 6, 3)], torch.Size([8, 8, 8, 5]))
    """

    box: Float[Tensor, "2 3"]
    bases: tuple[Tensor, ...]
    coefficients: Float[Tensor, "_ _ _ C"]
    mask: UInt8[Tensor, "G G G"]
    """Cells of the box that may hold something: the alpha mask."""

    @staticmethod
    def random(
        box: Float[Tensor, "2 3"],
        sides: Sequence[int],
        widths: Sequence[int],
        resolution: Resolution,
        cells: int,
        generator: torch.Generator | None,
    ) -> "FactorGrids":
        """Noise times coefficients of 1, in all of the box. `sides` and `widths`: D and C of each level."""
        x, y, z = resolution
        bases = [
            START_NOISE * torch.randn(side, side, side, width, generator=generator)
            for side, width in zip(sides, widths, strict=True)
        ]
        mask = torch.ones(cells, cells, cells, dtype=torch.uint8)
        return FactorGrids(box.clone(), tuple(bases), torch.ones(z, y, x, sum(widths)), mask)

    @property
    def map(self) -> None:
        """Forward-facing scenes are not for these fields."""
        return None

    @property
    def resolution(self) -> Resolution:
        """Of the coefficients."""
        z, y, x, _ = self.coefficients.shape
        return x, y, z

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that learns: basis grids, then the coefficients."""
        return (*self.bases, self.coefficients)

    def with_tensors(self, tensors: Sequence[Tensor]) -> "FactorGrids":
        """The same scene with other numbers, in the order of `tensors`."""
        return replace(self, bases=tuple(tensors[:-1]), coefficients=tensors[-1])

    def codes(self) -> "FactorCodes":
        """This scene alone (B = 1)."""
        return FactorCodes((self,))

    def to(self, device: torch.device | str) -> "FactorGrids":
        moved = self.with_tensors([tensor.to(device) for tensor in self.tensors])
        return replace(moved, box=self.box.to(device), mask=self.mask.to(device))


class FactorCodes(SceneCodes[FactorGrids]):
    """Codes of B scenes; each has a box of its own, and as many coefficients as it wants.

    >>> box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    >>> grids = FactorGrids.random(box, sides=(4, 6), widths=(2, 3), resolution=(8, 8, 8), cells=4, generator=None)
    >>> len(FactorCodes((grids, grids)))
    2
    """


ONCE, SAWTOOTH, TRIANGLE = range(3)
KINDS = {"sawtooth": SAWTOOTH, "triangle": TRIANGLE}
