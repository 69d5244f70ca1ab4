"""The fused render on this device: equal to its plain form in float64, and how fast.

On a GPU these are Triton's kernels; on a CPU (`--smoke`) numba's, so that this file is tested without a GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.floor.parts import Machine, composite, decode, decode_back, gather, scatter
from benchmarks.floor.peaks import best
from manyfields.compiled import plain_only
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes, PlaneField
from manyfields.rendering.guided import guided_samples

PICTURES = 3e-4  # of the largest number: a ray may end where less than 1e-4 passes
LEARNING = 1e-2  # of what is learned from, whose matrix products are tf32 on a GPU
PLACES = 1e-3  # between distances, and lengths, of guided samples
BINS, SPREAD = 48, 0.1


@dataclass(frozen=True)
class Case:
    """A step of some objects, as fitting makes it."""

    objects: int
    rays: int
    samples: int
    side: int = 64
    features: int = 32
    hidden: int = 64
    channels: int = 3
    degree: int = 2

    @property
    def note(self) -> str:
        return (
            f"{self.objects} objects x {self.rays} rays x {self.samples} samples, K {self.side}, F {self.features}, "
            f"{self.channels} channels, degree {self.degree}"
        )

    def field(self, device: torch.device, dtype: torch.dtype = torch.float32) -> PlaneField:
        """Random planes that learn, of objects in boxes; the decoder is frozen, as in stage 2."""
        generator = torch.Generator().manual_seed(0)
        config = FusedPlanesConfig(
            *(self.features, 0, 0, self.side, self.hidden, self.channels),
            space="rgb" if self.channels == 3 else "latent",
            activation="relu",
            span="box",
            view_degree=self.degree,
        )
        family = FusedPlanes(config, generator).requires_grad_(False)
        planes = 0.3 * torch.randn(self.objects, 3, self.side, self.side, self.features, generator=generator)
        bounds = torch.tensor([[-0.8, -0.4, -0.5], [0.8, 0.4, 0.5]]).expand(self.objects, 2, 3)
        planes = planes.to(device, dtype).requires_grad_()
        return PlaneField(family.to(device, dtype), planes, bounds.to(device, dtype).contiguous())

    def rays_and_samples(self, device: torch.device) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor, Tensor]:
        """Origins, directions, distances and lengths of rays, colours, and a weight of each ray."""
        generator = torch.Generator().manual_seed(1)
        shape = (self.objects, self.rays)
        origins = torch.nn.functional.normalize(torch.randn(*shape, 3, generator=generator), dim=-1) * 2.7
        aims = 0.4 * torch.randn(*shape, 3, generator=generator)
        directions = torch.nn.functional.normalize(aims - origins, dim=-1)
        distances = 1.9 + 1.6 * torch.rand(*shape, self.samples, generator=generator).sort(-1).values
        lengths = torch.full_like(distances, 1.6 / self.samples)
        colors, weights = torch.rand(*shape, self.channels, generator=generator), torch.ones(shape)
        rays = (origins.to(device), directions.to(device), distances.to(device), lengths.to(device))
        return rays, colors.to(device), weights.to(device)


def check(device: torch.device, case: Case) -> dict[str, float]:
    """Largest differences from float64, as shares of the largest numbers. Raises AssertionError where they are too big.

    Pictures of `march`, the error and the gradient of planes of `march_error`, and places of guided samples.
    """
    cpu = torch.device("cpu")
    rays, colors, weights = case.rays_and_samples(cpu)
    background = torch.ones(case.channels)
    exact = case.field(cpu, torch.float64)
    seen = exact.plain_march(*(tensor.double() for tensor in rays))
    over = seen[0] + (1.0 - seen[1]).unsqueeze(-1) * background
    total = (weights.unsqueeze(-1) * (over - colors).square()).sum()
    total.backward()

    rays, colors, weights = case.rays_and_samples(device)
    field = case.field(device)
    with torch.no_grad():
        pictures = field.march(*rays)
    found = {
        name: _difference(mine, true)
        for name, mine, true in zip(("channels", "opacity", "depth"), pictures, seen, strict=True)
    }
    error = field.march_error(*rays, colors, weights, background.to(device))
    error.backward()
    found["error"] = _difference(error, total)
    found["gradient"] = _difference(field.planes.grad, exact.planes.grad)
    for name, value in found.items():
        allowed = LEARNING if name in ("error", "gradient") else PICTURES
        assert value < allowed, (
            f"{name} differs from float64 by {value:.1e} of its largest number, {allowed:.0e} is allowed ({case.note})"
        )
    found["places"] = _check_places(device, case)
    return found


def _check_places(device: torch.device, case: Case) -> float:
    """Guided samples against the plain form in float64: the share of rays whose samples lie elsewhere.

    A bin whose middle lies on the border of two cells may read either, so a few do.
    """
    (origins, directions, distances, _), _, _ = case.rays_and_samples(device)
    bounds = case.field(device).bounds
    assert bounds is not None
    offsets = torch.full_like(distances, 0.5)
    inputs = (origins, directions, bounds, _soft_ball().expand(case.objects, -1, -1, -1).to(device), offsets)
    mine = guided_samples(*inputs, bins=BINS, spread=SPREAD)
    true = guided_samples(*(tensor.cpu().double() for tensor in inputs), bins=BINS, spread=SPREAD)
    near = [((each.cpu() - other).abs() < PLACES).all(-1) for each, other in zip(mine[:2], true[:2], strict=True)]
    share = 1.0 - float((near[0] & near[1] & (mine[2].cpu() == true[2])).float().mean())
    assert share < 0.05, f"the samples of {share:.1%} of the rays lie elsewhere than in float64 ({case.note})"
    return share


def _soft_ball(side: int = 60) -> Tensor:
    """Densities (1, G, G, G) that change little from cell to cell, 0 outside.

    With 64 cells the middles of bins of rays that cross the box lie on borders of cells (64 / 48 is 4 / 3).
    """
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    square = x**2 + y**2 + z**2
    return (8.0 * torch.exp(-2.0 * square) * (square < 0.8))[None]


def _difference(found: Tensor | None, true: Tensor | None) -> float:
    assert found is not None and true is not None
    return float(
        (found.detach().cpu().double() - true.detach()).abs().max() / true.detach().abs().max().clamp(min=1e-30)
    )


def timings(device: torch.device, case: Case) -> dict[str, float]:
    """Seconds: pictures alone, and the error with its gradients; both by the fused and by the plain form."""
    rays, colors, weights = case.rays_and_samples(device)
    background = torch.ones(case.channels, device=device)
    field = case.field(device)

    @torch.no_grad()
    def forward() -> None:
        field.march(*rays)

    def both() -> None:
        field.planes.grad = None
        field.march_error(*rays, colors, weights, background).backward()

    def plain() -> None:
        field.planes.grad = None
        seen, opacity, _ = field.plain_march(*rays)
        over = seen + (1.0 - opacity).unsqueeze(-1) * background
        (weights.unsqueeze(-1) * (over - colors).square()).sum().backward()

    works: dict[str, Callable[[], None]] = {"forward": forward, "forward_backward": both}
    found = {name: best(work, device) for name, work in works.items()}
    with plain_only():
        found["plain.forward_backward"] = best(plain, device, rounds=3)
    return found


def floors(machine: Machine, case: Case) -> dict[str, float]:
    """Least seconds of `forward` and `forward_backward`. All features of the planes learn in these cases."""
    samples = case.rays * case.samples
    values = 1 + case.channels
    forward = [
        gather(samples, case.features, case.side),
        decode(samples, case.features, case.hidden, values),
        composite(samples, case.channels),
    ]
    backward = [
        scatter(samples, case.features, case.side),
        decode_back(samples, case.features, case.hidden, values, case.features, learns=False),
        composite(samples, case.channels) * 2,
    ]
    once = case.objects * machine.floor(forward)
    return {"forward": once, "forward_backward": once + case.objects * machine.floor(backward)}
