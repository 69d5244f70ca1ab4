"""The error of one object of fused planes against its training pixels, whatever its micro planes are made of."""

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.fused_planes.field import PlaneField
from manyfields.families.fused_planes.stored_texels import texels_that_count
from manyfields.fields import Codes
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.rendering import Sampler, color_error
from manyfields.shared_part import SharedPart

DRAWS = 4  # of rays, from which the error before is told
LEAST = 1e-8


class PlaneLoss:
    """Random training pixels of `item`, rendered through `shared` with all of the code (B = 1) but its micro planes.

    Samples are placed by the guide of the code, as it is when this is made.
    """

    def __init__(
        self, shared: SharedPart, item: FittingObject, code: Codes, sampler: Sampler, *, rays: int = 2048, seed: int = 0
    ) -> None:
        """ValueError for families in a latent space: their planes are not fitted to pixels."""
        if shared.autoencoder is not None:
            raise ValueError("planes in a latent space are not fitted to pixels")
        self.shared, self.sampler, self.rays, self.seed, self.id = shared, sampler, rays, seed, item.id
        self.texels = texels_that_count(code)[0]
        self.micro = code.tensors["micro"][0].float()
        self.data = FittingData([item])
        self._inside = self.data.bounds if shared.family.config.span == "box" else None
        with torch.no_grad():
            self._guide = shared.guide(code, self.data.bounds)
            self._table = shared.family.planes(code).detach().clone()

    @cached_property
    def before(self) -> float:
        """The error that the code has as it is."""
        planes = self.micro * self.texels[..., None]
        with torch.no_grad():
            errors = [float(self(planes, "before", draw)) for draw in range(DRAWS)]
        return max(sum(errors) / DRAWS, LEAST)

    def __call__(self, planes: Float[Tensor, "3 H W F"], purpose: str, step: int) -> Float[Tensor, ""]:
        """Mean squared error, with gradients to the planes.

        Which pixels are drawn depends on (seed, purpose, object, step) alone.
        """
        self._table[..., : planes.shape[-1]] = planes.detach()
        generator = torch.Generator().manual_seed(stable_seed(self.seed, purpose, self.id, step))
        row = torch.zeros(1, dtype=torch.int64)
        rays, colors, weights = self.data.pool.draw(row, self.rays, generator)
        return color_error(
            PlaneField(self.shared.family, self._table, self._inside, rows=row, learned=planes[None]),
            rays,
            colors,
            self.sampler,
            bounds=self.data.bounds,
            guide=self._guide,
            background=self.shared.background,
            weights=weights,
            generator=generator,
        )
