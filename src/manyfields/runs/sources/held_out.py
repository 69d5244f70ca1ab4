"""Held-out views of stored objects beside what their bytes render."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.collection import Collection
from manyfields.collection.objects import StoredObject
from manyfields.collection.shared_file import stored_sampler
from manyfields.errors import ViewError
from manyfields.evaluation.lpips import Lpips
from manyfields.evaluation.scores import Scores, mean_scores, score_views
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import load_views
from manyfields.fitting.progress import Progress, silent
from manyfields.rendering import Sampler
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.moved import check_at_hand
from manyfields.shared_part import SharedPart
from manyfields.views import ObjectViews, composite, read_views

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
    """Scores of the held-out views of the whole object, and with `coarse` both PSNR of its coarser levels.

    Empty without held-out views.
    """
    if not views:
        return {}
    whole = mean_scores(render_codes(collection, codes, bounds, source, views, size, seen=seen).scores())
    scores = ("psnr", "ssim", "foreground_psnr", "holes", "worst_holes")
    metrics: dict[str, float | None] = {name: getattr(whole, name) for name in scores}
    for level in collection.shared_part.family.config.coarse_levels if coarse else ():
        first = render_codes(collection, codes, bounds, source, views, size, level)
        metrics |= _of_layers(level, mean_scores(first.scores()).to_json())
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
        metrics |= _of_layers(count, first)
    return metrics


def _of_layers(count: int, measured: Mapping[str, Any]) -> dict[str, Any]:
    """What the index keeps of scores of the first `count` layers."""
    names = [name for name in ("psnr", "foreground_psnr") if measured.get(name) is not None]
    return {f"layer{count - 1}_{name}": measured[name] for name in names}


def as_bytes(images: Float[Tensor, "V H W 3"]) -> UInt8[Tensor, "V H W 3"]:
    return (images * 255.0).round().to(torch.uint8)


def held_out_views(
    collection: Collection,
    record: RunRecord,
    levels: Sequence[int | None] = (None,),
    progress: Progress = silent,
    ids: Sequence[str] | None = None,
) -> Iterator[tuple[StoredObject, list[HeldOut]]]:
    """Every stored object (of `ids`) that has held-out views, with its renderings of them at each level (None: all
    layers). Raises ViewError where views are gone."""
    sources: dict[int, dict[str, ObjectViews]] = {}
    asked = collection if ids is None else ids
    ids = [name for name in asked if record.held_out.get(name, {}).get("views")]
    total, done = sum(len(record.held_out[name]["views"]) for name in ids) * len(levels), 0

    def seen(count: int) -> None:
        nonlocal done
        done += count
        progress("held-out views", done, total)

    for name in ids:
        held = record.held_out[name]
        folder = record.data[held["source"]]
        if held["source"] not in sources:
            check_at_hand(collection.path, folder)
            sources[held["source"]] = {item.id: item for item in read_views(folder)}
        source = sources[held["source"]].get(name)
        absent = set(held["views"]) - set(source.names) if source else set(held["views"])
        if source is None or absent:
            raise ViewError(f"{folder}: object {name} no longer has its held-out view {sorted(absent)[0]}")
        item = collection[name]
        bounds = torch.as_tensor(item.entry.bounds)
        views = [source.names.index(view) for view in held["views"]]
        yield (
            item,
            [
                render_codes(collection, item.code(level), bounds, source, views, record.size, level, seen)
                for level in levels
            ],
        )
