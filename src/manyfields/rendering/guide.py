"""Guides: what the fields of objects hold in the cells of their boxes, for `guided_samples`."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields import Field

CELLS_AT_ONCE = 65536
FAINT = 0.01  # opacity of a cell that is taken for empty


@torch.no_grad()
def densities(field: Field, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
    """Densities of a field at points, without gradients: what guides are made of.

    >>> from manyfields.fields.field import Field
    >>> from manyfields.fields.samples import Samples
    >>> class Half(Field):
    ...     channels = 3
    ...     def __call__(self, points, directions=None):
    ...         return Samples(9.0 * (points[..., 0] > 0), torch.zeros_like(points))
    >>> densities(Half(), torch.tensor([[[-0.5, 0, 0], [0.5, 0, 0]]]))
    tensor([[0., 9.]])
    """
    return field.density(points)


@torch.no_grad()
def guide_of(
    field: Field, bounds: Float[Tensor, "B 2 3"], hull: UInt8[Tensor, "B G G G"] | None = None, side: int = 64
) -> Float[Tensor, "B G G G"]:
    """Densities in the cells of each object's box, indexed [x, y, z]; 0 outside the hull.

    Without a hull (of `side` cells then), cells that the field leaves nearly empty are 0.

    >>> from manyfields.fields.field import Field
    >>> from manyfields.fields.samples import Samples
    >>> class Half(Field):
    ...     channels = 3
    ...     def __call__(self, points, directions=None):
    ...         return Samples(9.0 * (points[..., 0] > 0), torch.zeros_like(points))
    >>> guide_of(Half(), torch.tensor([[[-1.0, -1, -1], [1, 1, 1]]]), side=4)[0, :, 0, 0]
    tensor([0., 0., 9., 9.])
    """
    side = side if hull is None else hull.shape[-1]
    places, mean = field.guide_places.places.to(bounds.device), field.guide_places.mean
    cells = torch.arange(side**3, device=bounds.device)
    if hull is not None:
        cells = hull.flatten(1).any(0).nonzero().squeeze(1)
    guide = torch.zeros(len(bounds), side**3, device=bounds.device)
    size = (bounds[:, 1:] - bounds[:, :1]) / side
    for some in cells.split(CELLS_AT_ONCE):
        corners = torch.stack([some // side**2, some // side % side, some % side], -1)
        asked = torch.stack([densities(field, bounds[:, :1] + (corners + place) * size) for place in places])
        guide[:, some] = asked.mean(0) if mean else asked.amax(0)
    guide = guide.view(-1, side, side, side)
    if hull is not None:
        # Inside the hull nothing is 0: what a field leaves empty today may hold something after the next step.
        return guide.clamp(min=1e-3) * (hull > 0)
    clear = guide * size.amax(-1).view(-1, 1, 1, 1) < FAINT
    return guide.masked_fill(clear, 0.0)
