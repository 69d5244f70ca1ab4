"""When a fit of tensor fields refines its grids, masks what is empty, and what it adds to the loss."""

from dataclasses import dataclass
from functools import cached_property

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.fitting.phases import Shares, falls_on


@dataclass(frozen=True)
class TensorSchedule:
    """Shares of a phase's steps at which something changes, and weights of losses. The defaults are TensoRF's."""

    first: int = 128
    """Texels along one side of a cube, before the first upsampling; boxes get as many in all."""
    last: int = 300
    """Likewise after the last upsampling."""
    upsample_at: Shares = (2 / 30, 3 / 30, 4 / 30, 5.5 / 30, 7 / 30)
    """When grids get more texels."""
    mask_at: Shares = (2 / 30, 4 / 30)
    """When cells are masked that the field leaves empty, and the box is shrunk to the rest."""
    sparsity: float = 8e-5
    """Weight of the mean magnitude of density's planes and vectors (L1), up to the first mask."""
    sparsity_after: float = 4e-5
    """Likewise after it."""
    density_variation: float = 0.0
    """Weight of the total variation of the planes of density."""
    appearance_variation: float = 0.0
    """Weight of the total variation of the planes of appearance."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 2 <= self.first <= self.last or self.last > 2048:
            raise ConfigError(f"grids of {self.first} to {self.last} texels a side: from 2 to 2048, coarse first")
        for name in ("upsample_at", "mask_at"):
            if any(not 0.0 < share < 1.0 for share in getattr(self, name)):
                raise ConfigError(f"{name} {getattr(self, name)}: shares of the steps, between 0 and 1")
        if min(self.sparsity, self.sparsity_after, self.density_variation, self.appearance_variation) < 0:
            raise ConfigError("weights of sparsity and variation must not be below 0")

    @cached_property
    def sides(self) -> tuple[int, ...]:
        """Texels a side after each upsampling: the number of texels grows by the same factor each time."""
        count = len(self.upsample_at)
        return tuple(round(self.first * (self.last / self.first) ** ((n + 1) / count)) for n in range(count))

    def side_at(self, index: int, steps: int) -> int | None:
        """The side that grids get just before step `index` of `steps`; None where they stay as they are."""
        due = [
            side
            for share, side in zip(sorted(self.upsample_at), self.sides, strict=True)
            if falls_on(share, index, steps)
        ]
        return due[-1] if due else None

    def masks_at(self, index: int, steps: int) -> bool:
        """Whether what is empty is masked just before step `index`."""
        return any(falls_on(share, index, steps) for share in self.mask_at)

    def sparsity_at(self, index: int, steps: int) -> float:
        masked = bool(self.mask_at) and index >= round(min(self.mask_at) * steps)
        return self.sparsity_after if masked else self.sparsity
