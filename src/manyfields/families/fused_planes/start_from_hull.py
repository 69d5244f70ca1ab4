"""Where the weights of a new object start: found from its coloured hull before any gradient step.

    pixels -> first filled cell of the hull along their rays -> points that are dense and of the pixel's colour
    places outside the hull                                  -> points where nothing is

What the tiny decoder makes of those points is almost linear in the weights, so a few damped Gauss-Newton steps
(Levenberg 1944, Marquardt 1963) over some hundred numbers find them; no ray is rendered.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.plane_features import plane_features
from manyfields.fitting.data import FittingData, stable_seed
from manyfields.rendering.guided import guided_samples

POINTS = 3072  # of each kind
STEPS = 8
DAMPING = 0.03  # of the mean curvature: keeps weights that no point tells apart where they are
DENSE, EMPTY = 7.0, -1.0  # values before the density's softplus: opaque within a cell, and nothing
DENSITY_SHARE = 0.2  # of an error of a density's value, beside that of a colour's
STEEP = 4.0  # colours count as at most this before the sigmoid
SOLID = 200.0  # density of the hull when looking for its surface
BINS = 64


@torch.no_grad()
def weights_from_hulls(
    family: FusedPlanes, data: FittingData, hulls: Tensor, seed: int
) -> dict[str, Float[Tensor, "N W"]]:
    """`weights` and `bias` of the N objects of a family in RGB space with hulls, to start their fit from."""
    found = [
        _weights_of(family, data, row, hulls[row : row + 1], stable_seed(seed, "start", item.id))
        for row, item in enumerate(data.objects)
    ]
    both = torch.stack(found)
    return {"weights": both[:, :-1].contiguous(), "bias": both[:, -1:].contiguous()}


def _weights_of(family: FusedPlanes, data: FittingData, row: int, hull: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    bounds = data.bounds[row : row + 1]
    rays, colors, _ = data.pool.draw(torch.tensor([row], device=data.device), POINTS, generator)
    offsets = torch.full((1, POINTS, 1), 0.5, device=data.device)
    guide = SOLID * hull.float()
    distances, _, hits = guided_samples(rays.origins, rays.directions, bounds, guide, offsets, bins=BINS, spread=0.0)
    surface = (rays.origins + distances * rays.directions)[0, hits[0]]
    places = torch.rand(2 * POINTS, 3, generator=generator).to(data.device)
    side = hull.shape[-1]
    cells = (places * side).long()
    free = places[hull[0, cells[:, 0], cells[:, 1], cells[:, 2]] == 0][:POINTS]
    low, high = bounds[0]
    points = torch.cat([(surface - low) / (high - low), free]) * 2.0 - 1.0
    logits = torch.logit(((colors[0, hits[0]] + 0.001) / 1.002).clamp(1e-6, 1 - 1e-6)).clamp(-STEEP, STEEP)
    return _solved(family, points, logits)


def _solved(family: FusedPlanes, points: Float[Tensor, "N 3"], logits: Float[Tensor, "S 3"]) -> Tensor:
    """Weights and bias for which the first S of the points look as they should, and the others are empty."""
    assert family.base is not None
    config, count = family.config, len(logits)
    # Features of every base plane at the points: (M, N, F). A bias adds 1 on each of the three planes.
    base = plane_features(family.base.detach(), points.expand(len(family.base), -1, -1).contiguous())
    base = base.view(config.base_planes, len(points), config.weight_groups, -1)
    hidden_weight, outputs = family.hidden.weight[:, config.micro_features :], family.output.weight[:4]
    numbers = family.start.clone()
    for _ in range(STEPS):
        weights, bias = numbers[:-1].view(config.weight_groups, config.base_planes), numbers[-1]
        features = torch.einsum("mngf,gm->ngf", base, weights).flatten(1) + 3.0 * bias
        hidden = features @ hidden_weight.T + family.hidden.bias
        active = (hidden > 0).to(hidden.dtype)
        values = (hidden * active) @ outputs.T + family.output.bias[:4]
        slopes = torch.einsum("oh,nh,hf->nof", outputs, active, hidden_weight)
        per_group = slopes.unflatten(-1, (config.weight_groups, -1))
        by_weight = torch.einsum("nogf,mngf->nogm", per_group, base).flatten(2)
        jacobian = torch.cat([by_weight, 3.0 * slopes.sum(-1, keepdim=True)], -1)
        numbers = numbers + _step(jacobian, values, logits, count)
    return numbers


def _step(jacobian: Tensor, values: Tensor, logits: Tensor, count: int) -> Tensor:
    dense = (DENSE - values[:count, 0]).clamp(min=0.0)  # denser is as good
    empty = (EMPTY - values[count:, 0]).clamp(max=0.0)
    density = torch.cat([dense, empty])
    wrong = (density != 0).to(values.dtype)
    rows = torch.cat([(DENSITY_SHARE * wrong.unsqueeze(-1) * jacobian[:, 0]), jacobian[:count, 1:].flatten(0, 1)])
    errors = torch.cat([DENSITY_SHARE * density, (logits - values[:count, 1:4]).flatten()])
    curvature = rows.T @ rows
    damped = curvature + DAMPING * curvature.diagonal().mean() * torch.eye(len(curvature), device=rows.device)
    return torch.linalg.solve(damped, rows.T @ errors)
