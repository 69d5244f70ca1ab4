"""Samples along rays through plane fields, in one go: gather from three planes, tiny decoder, compositing.

    planes, decoder, rays, where on them  ->  channels, opacity, depth

Between the planes and the colour of a ray lie a hundred numbers a sample; written out as tensors they are what a fit
spends its time on. The fused forms keep them in registers and caches, forward and backward: `fused_cpu` (numba) and
`fused_triton` (GPUs). `plain_march` says in PyTorch what they compute, and runs where neither can.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.fused_planes.field import PlaneField
from manyfields.families.mixture.field import MixtureField
from manyfields.fields import Field, SceneField
from manyfields.rendering.density_first import density_first_march
from manyfields.rendering.plain_march import plain_march
from manyfields.rendering.tiny_decoder import TinyDecoder


def is_fused(field: Field, samples: int, *tensors: Tensor) -> bool:
    """Whether `march` has a fused form for this field, so many samples of a ray, and gradients as asked for now."""
    from manyfields.rendering import fused_cpu

    if isinstance(field, SceneField):
        return True
    on_cpu = not torch.is_grad_enabled() and fused_cpu.takes(field, *tensors)
    return on_cpu or (isinstance(field, PlaneField) and _takes_triton(field, samples, *tensors))


def _takes_triton(field: PlaneField, samples: int, *tensors: Tensor) -> bool:
    from manyfields.rendering import fused_triton

    return fused_triton.available(field.table, *tensors) and fused_triton.fits(
        field.table, TinyDecoder.of(field), samples
    )


def march(
    field: Field,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`plain_march` by the fastest form there is for this field on this device."""
    from manyfields.rendering import fused_cpu, fused_triton

    rays = (origins, directions, distances, lengths)
    if isinstance(field, SceneField):
        return density_first_march(field, *rays)
    if not torch.is_grad_enabled() and fused_cpu.takes(field, *rays):
        return fused_cpu.march(field, *rays)
    if isinstance(field, PlaneField) and _takes_triton(field, distances.shape[-1], *rays):
        # Products of rounded factors are exact enough to learn from; what is measured or looked at is not rounded.
        precision: fused_triton.Precision = "tf32" if torch.is_grad_enabled() else "ieee"
        decoder = TinyDecoder.of(field)
        return fused_triton.fused_march(field.planes, field.bounds, decoder, *rays, precision=precision)
    return plain_march(field, *rays)


def densities(field: Field, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
    """Densities of a field at points, without gradients: what guides are made of.

    >>> from manyfields.fields.samples import Samples
    >>> class Half:
    ...     channels = 3
    ...     def __call__(self, points, directions=None):
    ...         return Samples(9.0 * (points[..., 0] > 0), torch.zeros_like(points))
    >>> densities(Half(), torch.tensor([[[-0.5, 0, 0], [0.5, 0, 0]]]))
    tensor([[0., 9.]])
    """
    from manyfields.rendering import fused_cpu

    if fused_cpu.takes(field, points):
        return fused_cpu.densities(field, points)
    with torch.no_grad():
        return field.density(points) if isinstance(field, SceneField) else field(points).density


def march_error(
    field: Field,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
    colors: Float[Tensor, "B R C"],
    scales: Float[Tensor, "B R"],
    background: Float[Tensor, " C"],
) -> Float[Tensor, ""]:
    """Sum over rays of scale * squared error against `colors`, over a background that does not learn."""
    from manyfields.rendering import fused_cpu

    rays = (origins, directions, distances, lengths)
    if fused_cpu.takes(field, *rays, colors, scales, background):
        return fused_cpu.march_error(field, *rays, colors, scales, background)
    if isinstance(field, MixtureField) and torch.is_grad_enabled():
        from manyfields.families.mixture import march as mixture_steps

        return mixture_steps.march_error(field, *rays, colors, scales, background)
    channels, opacity, _ = march(field, *rays)
    seen = channels + (1.0 - opacity).unsqueeze(-1) * background.detach()
    return (scales.unsqueeze(-1) * (seen - colors).square()).sum()
