"""The parts without the machinery: cameras, a field of one's own, volume rendering, and planes that learn from pixels.

    python examples/compose_the_parts.py

A coloured ball, written down as a formula, is rendered from a few cameras. Planes then learn it from these pixels
alone, and are compared with the ball at a camera that they have not seen. No data, no files, no latent space.
"""

import torch

from manyfields.cameras import Rays, orbit
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Field, Samples
from manyfields.rendering import Sampler, render


class Ball(Field):
    """A field says this alone: density and channels at points (B, N, 3)."""

    channels = 3

    def __call__(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> Samples:
        inside = points.norm(dim=-1) < 0.6
        return Samples(density=50.0 * inside.float(), channels=0.5 + 0.5 * points.sin())


def picture(field, cameras, index: int) -> torch.Tensor:
    """What one camera sees, on white: (H * W, 3)."""
    rays = cameras[index : index + 1].rays()
    with torch.no_grad():
        return render(field, rays, Sampler(32, 32), background=torch.ones(3)).channels[0]


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(-10 * torch.log10((first - second).square().mean()))


def main(size: int = 48, views: int = 24, steps: int = 300, rays_a_step: int = 1024) -> tuple[float, float]:
    """PSNR at an unseen camera before and after learning."""
    generator = torch.Generator().manual_seed(0)
    cameras = orbit(views, elevation=20.0, width=size, height=size)
    unseen = orbit(5, elevation=45.0, width=size, height=size)
    truth = torch.cat([picture(Ball(), cameras, index) for index in range(views)])
    rays = cameras.rays()  # (V, H * W, 3)
    origins, directions = rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3)

    # Planes of one object in RGB, without a shared part: the family's Tri-Planes.
    config = FusedPlanesConfig(8, 0, 0, resolution=32, channels=3, space="rgb")
    family = FusedPlanes(config, generator)
    codes = family.new_codes(1, generator)
    codes.tensors["micro"].requires_grad_()
    optimizer = torch.optim.Adam([*family.parameters(), codes.tensors["micro"]], lr=1e-2)

    before = psnr(picture(family.field(codes), unseen, 1), picture(Ball(), unseen, 1))
    for step in range(steps):
        pick = torch.randint(len(truth), (rays_a_step,), generator=generator)
        some = Rays(origins[pick][None], directions[pick][None])  # B = 1 object
        seen = render(family.field(codes), some, Sampler(16, 16), background=torch.ones(3), generator=generator)
        loss = (seen.channels[0] - truth[pick]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            print(f"step {step + 1}: loss {loss.item():.5f}")
    after = psnr(picture(family.field(codes), unseen, 1), picture(Ball(), unseen, 1))
    print(f"unseen camera: {before:.2f} dB before, {after:.2f} dB after {steps} steps")
    return before, after


if __name__ == "__main__":
    main()
