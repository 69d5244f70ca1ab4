"""The error of one scene against its training pixels, whatever its grids are made of."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields import SceneGrids
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.rendering import Sampler, color_error
from manyfields.shared_part import SharedPart


class SceneLoss:
    """Random training pixels of `item`, rendered with a copy of the network of `shared`, which may learn.

    Samples are placed by the guide of `grids`, as they are when this is made.
    """

    def __init__(
        self,
        shared: SharedPart,
        grids: SceneGrids,
        item: FittingObject,
        sampler: Sampler,
        *,
        rays: int = 4096,
        half: bool = False,
        seed: int = 0,
    ) -> None:
        self.shared = copy.deepcopy(shared).requires_grad_(False)
        self.sampler, self.rays, self.half, self.seed = sampler, rays, half, seed
        item.bounds = grids.box
        if grids.map is not None:
            item.hull, item.pixels = None, None  # silhouettes say nothing about a box of another space
        self.id, self.data = item.id, FittingData([item])
        guide = self.shared.guide(grids.codes(), self.data.bounds)
        assert guide is not None
        self.guide: Float[Tensor, "1 G G G"] = guide

    def __call__(self, grids: SceneGrids, purpose: str, step: int) -> Float[Tensor, ""]:
        """Mean squared error, with gradients to the grids and to parameters that ask for them.

        Which pixels are drawn depends on (seed, purpose, object, step) alone.
        """
        generator = torch.Generator().manual_seed(stable_seed(self.seed, purpose, self.id, step))
        rays, colors, weights = self.data.pool.draw(torch.zeros(1, dtype=torch.int64), self.rays, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            return color_error(
                self.shared.family.field(grids.codes()),
                rays,
                colors,
                self.sampler,
                bounds=self.data.bounds,
                guide=self.guide,
                background=self.shared.background,
                weights=weights,
                generator=generator,
            )
