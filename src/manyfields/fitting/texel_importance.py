"""How much each texel of a scene's planes matters: the sum of what samples near it add to the training pixels.

    importance[texel] = sum over samples of (bilinear share of the texel) * T * alpha

Equation 4 of Neural NeRF Compression (2024), after Li et al. 2023. It is the gradient of a sum: that of each sample's
weight in its ray times what the sample reads of a plane of ones.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.errors import ConfigError
from manyfields.fields import Factors, TensorField
from manyfields.fields.tensor_products import summed_products
from manyfields.rendering import Sampler
from manyfields.rendering.compositing import compositing_weights
from manyfields.rendering.density_first import FAINTEST
from manyfields.rendering.guided import guided_samples
from manyfields.rendering.warping import warped

SPREAD = 0.02  # share of samples that look where the guide sees little, as in pictures


def texel_importance(
    field: TensorField,
    cameras: Cameras,
    bounds: Float[Tensor, "1 2 3"],
    guide: Float[Tensor, "1 G G G"],
    sampler: Sampler,
) -> tuple[Float[Tensor, "_ _"], ...]:
    """One map for each plane XY, XZ, YZ of one scene, of its size, from all pixels of `cameras` (V,).

    Faint samples count for nothing, as in pictures. Raises ConfigError for a scene without planes (CP).
    """
    (grids,) = field.grids
    if not grids.density.planes:
        raise ConfigError("a scene of vectors alone (kind 'cp') has no planes whose texels could matter")
    ones = Factors(
        tuple(torch.ones(*plane.shape[:2], 1).requires_grad_() for plane in grids.density.planes),
        tuple(torch.ones(len(vector), 1) for vector in grids.density.vectors),
    )
    for view in range(len(cameras)):
        rays = cameras[[view]].rays()
        if field.maps is not None:
            rays = warped(rays, field.maps)
        middles = torch.full((*rays.origins.shape[:2], sampler.guided), 0.5)
        distances, lengths, _ = guided_samples(
            rays.origins, rays.directions, bounds, guide, middles, bins=sampler.bins, spread=SPREAD
        )
        places, weights = _seen(field, rays.origins[0], rays.directions[0], distances[0], lengths[0])
        (weights * summed_products(ones, places)).sum().backward()
    return tuple(torch.zeros(plane.shape[:2]) if plane.grad is None else plane.grad[..., 0] for plane in ones.planes)


@torch.no_grad()
def _seen(
    field: TensorField, origins: Tensor, directions: Tensor, distances: Tensor, lengths: Tensor
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, " N"]]:
    """Samples of rays (R, 3), (R, 3), (R, S), (R, S) that are seen: their places in the box, and their weights."""
    (grids,) = field.grids
    filled = (lengths > 0).flatten().nonzero().squeeze(1)
    ray = filled // distances.shape[1]
    points = origins[ray] + distances.flatten()[filled, None] * directions[ray]
    density = distances.new_zeros(distances.numel()).index_copy(0, filled, field.density(points[None])[0])
    weights = compositing_weights(density.view(1, *distances.shape), lengths[None]).flatten()[filled]
    bright = weights > FAINTEST
    places = (points[bright] - grids.box[0]) / (grids.box[1] - grids.box[0])
    return places, weights[bright]
