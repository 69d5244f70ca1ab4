"""Images or voxels of a fit as tensors: the cells of one grid, and what every instance has in them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from manyfields.views.instances import Instance

NEAR = 0.75  # share of a step's points that lie near a voxel object's surface


def grid_points(side: int, dimensions: int) -> Float[Tensor, "P D"]:
    """Centres of the cells of [-1, 1]^D, row by row. Of images: x to the right, y down. Of voxels: x, y, z."""
    axis = (torch.arange(side) + 0.5) / side * 2.0 - 1.0
    places = torch.cartesian_prod(*[axis] * dimensions).view(-1, dimensions)
    return places.flip(-1) if dimensions == 2 else places


class InstanceData:
    """Instances of one stage or wave. What a step sees depends on its generator alone."""

    def __init__(self, instances: Sequence[Instance], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.objects = list(instances)
        self.side = self.objects[0].side
        values = np.stack([item.values for item in self.objects])
        self.values: UInt8[Tensor, "I P K"] = torch.from_numpy(values).to(self.device)
        self.dimensions = 2 if self.values.shape[-1] == 3 else 3
        self.points = grid_points(self.side, self.dimensions).to(self.device)

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def views(self) -> int:
        """What an epoch sees: each instance once."""
        return len(self)

    def whole(self, rows: Int[Tensor, " B"]) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P K"]]:
        """All cells of some instances, and the values there in [0, 1]."""
        return self.points.expand(len(rows), -1, -1), self.values[rows].float() / 255.0

    def draw(
        self, rows: Int[Tensor, " B"], count: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B N K"]]:
        """`count` random cells of each (all of them where there are no more): of voxels mostly those near surfaces."""
        cells = len(self.points)
        if count >= cells:
            return self.whole(rows)
        place = torch.randint(cells, (len(rows), count), generator=generator).to(self.device)
        if self.dimensions == 3:
            numbers, first, lengths = self._near
            drawn = torch.rand(len(rows), round(NEAR * count), generator=generator, dtype=torch.float64)
            among = (drawn.to(self.device) * lengths[rows, None]).long()
            place[:, : among.shape[1]] = numbers[first[rows, None] + among]
        return self.points[place], self.values[rows[:, None], place].float() / 255.0

    @cached_property
    def _near(self) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of the cells within two of a surface, instance after instance; where each begins, and how many."""
        found = []
        for value in self.values[..., 0]:
            solid = (value > 0).float().view(1, 1, *[self.side] * 3)
            grown = functional.max_pool3d(solid, 5, 1, 2) > 0
            shrunk = -functional.max_pool3d(-solid, 5, 1, 2) > 0
            found.append((grown & ~shrunk).flatten().nonzero().squeeze(1).to(torch.int32))
        lengths = torch.tensor([len(each) for each in found], device=self.device)
        return torch.cat(found).long(), lengths.cumsum(0) - lengths, lengths
