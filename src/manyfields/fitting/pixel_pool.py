"""The training pixels of many objects, from which steps draw: all in flat tensors, so that no step loops over objects.

Pixels at edges are drawn more often than those of plain surfaces, which are soon learned, and count for less each time:
the mean of the weighted errors is the mean over pixels still, with less noise from step to step.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from manyfields.cameras import Cameras, Rays
from manyfields.compiled import compiled_for

AT_EDGES = 10  # how many more times a pixel of full contrast is in the pool than one of a plain surface
VIEWS_AT_ONCE = 8


def pixels_to_draw(
    images: UInt8[Tensor, "V 3 H W"], inside: Int[Tensor, " P"] | None = None, at_edges: int = AT_EDGES
) -> tuple[Int[Tensor, " Q"], UInt8[Tensor, " Q"]]:
    """Numbers (view * H * W + row * W + column) of pixels, each as often as it is drawn, and how often that is.

    A pixel is there once, and up to `at_edges` times more by its contrast: the largest range of a colour channel among
    its neighbours. `inside` are the pixels to choose from, all when None.
    """
    contrast = _contrast(images).flatten()
    numbers = torch.arange(len(contrast), dtype=torch.int32) if inside is None else inside
    copies = (1.0 + at_edges * contrast[numbers].float() / 255.0).round().to(torch.int32)
    return numbers.repeat_interleave(copies), copies.to(torch.uint8).repeat_interleave(copies)


def _contrast(images: Tensor) -> UInt8[Tensor, "V H W"]:
    if compiled_for(images, dtype=torch.uint8):
        from manyfields.fitting.image_kernels import contrast

        found = torch.zeros_like(images[:, 0])
        contrast(images.contiguous().numpy(), found.numpy())
        return found
    parts = []
    for part in images.split(VIEWS_AT_ONCE):
        values = part.float()
        ranges = functional.max_pool2d(values, 3, 1, 1) + functional.max_pool2d(-values, 3, 1, 1)
        parts.append(ranges.amax(1).to(torch.uint8))
    return torch.cat(parts)


class PixelPool:
    """Pixels of N objects: images (V, 3, H, W) of one size, cameras, and what `pixels_to_draw` gives, of each."""

    def __init__(
        self,
        images: list[UInt8[Tensor, "_ 3 H W"]],
        cameras: list[Cameras],
        numbers: list[Int[Tensor, " _"]],
        copies: list[UInt8[Tensor, " _"]],
        alpha: Sequence[UInt8[Tensor, "_ H W"]] = (),
    ) -> None:
        """`alpha`: by which images were composited on white, of all objects; not heeded where any has none."""
        self.images = torch.cat(images)
        self.alpha = torch.cat(list(alpha)) if len(alpha) == len(images) else None
        self.cameras = _joined(cameras)
        self.numbers, self.copies = torch.cat(numbers), torch.cat(copies)
        device = self.images.device
        counts = torch.tensor([len(each) for each in numbers], device=device)
        views = torch.tensor([len(each) for each in images], device=device)
        self._counts, self._first = counts, counts.cumsum(0) - counts
        self._first_view = views.cumsum(0) - views
        # One over the mean of 1 / copies: weights of drawn pixels have the mean 1.
        self._scale = torch.stack([1.0 / (1.0 / each.float()).mean() for each in copies])

    def draw(
        self,
        rows: Int[Tensor, " B"],
        count: int,
        generator: torch.Generator,
        background: Float[Tensor, " 3"] | None = None,
    ) -> tuple[Rays, Float[Tensor, "B R 3"], Float[Tensor, "B R"]]:
        """Rays (B, R = count) through random pixels of the objects `rows`, their colours, and their weights.

        Colours are those on `background`, which takes `alpha`; on white when None.
        """
        height, width = self.images.shape[-2:]
        drawn = torch.rand(len(rows), count, generator=generator, dtype=torch.float64).to(self.images.device)
        place = self._first[rows, None] + (drawn * self._counts[rows, None]).long()
        number = self.numbers[place].long()
        view = self._first_view[rows, None] + number // (height * width)
        y, x = number // width % height, number % width
        pixels = torch.stack([x, y], -1) + 0.5
        rays = self.cameras.rays_of(view.flatten(), pixels.flatten(0, 1))
        shape = (len(rows), count, 3)
        colors = self.images[view, :, y, x].float() / 255.0
        if background is not None:
            if self.alpha is None:
                raise ValueError("pixels without alpha are on white alone")
            colors = colors - (1.0 - self.alpha[view, y, x].float() / 255.0).unsqueeze(-1) * (1.0 - background)
        weights = self._scale[rows, None] / self.copies[place]
        return Rays(rays.origins.view(shape), rays.directions.view(shape)), colors, weights


def _joined(cameras: list[Cameras]) -> Cameras:
    return Cameras(
        torch.cat([each.camera_to_world for each in cameras]),
        torch.cat([each.focal for each in cameras]),
        torch.cat([each.center for each in cameras]),
        cameras[0].width,
        cameras[0].height,
    )
