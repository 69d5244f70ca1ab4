"""Which numbers of basis grids matter: how much of what training rays see is read from each."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.families.factor_fields.field import FactorField
from manyfields.families.factor_fields.products import read_factors
from manyfields.rendering.sampling import Sampler
from manyfields.rendering.seen_places import seen_places


def basis_importance(
    field: FactorField,
    rays: Rays,
    weights: Float[Tensor, " R"],
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "1 2 3"],
    guide: Float[Tensor, "1 G G G"],
) -> tuple[Float[Tensor, "_ _ _"], ...]:
    """Likewise of the texels of basis grids: all the places of the box where a grid repeats count together."""
    grids, config = field.grids[0], field.family.config
    ones = grids.with_tensors([torch.ones_like(own[..., :1]) for own in grids.tensors])
    learned = [basis.requires_grad_() for basis in ones.bases]
    for places, seen in seen_places(field, rays, weights, sampler, bounds=bounds, guide=guide):
        with torch.enable_grad():
            read = read_factors(ones, places, config.frequencies, config.wave)
            (read[:, : len(learned)] * seen[:, None]).sum().backward()
    return tuple(own.grad[..., 0] if own.grad is not None else own.detach()[..., 0] * 0 for own in learned)
