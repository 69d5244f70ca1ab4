"""Held-out views of stored objects beside what their bytes render."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.collection import Collection
from manyfields.collection.shared_file import stored_sampler
from manyfields.evaluation.lpips import Lpips
from manyfields.evaluation.scores import Scores, mean_scores, score_views
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import load_views
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart
from manyfields.views import ObjectViews, composite

Seen = Callable[[int], None]
"""Told how many more views are rendered."""


def not_told(count: int) -> None:
    """A `Seen` for callers who do not wait for it."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out views of one object and their renderings, channels last in [0, 1]."""

    names: list[str]
    truth: Float[Tensor, "V H W 3"]
    alpha: Float[Tensor, "V H W"]
    rendered: Float[Tensor, "V H W 3"]
    opacity: Float[Tensor, "V H W"]
    """As rendered."""

    def scores(self, lpips: Lpips | None = None) -> list[Scores]:
        """One for each view."""
        return score_views(self.rendered, self.truth, self.alpha, lpips, self.opacity)


@torch.no_grad()
def render_codes(
    collection: Collection,
    codes: ObjectCodes,
    bounds: Float[Tensor, "2 3"],
    source: ObjectViews,
    views: Sequence[int],
    size: tuple[int, int],
    level: int | None = None,
    seen: Seen = not_told,
) -> HeldOut:
    """Render the held-out views `views` of one object (codes: B = 1), without jitter, in float32."""
    shared, sampler = collection.shared_part, stored_sampler(collection)
    return render_held_out(shared, sampler, codes, bounds, source, views, size, level, seen)


@torch.no_grad()
def render_held_out(
    shared: SharedPart,
    sampler: Sampler,
    codes: ObjectCodes,
    bounds: Float[Tensor, "2 3"],
    source: ObjectViews,
    views: Sequence[int],
    size: tuple[int, int],
    level: int | None = None,
    seen: Seen = not_told,
) -> HeldOut:
    """`render_codes` for a shared part that no collection holds."""
    rgba, cameras = load_views(source, views, size)
    box = bounds.float()[None]
    occupancy = shared.occupancy(codes, box, level)
    parts, opacities = [], []
    for part in torch.arange(len(cameras)).split(8 if shared.stride > 1 else 1):
        drawn = shared.pictures(codes, cameras[part][None], box, sampler, level=level, guide=occupancy)
        assert drawn.images is not None
        parts.append(drawn.images[0].clamp(0, 1))
        opacities.append(functional.interpolate(drawn.opacity, drawn.images.shape[-2:])[0])
        seen(len(part))
    truth = torch.from_numpy(composite(rgba.numpy())).float() / 255.0
    names = [source.names[index] for index in views]
    rendered = torch.cat(parts).permute(0, 2, 3, 1).contiguous()
    return HeldOut(names, truth, rgba[..., 3].float() / 255.0, rendered, torch.cat(opacities))


def measure_codes(
    collection: Collection,
    codes: ObjectCodes,
    bounds: Float[Tensor, "2 3"],
    source: ObjectViews,
    views: Sequence[int],
    size: tuple[int, int],
    coarse: bool = True,
    seen: Seen = not_told,
) -> dict[str, float]:
    """PSNR of the held-out views, of the whole object and, with `coarse`, of its coarser levels.

    Empty without held-out views.
    """
    if not views:
        return {}
    whole = mean_scores(render_codes(collection, codes, bounds, source, views, size, seen=seen).scores())
    scores = ("psnr", "ssim", "foreground_psnr", "holes", "worst_holes")
    metrics = {name: getattr(whole, name) for name in scores}
    for level in collection.shared_part.family.config.coarse_levels if coarse else ():
        first = render_codes(collection, codes, bounds, source, views, size, level)
        metrics[f"layer{level - 1}_psnr"] = mean_scores(first.scores()).psnr
    return {name: value for name, value in metrics.items() if value is not None}


def measure_layers(
    collection: Collection,
    layers: Sequence[bytes],
    bounds: Float[Tensor, "2 3"],
    source: ObjectViews,
    views: Sequence[int],
    size: tuple[int, int],
    seen: Seen = not_told,
) -> dict[str, float]:
    """`measure_codes` of what an object's layers decode to, also of the first of them where a codec has more layers
    than its family."""
    codec = collection.codec
    metrics = measure_codes(collection, codec.decode([layers]), bounds, source, views, size, seen=seen)
    for count in range(len(collection.shared_part.family.config.layers), len(layers) if metrics else 0):
        first = measure_codes(collection, codec.decode([layers[:count]]), bounds, source, views, size, coarse=False)
        metrics[f"layer{count - 1}_psnr"] = first["psnr"]
    return metrics


def as_bytes(images: Float[Tensor, "V H W 3"]) -> UInt8[Tensor, "V H W 3"]:
    return (images * 255.0).round().to(torch.uint8)
