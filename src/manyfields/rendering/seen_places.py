"""Which places training rays see, and how much of their colour comes from each."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.fields import SceneField
from manyfields.fields.compositing import compositing_weights
from manyfields.fields.scenes import places_of
from manyfields.rendering.guided import guided_samples
from manyfields.rendering.render import SPREAD_AT_REST
from manyfields.rendering.sampling import Sampler, draw_offsets
from manyfields.rendering.warping import warped

FLOOR = 0.01  # added to scores before their logarithm
RAYS_AT_ONCE = 4096
Maps = tuple[Tensor, ...]
"""Of the planes XY, XZ, YZ, each (H, W)."""


@torch.no_grad()
def seen_places(
    field: SceneField,
    rays: Rays,
    weights: Float[Tensor, " R"],
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "1 2 3"],
    guide: Float[Tensor, "1 G G G"],
) -> Iterator[tuple[Float[Tensor, "N 3"], Float[Tensor, " N"]]]:
    """Samples of rays (1, R) in the box of a scene (0 and 1 are its faces), and what each adds to its ray's colour."""
    if field.maps is not None:
        rays = warped(rays, field.maps)
    for part in torch.arange(rays.origins.shape[1]).split(RAYS_AT_ONCE):
        origins, directions = rays.origins[:, part], rays.directions[:, part]
        offsets = draw_offsets(origins.new_empty(1, len(part), sampler.guided), None)
        distances, lengths, _ = guided_samples(
            origins, directions, bounds, guide, offsets, bins=sampler.bins, spread=SPREAD_AT_REST
        )
        points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
        density = field.density(points.flatten(1, 2)).view(distances.shape)
        seen = (compositing_weights(density, lengths)[0] * weights[part, None]).flatten()
        yield places_of(field.grids[0].box, points.view(-1, 3)), seen


def importance_weights(scores: Sequence[Float[Tensor, "..."]]) -> Maps:
    """Weights of texels in a loss: the logarithm of scores, brought to [0, 1] plane by plane, or grid by grid.

    A plane whose scores are all the same gets ones.

    >>> importance_weights([torch.tensor([[0.0, 0.09, 0.99]])])
    (tensor([[0.0000, 0.5000, 1.0000]]),)
    """
    made = []
    for plane in scores:
        logarithm = (plane + FLOOR).log()
        low, high = logarithm.amin(), logarithm.amax()
        made.append((logarithm - low) / (high - low) if high > low else torch.ones_like(plane))
    return tuple(made)


def importance_pictures(weights: Sequence[Float[Tensor, "_ _"]]) -> list[UInt8[Tensor, "_ _"]]:
    """Grey images (uint8) of weights in [0, 1], the second letter of the plane's name upwards.

    >>> importance_pictures([torch.tensor([[0.0, 1.0], [0.5, 0.5]])])
    [tensor([[128, 128],
            [  0, 255]], dtype=torch.uint8)]
    """
    return [(plane.clamp(0.0, 1.0).flip(0) * 255.0).round().to(torch.uint8) for plane in weights]
