"""The views of objects as tensors at hand: uint8 images on a stated background, cameras, boxes, hulls, latents."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from manyfields.cameras import Cameras, stack
from manyfields.fitting.bounds import MARGIN, box_from_silhouettes
from manyfields.fitting.pixel_pool import PixelPool, pixels_to_draw
from manyfields.fitting.visual_hull import pixels_inside, visual_hull
from manyfields.latents.autoencoder import Autoencoder
from manyfields.views import ObjectViews, composite, hold_out
from manyfields.views.images import resized


@dataclass
class FittingObject:
    """Training views of one object. `held_out` are names of the views that are never trained on.

    `train`, `test` and `aside` are indices of views; those set aside decide when a phase ends, and teach nothing.
    """

    id: str
    images: UInt8[Tensor, "V 3 H W"]
    cameras: Cameras
    bounds: Float[Tensor, "2 3"]
    source: ObjectViews
    train: list[int]
    test: list[int]
    aside: list[int] = field(default_factory=list)
    hull: UInt8[Tensor, "G G G"] | None = field(default=None, repr=False)
    pixels: tuple[Int[Tensor, " Q"], UInt8[Tensor, " Q"]] | None = field(default=None, repr=False)
    """What `pixels_to_draw` gives of the pixels that may see the object, for families whose codes have hulls."""
    alpha: UInt8[Tensor, "V H W"] | None = field(default=None, repr=False)
    """Of families whose codes have hulls, where views have transparency: `images` are composited on white by it."""
    latents: Float[Tensor, "V C h w"] | None = field(default=None, repr=False)

    @property
    def held_out(self) -> list[str]:
        return [self.source.names[index] for index in self.test]


def image_size(objects: Iterable[ObjectViews], stride: int) -> tuple[int, int]:
    """Width and height to which a set's views are brought: the size most objects have, rounded to the stride."""
    sizes = [(views.cameras.width, views.cameras.height) for views in objects]
    width, height = max(sorted(set(sizes)), key=sizes.count)
    return max(1, round(width / stride)) * stride, max(1, round(height / stride)) * stride


def load_views(
    views: ObjectViews, indices: Sequence[int], size: tuple[int, int]
) -> tuple[UInt8[Tensor, "V H W 4"], Cameras]:
    """Straight-alpha images and cameras of some views, brought to `size` (width, height)."""
    images = views.images(list(indices))
    cameras = views.cameras[list(indices)]
    if (cameras.width, cameras.height) != size:
        images = np.stack([resized(image, size) for image in images])
        cameras = cameras.resized(*size)
    return torch.from_numpy(images), cameras


def load_object(
    views: ObjectViews,
    size: tuple[int, int],
    *,
    seed: int,
    fraction: float = 0.1,
    hull: int = 0,
    aside: Collection[str] = (),
) -> FittingObject:
    """Read the training views of an object, with its hull of `hull` cells a side where that is not 0.

    Those named in `aside` are left out. Raises ViewError where a view cannot be read.
    """
    train, test = hold_out(views.names, views.id, seed=seed, fraction=fraction, test_names=views.test_names)
    spared = [index for index in train if views.names[index] in aside]
    train = [index for index in train if views.names[index] not in aside]
    rgba, cameras = load_views(views, train, size)
    alpha = rgba[..., 3]
    bounds = box_from_silhouettes(alpha, cameras, margin=0.0 if hull else MARGIN)
    images = torch.from_numpy(composite(rgba.numpy())).permute(0, 3, 1, 2).contiguous()
    item = FittingObject(views.id, images, cameras, bounds, views, train, test, spared)
    if hull:
        item.hull = visual_hull(alpha, cameras, bounds, hull)
        inside = pixels_inside(alpha)
        item.pixels = pixels_to_draw(images, inside)
        item.alpha = None if inside is None else alpha.contiguous()
    return item


@dataclass(frozen=True)
class Batch:
    """What one step sees: `rows` of the code store, and views (B, V) of each."""

    rows: Tensor
    cameras: Cameras
    images: UInt8[Tensor, "B V 3 H W"]
    bounds: Float[Tensor, "B 2 3"]
    latents: Float[Tensor, "B V C h w"] | None

    def cropped(self, left: int, top: int, side: int, stride: int) -> "Batch":
        """The window of `side` x `side` latent pixels whose first column and row are `left` and `top`, of all views."""
        x, y, size = left * stride, top * stride, side * stride
        latents = None if self.latents is None else self.latents[..., top : top + side, left : left + side]
        images = self.images[..., y : y + size, x : x + size]
        return replace(self, cameras=self.cameras.cropped(x, y, size, size), images=images, latents=latents)


class FittingData:
    """Objects of one stage or wave. What a step sees depends on (seed, phase, step) alone: a resumed run repeats it."""

    def __init__(self, objects: list[FittingObject], device: torch.device | str = "cpu") -> None:
        self.objects = objects
        self.device = torch.device(device)
        for item in objects:
            item.images = item.images.to(device)
            item.cameras = item.cameras.to(device)
        self.bounds = torch.stack([item.bounds for item in objects]).to(device)

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def views(self) -> int:
        """Training views of all objects together."""
        return sum(len(item.images) for item in self.objects)

    @torch.no_grad()
    def cache_latents(self, autoencoder: Autoencoder, half: bool) -> None:
        """Encode every training view once; kept in 16 bits."""
        for item in self.objects:
            parts = []
            for images in item.images.split(32):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                    parts.append(autoencoder.encode(images.float() / 255.0))
            item.latents = torch.cat(parts).half()

    @cached_property
    def pool(self) -> PixelPool:
        """The pixels that steps draw rays through; from then on what objects hold are parts of its tensors."""
        pixels = [item.pixels or pixels_to_draw(item.images, at_edges=0) for item in self.objects]
        pool = PixelPool(
            [item.images for item in self.objects],
            [item.cameras for item in self.objects],
            [numbers.to(self.device) for numbers, _ in pixels],
            [copies.to(self.device) for _, copies in pixels],
            [item.alpha.to(self.device) for item in self.objects if item.alpha is not None],
        )
        views = [len(item.images) for item in self.objects]
        images = pool.images.split(views)
        if pool.alpha is not None:
            for item, part in zip(self.objects, pool.alpha.split(views), strict=True):
                item.alpha = part
        lengths = [len(numbers) for numbers, _ in pixels]
        drawn = zip(pool.numbers.split(lengths), pool.copies.split(lengths), strict=True)
        for item, own, pair in zip(self.objects, images, drawn, strict=True):
            item.images = own
            item.pixels = None if item.pixels is None else pair
        return pool

    def draw(self, rows: list[int], views: int, generator: torch.Generator) -> Batch:
        """Random distinct training views of the objects `rows`: `views` of each, or what the poorest of them has."""
        views = min(views, *(len(self.objects[row].images) for row in rows))
        picks = [torch.randperm(len(self.objects[row].images), generator=generator)[:views] for row in rows]
        chosen = list(zip([self.objects[row] for row in rows], picks, strict=True))
        index = torch.tensor(rows, device=self.device)
        latents = None
        if all(item.latents is not None for item, _ in chosen):
            latents = torch.stack([item.latents[pick] for item, pick in chosen if item.latents is not None]).float()
        return Batch(
            index,
            stack([item.cameras[pick] for item, pick in chosen]),
            torch.stack([item.images[pick] for item, pick in chosen]),
            self.bounds[index],
            latents,
        )


def rows_of_step(count: int, per_step: int, step: int, seed: int) -> list[int]:
    """The objects of a step: a round visits all in a new order, and its last step is filled up with earlier ones."""
    per_step = min(per_step, count)
    steps = -(-count // per_step)
    generator = torch.Generator().manual_seed(stable_seed(seed, "round", step // steps))
    order = torch.randperm(count, generator=generator).tolist()
    start = min((step % steps) * per_step, count - per_step)
    return order[start : start + per_step]


def stable_seed(*parts: int | str) -> int:
    """A seed that depends on its parts alone, on every machine and in every process."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:7], "little")
