"""How much pictures change with the planes of a tensor field: the Gauss-Newton matrix of their errors, in parts.

With signs e drawn at random for every channel of every ray, the gradient g of sum(e * colour) to the planes has the
expectation E[g g^T] = J^T J, J being how colours change (Hutchinson 1990). Of it are kept, for each plane, the sum over
texels as a matrix of components by components, and for each texel the sum over components.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.fitting.data import stable_seed
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.rendering import render


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Squared changes of a ray's colour, in the mean over training rays."""

    components: Float[Tensor, "3 C C"]
    """Of an error of these components at every texel of a plane."""
    texels: tuple[Float[Tensor, "_ _"], ...]
    """Of an error of one at all components of a texel, on the planes XY, XZ, YZ."""


def sensitivity(loss: SceneLoss, grids: TensorGrids, draws: int, seed: int = 0) -> Sensitivity:
    """From `draws` times `loss.rays` training rays, in plain float32."""
    learned = [plane.detach().clone().requires_grad_() for plane in (*grids.density.planes, *grids.appearance.planes)]
    split = len(grids.density.planes)
    own = grids.with_tensors([*learned[:split], *grids.density.vectors, *learned[split:], *grids.appearance.vectors])
    field = loss.shared.family.field(own.codes())
    components = grids.density.components + grids.appearance.components
    squares = torch.zeros(split, components, components)
    texels = [torch.zeros(plane.shape[:2]) for plane in grids.density.planes]
    for draw in range(draws):
        generator = torch.Generator().manual_seed(stable_seed(seed, "sensitivity", loss.id, draw))
        rays, colors, weights = loss.data.pool.draw(torch.zeros(1, dtype=torch.int64), loss.rays, generator)
        signs = 2.0 * torch.randint(0, 2, colors.shape, generator=generator) - 1.0
        seen = render(
            field,
            rays,
            loss.sampler,
            bounds=loss.data.bounds,
            guide=loss.guide,
            background=loss.shared.background,
            generator=generator,
        )
        # Pixels at edges are drawn more often, and weigh less.
        total = (weights.sqrt().unsqueeze(-1) * signs * seen.channels).sum()
        gradients = torch.autograd.grad(total, learned)
        for number in range(split):
            both = torch.cat([gradients[number], gradients[split + number]], -1)
            flat = both.flatten(0, 1)
            squares[number] += flat.T @ flat
            texels[number] += both.square().sum(-1)
    count = draws * loss.rays
    return Sensitivity(squares / count, tuple(own / count for own in texels))
