"""The shared part of a set: family of fields, background, and the autoencoder whose latent images the fields render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.cameras import Cameras, Rays
from manyfields.errors import ConfigError
from manyfields.fields import FamilyNetwork, Field
from manyfields.fields.codes import ObjectCodes
from manyfields.latents.autoencoder import Autoencoder
from manyfields.rendering import Occupancy, Rendering, Sampler, guide_of, render

FamilyT = TypeVar("FamilyT", bound=FamilyNetwork)


@dataclass(frozen=True)
class Pictures:
    """Rendered views: `latents` are what fields rendered (RGB for a family in RGB space); opacity, depth: same size.

    >>> seen = Pictures(torch.zeros(1, 2, 3, 4, 4), torch.ones(1, 2, 4, 4), torch.ones(1, 2, 4, 4), None)
    >>> seen.latents.shape
    torch.Size([1, 2, 3, 4, 4])
    """

    latents: Float[Tensor, "B V C h w"]
    opacity: Float[Tensor, "B V h w"]
    depth: Float[Tensor, "B V h w"]
    images: Float[Tensor, "B V 3 H W"] | None


class SharedPart(nn.Module, Generic[FamilyT]):
    """All that objects of a set share. `autoencoder` is None for a family in RGB space.

    >>> from manyfields.collection import open_collection
    >>> from manyfields.cameras import orbit
    >>> shared = open_collection("runs/vehicles").shared_part
    >>> shared.autoencoder is None, shared.family.config.channels
    (True, 3)
    """

    def __init__(self, family: FamilyT, autoencoder: Autoencoder | None) -> None:
        super().__init__()
        if (autoencoder is None) != (family.config.space == "rgb"):
            raise ConfigError(
                f"a family in {family.config.space} space {'needs an' if autoencoder is None else 'has no'} autoencoder"
            )
        if autoencoder is not None and autoencoder.channels != family.config.channels:
            raise ConfigError(
                f"fields with {family.config.channels} channels do not fit an autoencoder with {autoencoder.channels}"
            )
        self.family = family
        self.autoencoder = autoencoder
        self.background = nn.Parameter(torch.ones(3) if autoencoder is None else torch.zeros(autoencoder.channels))

    @property
    def stride(self) -> int:
        """Image pixels along one side of a latent pixel (1 in RGB space)."""
        return 1 if self.autoencoder is None else self.autoencoder.stride

    @torch.no_grad()
    def set_background(self, color: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
        """Start the background feature at what the encoder makes of an image of one colour."""
        values = torch.tensor(color, device=self.background.device)
        if self.autoencoder is not None:
            side = 16 * self.stride
            latent = self.autoencoder.encode(values.view(1, 3, 1, 1).expand(1, 3, side, side).contiguous())
            values = latent[0, :, 8, 8]
        self.background.copy_(values)

    def pictures(
        self,
        codes: ObjectCodes,
        cameras: Cameras,
        bounds: Float[Tensor, "B 2 3"],
        sampler: Sampler,
        *,
        level: Tensor | int | None = None,
        guide: Float[Tensor, "B G G G"] | Occupancy | None = None,
        generator: torch.Generator | None = None,
        decode: bool = True,
    ) -> Pictures:
        """Views of B objects through their own cameras, of shape (B, V); image sides must divide by the stride.

        Where the family has guides and none is given, that is what `occupancy` makes: make it once for many calls. With
        jitter, by a `generator`, it is what `guide` makes.
        """
        field = self.family.field(codes, level, bounds)
        if guide is None:
            guide = self._guide_of(field, codes, bounds, level)
            if guide is not None and generator is None:
                guide = Occupancy.of(guide, bounds)
        return self.pictures_of(field, cameras, bounds, sampler, guide=guide, generator=generator, decode=decode)

    def guide(
        self, codes: ObjectCodes, bounds: Float[Tensor, "B 2 3"], level: Tensor | int | None = None
    ) -> Float[Tensor, "B G G G"] | None:
        """Densities that place samples of these objects while something learns; None for a family without guides."""
        if not self.family.config.guide_side:
            return None
        return self._guide_of(self.family.field(codes, level, bounds), codes, bounds, level)

    def occupancy(
        self, codes: ObjectCodes, bounds: Float[Tensor, "B 2 3"], level: Tensor | int | None = None
    ) -> Occupancy | None:
        """Where rays at rest look for these objects; None for a family without guides."""
        guide = self.guide(codes, bounds, level)
        return None if guide is None else Occupancy.of(guide, bounds)

    def _guide_of(self, field: Field, codes: ObjectCodes, bounds: Tensor, level: Tensor | int | None) -> Tensor | None:
        side = self.family.config.guide_side
        return guide_of(field, bounds, self.family.hull(codes, bounds, level), side) if side else None

    def pictures_of(
        self,
        field,
        cameras: Cameras,
        bounds: Tensor,
        sampler: Sampler,
        *,
        guide: Tensor | Occupancy | None = None,
        generator: torch.Generator | None = None,
        decode: bool = True,
    ) -> Pictures:
        """`pictures` for fields that are at hand already."""
        if cameras.width % self.stride or cameras.height % self.stride:
            raise ConfigError(f"views of {cameras.width}x{cameras.height} do not divide by the stride {self.stride}")
        fine = sampler.supersampling if self.autoencoder is None else 1
        small = cameras.resized(fine * cameras.width // self.stride, fine * cameras.height // self.stride)
        rays = small.rays()
        objects, views = cameras.shape
        flat = Rays(rays.origins.reshape(objects, -1, 3), rays.directions.reshape(objects, -1, 3))
        seen = render(field, flat, sampler, bounds=bounds, guide=guide, background=self.background, generator=generator)
        return self._to_pictures(seen, views, small.height, small.width, fine, decode)

    def _to_pictures(self, seen: Rendering, views: int, height: int, width: int, fine: int, decode: bool) -> Pictures:
        objects = seen.opacity.shape[0]
        latents = seen.channels.view(objects, views, height, width, -1).permute(0, 1, 4, 2, 3)
        opacity = seen.opacity.view(objects, views, height, width)
        depth = seen.depth.view(objects, views, height, width)
        if fine > 1:
            # Depths are averaged over what is seen: a ray beside the object has none.
            depth = _mean_of(depth * opacity, fine) / _mean_of(opacity, fine).clamp(min=1e-6)
            latents, opacity = _mean_of(latents, fine), _mean_of(opacity, fine)
        images: Tensor | None = None
        if self.autoencoder is None:
            images = latents
        elif decode:
            images = self.autoencoder.decode(latents.flatten(0, 1)).view(objects, views, 3, height * self.stride, -1)
        return Pictures(latents, opacity, depth, images)


def _mean_of(pixels: Tensor, fine: int) -> Tensor:
    """Means of `fine` x `fine` pixels (B, V, ..., H, W)."""
    return functional.avg_pool2d(pixels.flatten(0, -4), fine).unflatten(0, pixels.shape[:-3])


@torch.no_grad()
def render_code(
    shared: SharedPart,
    code: ObjectCodes,
    occupancy: Occupancy | None,
    cameras: Cameras,
    bounds: Tensor,
    sampler: Sampler,
    level: int | None = None,
) -> Pictures:
    """Views (V,) of one object (B = 1), a few at a time; colours are in [0, 1]. `occupancy`: that of `shared`."""
    views = []
    for part in torch.arange(len(cameras)).split(8 if shared.stride > 1 else 1):
        views.append(shared.pictures(code, cameras[part][None], bounds, sampler, level=level, guide=occupancy))
    joined = {name: torch.cat([getattr(view, name) for view in views], 1) for name in ("latents", "opacity", "depth")}
    images = torch.cat([view.images for view in views if view.images is not None], 1).clamp(0.0, 1.0)
    return Pictures(**joined, images=images)
